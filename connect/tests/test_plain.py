"""What a source says never reaches the terminal as a command."""

import logging

import pytest

from signalpost_connect.plain import PlainFormatter, say

CONTROLS = {*map(chr, (*range(32), *range(127, 160))), "\u202e"}


def test_no_control_of_a_message_is_printed_or_logged(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = f"id{''.join(sorted(CONTROLS))}\x9b2J"
    say(hostile)
    printed = capsys.readouterr().out
    record = logging.LogRecord("connect", logging.ERROR, "", 0, "dead: %s", (hostile,), None)
    for each in (printed, PlainFormatter("%(message)s").format(record)):
        assert "id\\x00" in each
        assert CONTROLS & {*each} == {"\n"}
