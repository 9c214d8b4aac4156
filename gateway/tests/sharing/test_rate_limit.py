"""How many requests a rate limit lets through, and when."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from signalpost.domain.timestamps import SECOND
from signalpost.sharing.rate_limit import RateLimit

START = 1_700_000_000 * SECOND
RATES = st.integers(1, 300)
GAPS = st.lists(st.integers(0, SECOND) | st.integers(0, 3_000), min_size=1, max_size=300)


def started(pace: RateLimit, rate: int, gaps: list[int], now: int = START) -> list[int]:
    """When attempts start that are wanted one after the other, each so long after the one before it started."""
    times = []
    for gap in gaps:
        now = max(now + gap, pace.earliest(rate, now + gap))
        pace.start(now)
        times.append(now)
    return times


@given(RATES, GAPS)
def test_no_second_wherever_it_begins_has_more_starts_than_the_rate(rate: int, gaps: list[int]) -> None:
    times = started(RateLimit(), rate, gaps)
    assert all(later - earlier >= SECOND for earlier, later in zip(times, times[rate:], strict=False))


@given(RATES, GAPS)
def test_one_waits_only_while_the_second_before_it_is_full(rate: int, gaps: list[int]) -> None:
    times = started(RateLimit(), rate, gaps)
    for number, ((before, at), gap) in enumerate(zip(pairwise([START, *times]), gaps, strict=True)):
        assert at == before + gap or (number >= rate and at == times[number - rate] + SECOND)


@given(RATES, st.integers(1, 4))
def test_who_always_has_more_to_send_gets_the_rate_exactly(rate: int, seconds: int) -> None:
    times = started(RateLimit(), rate, [0] * (rate * seconds + 1))
    assert times[-1] - times[0] == seconds * SECOND


@given(RATES, RATES, GAPS, GAPS)
def test_a_rate_that_is_changed_counts_what_started_before(
    first: int, second: int, before: list[int], after: list[int]
) -> None:
    pace = RateLimit()
    times = started(pace, first, before)
    times += started(pace, second, after, times[-1])
    for number in range(max(len(before), second), len(times)):
        assert times[number] - times[number - second] >= SECOND


@given(RATES, st.lists(st.tuples(st.integers(0, SECOND), st.booleans()), min_size=1, max_size=300))
def test_what_was_let_go_and_starts_later_counts_when_it_starts(rate: int, turns: list[tuple[int, bool]]) -> None:
    """One is let go at each turn that allows it; all those that have not started do so where a turn says it."""
    pace, now, times = RateLimit(), START, list[int]()
    for gap, start in turns:
        now += gap
        if pace.earliest(rate, now) <= now:
            pace.promised += 1
        if start:
            for _ in range(pace.promised):
                pace.promised -= 1
                pace.start(now)
                times.append(now)
    assert all(later - earlier >= SECOND for earlier, later in zip(times, times[rate:], strict=False))


@given(RATES, st.integers(0, 10))
def test_where_all_were_let_go_and_none_has_started_none_can_within_a_second(rate: int, more: int) -> None:
    pace = RateLimit()
    pace.promised = rate + more
    assert pace.earliest(rate, START) == START + SECOND
