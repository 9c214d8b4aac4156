"""A subscription's rate limit."""

from hypothesis import given
from hypothesis import strategies as st

from signalpost.domain import pace
from signalpost.domain.timestamps import SECOND

START = 1_700_000_000 * SECOND
RATES = st.integers(1, 100_000)


def eager(rate: int, sends: int, start: int = START) -> list[int]:
    """When sends go that always go as early as they may."""
    theoretical, now, times = 0, start, []
    for _ in range(sends):
        now = max(now, pace.earliest(theoretical, rate))
        theoretical = pace.after_send(theoretical, rate, now)
        times.append(now)
    return times


@given(st.integers(1, 1000), st.lists(st.integers(0, 3 * SECOND), max_size=50))
def test_no_span_has_more_than_its_share_and_one_seconds_burst(rate: int, idle: list[int]) -> None:
    """Of any span of T seconds: at most rate × (T + 1)."""
    theoretical, now, times = 0, START, []
    for gap in idle:
        now += gap
        for _ in range(20):
            now = max(now, pace.earliest(theoretical, rate))
            theoretical = pace.after_send(theoretical, rate, now)
            times.append(now)
    for first in range(0, len(times), 7):
        for last in range(first, len(times), 5):
            assert (last - first + 1) * SECOND <= rate * (times[last] - times[first] + SECOND) + SECOND


@given(RATES)
def test_a_long_run_never_exceeds_the_rate(rate: int) -> None:
    theoretical = START
    for sends in range(1, 100):
        theoretical = pace.after_send(theoretical, rate, START)
        assert (theoretical - START) * rate >= sends * SECOND


@given(st.integers(1, 1000))
def test_a_second_without_sends_earns_one_seconds_worth_at_once_and_not_more(rate: int) -> None:
    times = eager(rate, rate + 1)
    assert times[rate - 1] == times[0]
    assert times[rate] > times[0]


@given(st.integers(1, 1000))
def test_nobody_waits_longer_than_the_rate_demands(rate: int) -> None:
    times = eager(rate, 3 * rate)
    assert times[-1] - times[0] <= 2 * SECOND + 3 * rate


@given(RATES, st.integers(0, 10**9), st.integers(0, 10**9))
def test_time_that_passes_never_takes_back_a_permission(rate: int, theoretical: int, now: int) -> None:
    later = pace.after_send(theoretical, rate, now)
    assert later > theoretical
    assert pace.earliest(later, rate) > pace.earliest(theoretical, rate)
