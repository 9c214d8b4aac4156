"""A stop takes at most 8 s: what it waits for, added up. That each is waited for no longer, the engine's tests say."""

from signalpost.cli.serving.gateway_process import HTTP_GRACE
from signalpost.gateway import MAX_SHUTDOWN_GRACE
from signalpost.sender.sender import HANGUP_SECONDS


def test_what_a_stop_waits_for_takes_at_most_8_s() -> None:
    assert HTTP_GRACE + MAX_SHUTDOWN_GRACE + HANGUP_SECONDS <= 8
