"""C15, C16: what an attempt's outcome makes of its delivery, and which states follow one another."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalpost.domain.delivery import delivery as table
from signalpost.domain.delivery import retry
from signalpost.domain.delivery.delivery import TRANSITIONS, Delivery, DeliveryInput, State, Verdict, decide
from signalpost.domain.delivery.exception_row import Row
from signalpost.domain.delivery.lane import Lane
from signalpost.domain.delivery.outcome import UNCOUNTED, Failure, Outcome
from signalpost.domain.timestamps import SECOND

NOW = 1_700_000_000 * SECOND
FAILURES = [failure for failure in Failure if failure not in UNCOUNTED | {Failure.REJECTED}]
JITTERS = st.floats(0, 1, exclude_max=True)
DELAYS = st.lists(st.integers(1, 86_400), max_size=10).map(tuple)


def after(delivery: Delivery, failure: Failure | None, delays: tuple[int, ...] = retry.DELAYS, jitter: float = 0.0,
          retry_after: int | None = None) -> Verdict:  # fmt: skip
    return decide(delivery, Outcome(failure=failure), delays, NOW, jitter, retry_after)


def fresh() -> Delivery:
    return Delivery(1, "d", State.IN_FLIGHT)


def awaiting(failed_attempts: int, max_attempts: int = 4, *, run: int = 0, resume_at: int | None = None) -> Delivery:
    return Delivery(1, "d", State.IN_FLIGHT, failed_attempts, max_attempts, run, resume_at=resume_at)


@pytest.mark.parametrize(
    "delivery", [fresh(), awaiting(1), awaiting(3), awaiting(0, 1, run=2), awaiting(1, resume_at=NOW)]
)
def test_a_success_settles(delivery: Delivery) -> None:
    assert after(delivery, None) == Verdict(DeliveryInput.DELIVERED, counted=True)


@pytest.mark.parametrize("failure", FAILURES)
def test_an_event_that_cannot_be_sent_has_four_attempts_with_10_60_and_300_seconds_between(failure: Failure) -> None:
    """C16"""
    verdicts = [after(fresh(), failure), *(after(awaiting(failed_attempts), failure) for failed_attempts in (1, 2, 3))]
    assert verdicts == [
        Verdict(DeliveryInput.FAIL, counted=True, due=NOW + 10 * SECOND),
        Verdict(DeliveryInput.FAIL, counted=True, due=NOW + 60 * SECOND),
        Verdict(DeliveryInput.FAIL, counted=True, due=NOW + 300 * SECOND),
        Verdict(DeliveryInput.GIVE_UP, counted=True),
    ]


@given(DELAYS, st.sampled_from(FAILURES), JITTERS)
def test_a_subscriptions_own_schedule_gives_one_attempt_more_than_it_has_delays(
    delays: tuple[int, ...], failure: Failure, jitter: float
) -> None:
    """C16, through a lane: every attempt fails until it is given up."""
    lane = Lane(0, strict=False)
    lane.take(1, "d")
    now, waited = NOW, []
    for attempt in range(1, 20):
        lane.make_due_ready(now)
        delivery = lane.next_delivery()
        assert delivery is not None
        assert delivery.failed_attempts + 1 == attempt
        verdict = decide(delivery, Outcome(failure=failure), delays, now, jitter, None)
        lane.settle(delivery, verdict, len(delays) + 1)
        if verdict.input is DeliveryInput.GIVE_UP:
            break
        waited.append(verdict.due - now)
        lane.make_due_ready(verdict.due - 1)
        assert lane.next_delivery() is None
        now = verdict.due
    assert len(waited) == len(delays)
    for seconds, wait in zip(delays, waited, strict=True):
        assert seconds * SECOND <= wait <= seconds * SECOND * 12 // 10
    row = lane.changes().rows[1]
    assert row is not None
    assert (row.state, row.failed_attempts, row.max_attempts) == (State.FAILED, len(delays) + 1, len(delays) + 1)


@given(st.integers(0, 2), JITTERS, st.integers(0, 3600))
def test_retry_after_lengthens_the_next_delay_and_the_attempt_counts(
    failed_attempts: int, jitter: float, asked: int
) -> None:
    """C16"""
    delivery = awaiting(failed_attempts) if failed_attempts else fresh()
    verdict = after(delivery, Failure.STATUS, jitter=jitter, retry_after=asked)
    assert verdict.input is DeliveryInput.FAIL
    assert verdict.counted
    assert verdict.due >= NOW + max(asked, retry.DELAYS[failed_attempts]) * SECOND


def test_retry_after_does_not_make_an_event_live_longer() -> None:
    """C16"""
    assert after(awaiting(3), Failure.STATUS, retry_after=3600).input is DeliveryInput.GIVE_UP


@pytest.mark.parametrize(
    ("delivery", "expected"),
    [
        (fresh(), DeliveryInput.INTERRUPTED),
        (awaiting(1), DeliveryInput.RETRY_INTERRUPTED),
        (awaiting(3), DeliveryInput.RETRY_INTERRUPTED),
        (awaiting(0, 1, run=1), DeliveryInput.RETRY_INTERRUPTED),
    ],
)
def test_an_attempt_cut_short_does_not_count(delivery: Delivery, expected: DeliveryInput) -> None:
    """C16"""
    assert after(delivery, Failure.INTERRUPTED) == Verdict(expected)


@pytest.mark.parametrize(
    ("delivery", "expected"), [(fresh(), DeliveryInput.INTERRUPTED), (awaiting(3), DeliveryInput.RETRY_INTERRUPTED)]
)
def test_a_delivery_whose_token_died_is_as_it_was_before(delivery: Delivery, expected: DeliveryInput) -> None:
    assert after(delivery, Failure.UNAUTHORISED) == Verdict(expected)


@pytest.mark.parametrize("delivery", [fresh(), awaiting(3), awaiting(0, 1, run=1), awaiting(1, resume_at=NOW)])
def test_a_delivery_for_which_there_is_nothing_to_send_is_settled(delivery: Delivery) -> None:
    assert after(delivery, Failure.SKIPPED) == Verdict(DeliveryInput.SKIP, counted=False)


@pytest.mark.parametrize("delivery", [fresh(), awaiting(1), awaiting(0, 4, run=1), awaiting(1, resume_at=NOW + 7)])
def test_an_event_that_a_vendor_refuses_is_given_up_at_once(delivery: Delivery) -> None:
    assert after(delivery, Failure.REJECTED) == Verdict(DeliveryInput.GIVE_UP, counted=True)


@given(st.integers(0, 3), st.integers(0, 86_400), JITTERS)
def test_a_throttled_delivery_waits_exactly_as_long_as_it_was_told_and_nothing_counts(
    failed_attempts: int, seconds: int, jitter: float
) -> None:
    delivery = awaiting(failed_attempts) if failed_attempts else fresh()
    outcome = Outcome(failure=Failure.THROTTLED, wait=seconds)
    verdict = decide(delivery, outcome, retry.DELAYS, NOW, jitter, None)
    assert verdict == Verdict(DeliveryInput.WAIT, counted=False, due=NOW + seconds * SECOND)


@pytest.mark.parametrize(
    ("delays", "seconds"), [((), [10, 60, 300]), ((5,), [5, 5, 5]), ((5, 7), [5, 7, 7]), ((1, 2, 3, 4), [1, 2, 3])]
)
def test_a_replay_is_retried_by_the_schedule_or_by_the_usual_one_if_there_are_no_delays(
    delays: tuple[int, ...], seconds: list[int]
) -> None:
    found = [after(awaiting(failed, run=1), Failure.STATUS, delays).due for failed in range(3)]
    assert found == [NOW + each * SECOND for each in seconds]


def test_a_throttled_extra_attempt_by_hand_leaves_a_later_schedule_as_it_was() -> None:
    outcome = Outcome(failure=Failure.THROTTLED, wait=60)
    later = awaiting(2, resume_at=NOW + 300 * SECOND)
    assert decide(later, outcome, retry.DELAYS, NOW, 0.0, None).due == NOW + 300 * SECOND
    assert decide(awaiting(2, resume_at=NOW), outcome, retry.DELAYS, NOW, 0.0, None).due == NOW + 60 * SECOND


def test_a_delivery_that_waited_still_has_all_of_its_attempts() -> None:
    lane = Lane(0, strict=False)
    lane.take(1, "d")
    first = lane.next_delivery()
    assert first is not None
    lane.settle(first, Verdict(DeliveryInput.WAIT, due=1000), 4)
    lane.make_due_ready(999)
    assert lane.next_delivery() is None
    lane.make_due_ready(1000)
    again = lane.next_delivery()
    assert again is not None
    assert (again.failed_attempts, again.max_attempts, again.run) == (0, 4, 0)
    assert after(again, Failure.STATUS) == Verdict(DeliveryInput.FAIL, counted=True, due=NOW + 10 * SECOND)


def test_an_extra_attempt_by_hand_that_fails_leaves_the_schedule_as_it_was() -> None:
    verdict = after(awaiting(2, resume_at=NOW + 7), Failure.TIMEOUT)
    assert verdict == Verdict(DeliveryInput.FAIL, counted=False, due=NOW + 7)


def test_an_extra_attempt_that_outlasts_the_schedule_is_followed_at_once() -> None:
    assert after(awaiting(2, resume_at=NOW - 7), Failure.TIMEOUT) == Verdict(DeliveryInput.FAIL, counted=False, due=NOW)


def test_a_new_run_has_its_own_budget() -> None:
    assert after(awaiting(0, 1, run=1), Failure.STATUS).input is DeliveryInput.GIVE_UP
    assert after(awaiting(0, 4, run=1), Failure.STATUS) == Verdict(
        DeliveryInput.FAIL, counted=True, due=NOW + 10 * SECOND
    )


@pytest.mark.parametrize(("delays", "seconds"), [((), 300), ((7,), 7), ((5, 6), 6)])
def test_a_run_that_outlasts_a_schedule_that_was_shortened_repeats_its_last_delay(
    delays: tuple[int, ...], seconds: int
) -> None:
    assert after(awaiting(2), Failure.STATUS, delays).due == NOW + seconds * SECOND


def test_without_delays_there_is_one_attempt() -> None:
    assert after(fresh(), Failure.STATUS, ()).input is DeliveryInput.GIVE_UP


@given(
    st.integers(0, 10), st.integers(0, 10), DELAYS, st.sampled_from(Failure), JITTERS, st.none() | st.integers(0, 3600)
)
def test_every_verdict_may_follow_a_flight(
    failed_attempts: int, max_attempts: int, delays: tuple[int, ...], failure: Failure, jitter: float, asked: int | None
) -> None:
    verdict = after(awaiting(failed_attempts, max_attempts), failure, delays, jitter, asked)
    assert verdict.input in TRANSITIONS[State.IN_FLIGHT]
    assert (verdict.due >= NOW) == (verdict.input in (DeliveryInput.FAIL, DeliveryInput.WAIT))


# --- The table --------------------------------------------------------------------------------------------------------

EXPECTED = {
    (State.UNREAD, DeliveryInput.SKIP): State.SETTLED,
    (State.UNREAD, DeliveryInput.TAKE): State.OPEN,
    (State.UNREAD, DeliveryInput.BLOCK): State.BLOCKED,
    (State.BLOCKED, DeliveryInput.PROMOTE): State.OPEN,
    (State.BLOCKED, DeliveryInput.GIVE_UP): State.FAILED,
    (State.OPEN, DeliveryInput.SEND): State.IN_FLIGHT,
    (State.OPEN, DeliveryInput.RETRY_NOW): State.RETRY_READY,
    (State.OPEN, DeliveryInput.GIVE_UP): State.FAILED,
    (State.AWAITING_RETRY, DeliveryInput.COME_DUE): State.RETRY_READY,
    (State.AWAITING_RETRY, DeliveryInput.RETRY_NOW): State.AWAITING_RETRY,
    (State.AWAITING_RETRY, DeliveryInput.GIVE_UP): State.FAILED,
    (State.RETRY_READY, DeliveryInput.SEND): State.IN_FLIGHT,
    (State.RETRY_READY, DeliveryInput.RETRY_NOW): State.RETRY_READY,
    (State.RETRY_READY, DeliveryInput.GIVE_UP): State.FAILED,
    (State.IN_FLIGHT, DeliveryInput.DELIVERED): State.SETTLED,
    (State.IN_FLIGHT, DeliveryInput.SKIP): State.SETTLED,
    (State.IN_FLIGHT, DeliveryInput.FAIL): State.AWAITING_RETRY,
    (State.IN_FLIGHT, DeliveryInput.WAIT): State.AWAITING_RETRY,
    (State.IN_FLIGHT, DeliveryInput.GIVE_UP): State.FAILED,
    (State.IN_FLIGHT, DeliveryInput.INTERRUPTED): State.OPEN,
    (State.IN_FLIGHT, DeliveryInput.RETRY_INTERRUPTED): State.RETRY_READY,
    (State.FAILED, DeliveryInput.NEW_RUN): State.AWAITING_RETRY,
    (State.SETTLED, DeliveryInput.NEW_RUN): State.AWAITING_RETRY,
}


class Walk:
    """A lane with one event of one document, brought into each state by what a lane's owner may do."""

    def __init__(self) -> None:
        self.lane = Lane(0, strict=True)
        self.now = 0
        self.rows: dict[int, Row] = {}
        self.sequence = 1
        self.flying: Delivery | None = None

    def reach(self, state: State) -> None:
        if state is State.BLOCKED:
            self.lane.take(1, "d")
            self.sequence = 2
            first = self.lane.next_delivery()
            assert first is not None
            self.lane.settle(first, Verdict(DeliveryInput.FAIL, counted=True, due=1000), 4)
            self.lane.take(2, "d")
        elif state is not State.UNREAD:
            self.lane.take(1, "d")
        if state in (State.IN_FLIGHT, State.AWAITING_RETRY, State.RETRY_READY, State.FAILED, State.SETTLED):
            self.fly()
        if state in (State.AWAITING_RETRY, State.RETRY_READY):
            self.settle(Verdict(DeliveryInput.FAIL, counted=True, due=1000))
        if state is State.RETRY_READY:
            self.lane.make_due_ready(1000)
        if state is State.FAILED:
            self.settle(Verdict(DeliveryInput.GIVE_UP, counted=True))
        if state is State.SETTLED:
            self.settle(Verdict(DeliveryInput.DELIVERED, counted=True))

    def fly(self) -> None:
        self.flying = self.lane.next_delivery()
        assert self.flying is not None

    def settle(self, verdict: Verdict) -> None:
        assert self.flying is not None
        flying, self.flying = self.flying, None
        self.lane.settle(flying, verdict, 4)

    def state(self) -> State:
        for sequence, row in self.lane.changes().rows.items():
            self.rows.pop(sequence, None)
            if row is not None:
                self.rows[sequence] = row
        lane, sequence = self.lane, self.sequence
        if self.flying is not None:
            return self.flying.state
        if sequence > lane.head:
            return State.UNREAD
        if sequence in lane.open:
            return lane.open[sequence].state
        if sequence in lane.retry_queue:
            return lane.retry_queue[sequence].state
        return self.rows[sequence].state if sequence in self.rows else State.SETTLED

    def put(self, given_input: DeliveryInput) -> None:
        self.state()
        lane = self.lane
        match given_input:
            case DeliveryInput.SKIP if self.flying is None:
                lane.skip(1)
            case DeliveryInput.TAKE:
                lane.take(1, "d")
            case DeliveryInput.BLOCK:
                # Another one of its document waits for a retry in strict order.
                lane.restore([], [Row(0, "d", State.AWAITING_RETRY, 1000, 1, 4, 0, None)], None)
                lane.take(1, "d")
            case DeliveryInput.PROMOTE:
                lane.make_due_ready(1000)
                first = lane.next_delivery()
                assert first is not None
                lane.settle(first, Verdict(DeliveryInput.DELIVERED, counted=True), 4)
            case DeliveryInput.SEND:
                self.fly()
            case DeliveryInput.COME_DUE:
                lane.make_due_ready(1000)
            case DeliveryInput.RETRY_NOW | DeliveryInput.NEW_RUN:
                lane.retry_by_hand(self.sequence, "d", self.rows.get(self.sequence), 4, 500)
            case DeliveryInput.GIVE_UP if self.flying is None:
                lane.abandon(self.sequence)
            case _:
                self.settle(Verdict(given_input, counted=given_input is DeliveryInput.FAIL, due=1000))


def test_the_table_is_this_one() -> None:
    flat = {(state, taken): then for state, row in TRANSITIONS.items() for taken, then in row.items()}
    assert flat == EXPECTED
    assert set(TRANSITIONS) == set(State)
    assert {taken for row in TRANSITIONS.values() for taken in row} == set(DeliveryInput)


@pytest.mark.parametrize(("state", "given_input"), EXPECTED, ids=lambda value: value.name)
def test_every_entry_of_the_table_can_happen_to_a_lane(state: State, given_input: DeliveryInput) -> None:
    walk = Walk()
    walk.reach(state)
    assert walk.state() is state
    walk.put(given_input)
    assert walk.state() is EXPECTED[state, given_input]


def test_an_input_that_the_table_does_not_list_is_refused() -> None:
    for state in State:
        for given_input in DeliveryInput:
            if (state, given_input) not in EXPECTED:
                with pytest.raises(KeyError):
                    Delivery(1, "d", state).advance(given_input)


def test_a_state_is_set_in_one_place_in_memory_and_in_one_for_rows() -> None:
    """Both of them look it up in the table."""
    set_in = [
        file.name
        for file in sorted(Path(table.__file__).parent.glob("*.py"))
        for line in file.read_text().splitlines()
        if re.search(r"\.state = |\b_replace\(.*\bstate=", line)
    ]
    assert set_in == ["delivery.py", "exception_row.py"]


@pytest.mark.parametrize(
    ("state", "taken_care_of"), [(State.UNREAD, True), (State.BLOCKED, True), (State.IN_FLIGHT, False)]
)
def test_a_retry_of_what_cannot_be_sent_now_changes_nothing(state: State, taken_care_of: bool) -> None:
    """What is in flight is to be asked again once that ended; the others are sent in their turn."""
    walk = Walk()
    walk.reach(state)
    walk.state()
    assert walk.lane.retry_by_hand(walk.sequence, "d", walk.rows.get(walk.sequence), 4, 500) == taken_care_of
    assert walk.state() is state
    assert walk.lane.changes().rows == {}
