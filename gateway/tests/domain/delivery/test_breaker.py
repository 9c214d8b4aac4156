"""When an endpoint's breaker opens, probes and closes."""

from hypothesis import given
from hypothesis import strategies as st

from signalpost.domain.delivery import breaker
from signalpost.domain.delivery.breaker import CLOSED, FAILING_FOR, FAILURES, PROBE_FIRST, PROBE_LAST, Breaker
from signalpost.domain.timestamps import SECOND

NOW = 1_700_000_000 * SECOND
JITTERS = st.floats(0, 1, exclude_max=True)


def failing(times: list[int], jitter: float = 0.0) -> Breaker:
    state = CLOSED
    for at in times:
        state = breaker.after_failure(state, at, jitter)
    return state


def opened() -> Breaker:
    return failing([NOW + n * FAILING_FOR // (FAILURES - 1) for n in range(FAILURES)])


@given(st.lists(st.integers(0, 10 * SECOND), max_size=40))
def test_it_opens_after_20_failures_in_a_row_over_at_least_60_seconds(gaps: list[int]) -> None:
    state, now, times = CLOSED, NOW, []
    for gap in gaps:
        now += gap
        times.append(now)
        state = breaker.after_failure(state, now, 0.0)
        assert state.failures == len(times)
        assert state.failing_since == times[0]
        if state.is_open:
            assert len(times) >= 20
            assert now - times[0] >= 60 * SECOND
            return
        assert len(times) < 20 or now - times[0] < 60 * SECOND


@given(st.lists(st.sampled_from([True, False]), max_size=60), JITTERS)
def test_any_success_closes_it(outcomes: list[bool], jitter: float) -> None:
    state, now = CLOSED, NOW
    for succeeded in outcomes:
        now += 10 * SECOND
        state = breaker.after_success(state) if succeeded else breaker.after_failure(state, now, jitter)
        if succeeded:
            assert state == CLOSED
    assert breaker.after_success(opened()) == CLOSED


def test_probes_wait_10_seconds_first_and_twice_as_long_each_time_up_to_5_minutes() -> None:
    state, waits = opened(), []
    for _ in range(8):
        assert state.probe_at is not None
        waits.append(state.wait // SECOND)
        state = breaker.after_failed_probe(state, state.probe_at, 0.0)
    assert waits == [10, 20, 40, 80, 160, 300, 300, 300]


@given(st.integers(0, 20), JITTERS, st.integers(0, 100 * SECOND))
def test_a_probe_is_never_early_and_at_most_a_fifth_late(failed: int, jitter: float, late: int) -> None:
    state, now = opened(), NOW
    for _ in range(failed + 1):
        assert state.probe_at is not None
        now = state.probe_at + late
        state = breaker.after_failed_probe(state, now, jitter)
    assert state.probe_at is not None
    assert PROBE_FIRST <= state.wait <= PROBE_LAST
    assert now + state.wait <= state.probe_at <= now + state.wait * 12 // 10


@given(st.lists(st.integers(0, 10 * SECOND - 1), max_size=10), JITTERS)
def test_attempts_under_way_when_it_opened_do_not_postpone_the_probe(ends: list[int], jitter: float) -> None:
    state = opened()
    assert state.probe_at is not None
    before = state.probe_at
    for end in ends:
        state = breaker.after_failure(state, before - 1 - end, jitter)
    assert state.probe_at == before
    assert state.failures == FAILURES + len(ends)


@given(st.lists(st.integers(0, 400 * SECOND), max_size=60), JITTERS)
def test_only_a_success_closes_it(gaps: list[int], jitter: float) -> None:
    state, now = opened(), NOW + FAILING_FOR
    for number, gap in enumerate(gaps):
        now += gap
        follow = breaker.after_failed_probe if number % 2 else breaker.after_failure
        state = follow(state, now, jitter)
        assert state.is_open


@given(st.integers(-400 * SECOND, 400 * SECOND))
def test_a_probe_that_a_person_asks_for_takes_the_place_of_the_next_c16(later: int) -> None:
    state = opened()
    assert state.probe_at is not None
    now = state.probe_at + later
    asked = breaker.probing_now(state, now)
    assert (asked.probe_at, asked.wait, asked.failures) == (now, state.wait, state.failures)
    failed = breaker.after_failed_probe(asked, now + SECOND, 0.0)
    assert failed.probe_at == now + SECOND + 2 * state.wait
    assert breaker.probing_now(CLOSED, now) == CLOSED


@given(JITTERS, JITTERS, st.integers(-600, 600))
def test_what_was_asked_for_after_the_last_probe_failed_is_the_next_probe_c16(
    jitter: float, jitter_of_next: float, asked_after: int
) -> None:
    failed_at = NOW + FAILING_FOR + 3600 * SECOND
    state = breaker.after_failed_probe(
        failing([NOW] * (FAILURES - 1) + [NOW + FAILING_FOR], jitter), failed_at, jitter_of_next
    )
    asked = breaker.asked_anew(state, failed_at + asked_after * SECOND)
    assert state.probe_at is not None
    if asked_after > 0:
        assert asked.probe_at == min(state.probe_at, failed_at + asked_after * SECOND)
    if asked_after * SECOND < -state.wait * breaker.MAX_JITTER:
        assert asked == state
    assert (asked.wait, asked.failures, asked.failing_since) == (state.wait, state.failures, state.failing_since)
    assert breaker.asked_anew(CLOSED, NOW) == CLOSED


# --- Given up ---------------------------------------------------------------------------------------------------------

AFTER = 5 * 24 * 3600 * SECOND


@given(st.integers(0, 2 * AFTER), st.none() | st.integers(0, 2 * AFTER))
def test_it_is_given_up_once_it_failed_for_so_long_since_its_first_failure_or_its_revival(
    elapsed: int, revived_after: int | None
) -> None:
    state = opened()
    assert state.failing_since is not None
    revived_at = 0 if revived_after is None else state.failing_since + revived_after
    now = state.failing_since + elapsed
    given_up = breaker.is_given_up(state, revived_at, now, AFTER)
    assert given_up == (elapsed - (revived_after or 0) >= AFTER)


@given(st.integers(0, 10 * AFTER))
def test_it_is_never_given_up_while_its_breaker_is_closed_or_where_that_is_switched_off(elapsed: int) -> None:
    assert not breaker.is_given_up(failing([NOW] * 4), 0, NOW + elapsed, AFTER)
    assert not breaker.is_given_up(CLOSED, 0, NOW + elapsed, AFTER)
    assert not breaker.is_given_up(opened(), 0, NOW + elapsed, 0)
