"""How people say when."""

import pytest

from signalpost.cli.terminal.moments import moment
from signalpost.domain.timestamps import parse_timestamp

NOW = parse_timestamp("2026-11-24T10:00:00Z")


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("90s", "2026-11-24T09:58:30Z"),
        ("15m", "2026-11-24T09:45:00Z"),
        ("2h", "2026-11-24T08:00:00Z"),
        ("7d", "2026-11-17T10:00:00Z"),
        ("999999d", "1970-01-01T00:00:00Z"),
        ("2026-11-20", "2026-11-20T00:00:00Z"),
        ("2026-11-20T10:00:00+02:00", "2026-11-20T08:00:00Z"),
    ],
)
def test_a_moment_is_an_age_a_day_or_a_timestamp(said: str, meant: str) -> None:
    assert parse_timestamp(moment(said, NOW)) == parse_timestamp(meant)


@pytest.mark.parametrize("said", ["", "yesterday", "2w", "-2h", "2", "h", "2026-13-01", "2026-11-20T10:00", "１h"])
def test_anything_else_is_refused_with_what_can_be_said(said: str) -> None:
    with pytest.raises(ValueError, match="Give a time ago"):
        moment(said, NOW)
