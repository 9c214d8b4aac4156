"""How many attempts an endpoint may have under way."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalpost.domain.delivery import concurrency
from signalpost.domain.delivery.concurrency import FAST, FIRST, Concurrency
from signalpost.domain.delivery.outcome import Failure, Outcome
from signalpost.domain.timestamps import SECOND

MOST = 128
NOW = 1_700_000_000 * SECOND
STALLS = (Failure.TIMEOUT, Failure.CONNECT, Failure.PROXY, Failure.RESET, Failure.DNS)
LIMITS = st.integers(1, MOST)
OUTCOMES = st.builds(Outcome, failure=st.none() | st.sampled_from(Failure), elapsed_us=st.integers(0, 6 * SECOND))
GAPS = st.integers(0, 3 * SECOND)


def at(limit: int) -> Concurrency:
    """An endpoint that never had to begin low."""
    return Concurrency(limit, typical=10_000)


def follow(state: Concurrency, outcomes: Sequence[Outcome], now: int = NOW) -> Concurrency:
    for outcome in outcomes:
        state = concurrency.after(state, outcome, now, MOST)
    return state


@given(st.lists(st.tuples(GAPS, OUTCOMES), max_size=300), st.integers(1, MOST))
def test_the_limit_stays_within_its_bounds(steps: list[tuple[int, Outcome]], most: int) -> None:
    state, now = Concurrency(limit=1), NOW
    for gap, outcome in steps:
        now += gap
        state = concurrency.after(state, outcome, now, most)
        assert 1 <= state.limit <= most


@given(LIMITS, st.integers(0, FAST - 1), st.sampled_from([None, Failure.STATUS, Failure.REDIRECT]))
def test_a_fast_answer_allows_one_more(limit: int, elapsed: int, failure: Failure | None) -> None:
    outcome = Outcome(failure=failure, elapsed_us=elapsed)
    assert follow(at(limit), [outcome]).limit == min(limit + 1, MOST)


@given(LIMITS, st.integers(FAST, 6 * SECOND), st.sampled_from([None, Failure.STATUS]))
def test_a_slow_answer_allows_no_more(limit: int, elapsed: int, failure: Failure | None) -> None:
    assert follow(at(limit), [Outcome(failure=failure, elapsed_us=elapsed)]).limit == limit


@given(LIMITS, st.integers(0, 6 * SECOND))
@pytest.mark.parametrize("failure", STALLS)
def test_where_none_came_half_as_many_may_go(failure: Failure, limit: int, elapsed: int) -> None:
    assert follow(at(limit), [Outcome(failure=failure, elapsed_us=elapsed)]).limit == max(1, limit // 2)


@given(LIMITS)
def test_what_a_stop_cut_short_says_nothing(limit: int) -> None:
    assert follow(at(limit), [Outcome(failure=Failure.INTERRUPTED, elapsed_us=5 * SECOND)]) == at(limit)


def test_a_few_may_go_at_first() -> None:
    assert 1 <= FIRST.limit <= 4


@given(st.sampled_from(["breaker", *STALLS]), st.lists(st.tuples(GAPS, OUTCOMES), max_size=200))
def test_once_it_was_down_to_one_it_at_most_doubles_every_2_s(why: str, steps: list[tuple[int, Outcome]]) -> None:
    if why == "breaker":
        state = concurrency.beginning_low(at(MOST), NOW)
    else:
        state = follow(at(3), [Outcome(failure=Failure(why))])
    now = NOW
    for gap, outcome in steps:
        now += gap
        state = concurrency.after(state, outcome, now, MOST)
        assert state.limit <= 2 ** ((now - NOW) // (2 * SECOND))


def test_one_that_stalls_now_and_then_keeps_what_it_has() -> None:
    """One in a hundred lost connections is no reason to send one at a time."""
    answer, reset = Outcome(failure=None, elapsed_us=1_000), Outcome(failure=Failure.RESET, elapsed_us=1_000)
    assert follow(at(MOST), ([reset] + [answer] * 99) * 20).limit == MOST


def test_one_that_goes_on_well_after_it_began_low_has_all_again_in_14_s() -> None:
    state = concurrency.beginning_low(at(MOST), NOW)
    limits = {}
    for step in range(16_000):
        now = NOW + step * SECOND // 1_000
        state = concurrency.after(state, Outcome(failure=None, elapsed_us=1_000), now, MOST)
        limits[step] = state.limit
    assert limits[1_999] == 1
    assert limits[3_999] == 2
    assert limits[13_999] == 64
    assert limits[14_200] == MOST


# --- Slow ones --------------------------------------------------------------------------------------------------------


def test_it_is_taken_for_slow_until_its_first_fast_answer() -> None:
    assert FIRST.is_slow
    assert not follow(FIRST, [Outcome(failure=None, elapsed_us=FAST // 2)]).is_slow


@given(st.lists(st.integers(FAST, 6 * SECOND), min_size=1), st.none() | st.sampled_from([Failure.STATUS, *STALLS]))
def test_it_stays_slow_while_its_attempts_take_long_whatever_they_come_to(
    times: list[int], failure: Failure | None
) -> None:
    assert follow(FIRST, [Outcome(failure=failure, elapsed_us=elapsed) for elapsed in times]).is_slow


def test_one_slow_answer_among_fast_ones_makes_it_not_slow_but_several_do() -> None:
    hung = Outcome(failure=Failure.TIMEOUT, elapsed_us=5 * SECOND)
    assert not follow(at(8), [hung]).is_slow
    assert follow(at(8), [hung, hung]).is_slow
    quick = Outcome(failure=None, elapsed_us=1_000)
    assert follow(at(8), [quick, hung] * 20).is_slow


def test_what_fails_at_once_is_not_slow() -> None:
    """An attempt that fails at once holds no slot for long."""
    assert not follow(FIRST, [Outcome(failure=Failure.CONNECT, elapsed_us=500)] * 3).is_slow
