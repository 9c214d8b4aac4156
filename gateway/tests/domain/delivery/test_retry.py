"""C16: when a failed attempt is tried again."""

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalpost.domain.delivery import retry
from signalpost.domain.delivery.retry import MAX_RETRY_AFTER, delay, parse_retry_after
from signalpost.domain.timestamps import SECOND, parse_timestamp

JITTERS = st.floats(0, 1, exclude_max=True)
NOW = parse_timestamp("2015-10-21T07:28:00+00:00")


def test_the_schedule_is_10_60_and_300_seconds() -> None:
    """C16"""
    assert retry.DELAYS == (10, 60, 300)


@given(st.integers(1, 86_400), JITTERS)
def test_a_retry_is_never_early_and_at_most_a_fifth_late(seconds: int, jitter: float) -> None:
    """C16"""
    assert seconds * SECOND <= delay(seconds, jitter, None) <= seconds * SECOND * 12 // 10


@given(st.integers(1, 86_400), JITTERS, st.integers(0, MAX_RETRY_AFTER))
def test_what_an_endpoint_asks_for_lengthens_the_delay_and_never_shortens_it(
    seconds: int, jitter: float, asked_for: int
) -> None:
    """C16"""
    given_delay = delay(seconds, jitter, asked_for)
    assert given_delay >= asked_for * SECOND
    assert given_delay >= delay(seconds, jitter, None)
    assert given_delay == delay(max(seconds, asked_for), jitter, None)


@given(st.tuples(JITTERS, JITTERS, JITTERS), st.integers(0, 20 * SECOND))
def test_the_last_attempt_carries_links_that_still_work(jitters: tuple[float, float, float], sending: int) -> None:
    """C10, C16: three delays at their longest and four attempts of 5 s stay well within 15 minutes."""
    waited = sum(delay(seconds, jitter, None) for seconds, jitter in zip(retry.DELAYS, jitters, strict=True))
    assert waited + sending < 15 * 60 * SECOND


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("", None),
        ("0", 0),
        ("1", 1),
        (" 120 ", 120),
        ("3600", 3600),
        ("3601", 3600),
        ("99999999999999999999", 3600),
        ("0000000005", 5),
        ("000000000000000000", 0),
        ("-1", None),
        ("+1", None),
        ("1.5", None),
        ("1e3", None),
        ("²", None),
        ("٣", None),
        ("soon", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 1),
        ("Wed, 21 Oct 2015 07:28:30 GMT", 31),
        ("Wed, 21 Oct 2015 09:28:30 +0200", 31),
        ("Wednesday, 21-Oct-15 07:28:30 GMT", 31),
        ("Wed Oct 21 07:28:30 2015", 31),
        ("Wed, 21 Oct 2015 07:28:30", 31),
        ("Wed, 21 Oct 2015 06:00:00 GMT", 0),
        ("Wed, 21 Oct 2099 07:28:00 GMT", 3600),
        ("Wed, 21 Oct 99999 07:28:00 GMT", None),
        ("Wed, 32 Oct 2015 07:28:00 GMT", None),
        ("Wed, 21 Oct 2015 07:28:00 +9999999", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_at_most_an_hour(value: str | None, expected: int | None) -> None:
    """C16"""
    found = parse_retry_after(value, NOW)
    assert found is None if expected is None else found in (expected, max(0, expected - 1))


@given(st.integers(0, 10**12))
def test_whole_seconds_are_taken_at_their_word_up_to_an_hour(seconds: int) -> None:
    """C16"""
    assert parse_retry_after(str(seconds), NOW) == min(seconds, MAX_RETRY_AFTER)


@given(
    st.text(max_size=60)
    | st.text(st.sampled_from("0123456789:,-+ GMTWedOct"), max_size=40)
    | st.builds("{}, {} {} {} {}:{}:{} {}".format, *[st.text(st.sampled_from("0123456789-+:OctGMT "), max_size=6)] * 8),
    st.integers(0, 4 * 10**15),
)
def test_no_header_of_an_endpoint_does_worse_than_being_ignored(value: str, now: int) -> None:
    found = parse_retry_after(value, now)
    assert found is None or 0 <= found <= MAX_RETRY_AFTER


def test_a_date_without_a_zone_is_utc_wherever_the_gateway_runs() -> None:
    """The obsolete asctime form of RFC 9110 names no zone; it means GMT."""
    script = (
        "from signalpost.domain.delivery.retry import parse_retry_after as p;"
        f" print(p('Wed Oct 21 07:28:30 2015', {NOW}))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "TZ": "America/New_York"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(ran.stdout) in (30, 31)
