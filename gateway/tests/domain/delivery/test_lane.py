"""A lane's behaviour, one scenario at a time. `test_lane_model.py` drives it through everything at once."""

import gc

import pytest

from signalpost.domain.delivery.delivery import AT_ONCE, Delivery, DeliveryInput, State, Verdict
from signalpost.domain.delivery.exception_row import Row
from signalpost.domain.delivery.lane import Lane
from signalpost.domain.delivery.lane_bounds import Bounds
from signalpost.domain.delivery.replay import ReplayTally

DELIVERED = Verdict(DeliveryInput.DELIVERED, counted=True)
GIVEN_UP = Verdict(DeliveryInput.GIVE_UP, counted=True)


def failed(due: int) -> Verdict:
    return Verdict(DeliveryInput.FAIL, counted=True, due=due)


def lane(*documents: str, strict: bool = False, bounds: Bounds | None = None) -> Lane:
    """A lane that took in events 1, 2, 3 … of these documents."""
    made = Lane(0, strict=strict, bounds=bounds or Bounds())
    for sequence, document in enumerate(documents, 1):
        made.take(sequence, document)
    return made


def send(given: Lane) -> Delivery:
    delivery = given.next_delivery()
    assert delivery is not None
    return delivery


def sent(given: Lane) -> list[int]:
    """All that may go now."""
    numbers = []
    while (delivery := given.next_delivery()) is not None:
        numbers.append(delivery.sequence)
    return numbers


def awaiting(
    sequence: int, document: str, due: int, *, failed_attempts: int = 1, run: int = 0, resume_at: int | None = None
) -> Row:
    return Row(sequence, document, State.AWAITING_RETRY, due, failed_attempts, 4, run, resume_at)


def test_the_oldest_that_is_due_is_one_that_waits_for_its_turn_as_well() -> None:
    assert lane("a").retry_queue.oldest_due(30) is None
    given = Lane(3, strict=False)
    given.restore([], [awaiting(1, "a", due=10), awaiting(2, "a", due=20), awaiting(3, "b", due=5)], 90)
    given.make_due_ready(30)
    assert (given.retry_queue.next_due, given.retry_queue.oldest_due(30)) == (90, 5)
    for flying in [send(given), send(given)]:
        assert given.retry_queue.oldest_due(30) == 20
        given.settle(flying, DELIVERED, 4)
    given.settle(send(given), DELIVERED, 4)
    assert given.retry_queue.oldest_due(30) == 90


# --- Order ------------------------------------------------------------------------------------------------------------


def test_at_most_one_event_of_a_document_is_under_way_and_the_lowest_goes_first() -> None:
    """C17"""
    given = lane("a", "b", "a", "a")
    first = send(given)
    assert first.sequence == 1
    assert sent(given) == [2]
    given.settle(first, DELIVERED, 4)
    assert sent(given) == [3]


def test_a_later_event_may_overtake_one_that_waits_for_its_retry() -> None:
    """C17, loose"""
    given = lane("a", "a")
    given.settle(send(given), failed(100), 4)
    assert sent(given) == [2]


def test_in_strict_order_it_may_not_until_the_earlier_one_is_delivered() -> None:
    """C17, strict"""
    given = lane("a", "a", "b", strict=True)
    given.settle(send(given), failed(100), 4)
    assert sent(given) == [3]
    given.take(4, "a")
    given.make_due_ready(99)
    assert sent(given) == []
    given.make_due_ready(100)
    retried = send(given)
    assert retried.sequence == 1
    given.settle(retried, DELIVERED, 4)
    assert sent(given) == [2]


def test_in_strict_order_it_may_go_once_the_earlier_one_is_given_up() -> None:
    """C17, strict"""
    given = lane("a", "a", strict=True)
    given.settle(send(given), GIVEN_UP, 4)
    assert sent(given) == [2]


def test_of_two_that_are_ready_the_earlier_goes_first_also_if_it_is_a_retry() -> None:
    """C17"""
    given = lane("a")
    given.settle(send(given), failed(100), 4)
    given.take(2, "a")
    given.make_due_ready(100)
    assert sent(given) == [1]


def test_a_lane_that_becomes_strict_lets_no_retry_overtake_an_earlier_one() -> None:
    """C17: in loose order several of a document may have come to wait."""
    given = Lane(3, strict=True)
    given.restore([(3, "a")], [awaiting(1, "a", due=300), awaiting(2, "a", due=60)], None)
    given.make_due_ready(60)
    assert sent(given) == []
    given.make_due_ready(300)
    order = []
    while (delivery := given.next_delivery()) is not None:
        order.append(delivery.sequence)
        given.settle(delivery, DELIVERED, 4)
    assert order == [1, 2, 3]


def test_in_strict_order_a_retry_that_a_refill_brings_holds_back_what_was_ready() -> None:
    """C17, strict"""
    given = Lane(2, strict=True)
    given.restore([(2, "a")], [], 50)
    assert given.ready == 1
    given.refill([awaiting(1, "a", due=60)], None)
    assert given.ready == 0
    assert sent(given) == []
    given.make_due_ready(60)
    assert sent(given) == [1]


def test_replays_are_outside_strict_order() -> None:
    """C17: one that failed again holds nothing back."""
    given = lane("a", strict=True)
    given.settle(send(given), GIVEN_UP, 4)
    given.replay(1, "a", None, 4, 7)
    given.make_due_ready(10)
    given.settle(send(given), failed(1000), 4)
    given.take(2, "a")
    assert sent(given) == [2]


def test_a_replay_that_is_ready_lets_no_later_event_overtake_in_strict_order() -> None:
    """C17: the document may send, for its replay; what waits for an earlier one's retry may not, and the replay may."""
    given = Lane(4, strict=True)
    replayed = awaiting(3, "a", due=10, failed_attempts=0, run=1)
    given.restore([], [awaiting(1, "a", due=300), awaiting(2, "a", due=60), replayed], None)
    given.make_due_ready(60)
    replay = send(given)
    assert replay.sequence == 3
    given.settle(replay, DELIVERED, 4)
    assert sent(given) == []
    assert not given.sendable
    given.make_due_ready(300)
    assert sent(given) == [1]


def test_first_attempts_and_retries_take_turns() -> None:
    """Neither can starve the other."""
    given = lane(*"abcdefgh")
    for _ in range(4):
        given.settle(send(given), failed(1), 4)
    given.make_due_ready(1)
    kinds = ["late" if sequence <= 4 else "fresh" for sequence in sent(given)]
    assert kinds in (["late", "fresh"] * 4, ["fresh", "late"] * 4)


# --- Bounds -----------------------------------------------------------------------------------------------------------


def test_it_takes_nothing_more_in_while_too_many_are_open() -> None:
    given = lane(*"abc", bounds=Bounds(max_open=3))
    assert not given.has_room
    given.settle(send(given), DELIVERED, 4)
    assert given.has_room


def test_the_garbage_collector_has_one_list_to_look_at_for_each_that_is_open() -> None:
    gc.collect()
    before = len(gc.get_objects())
    given = lane(*map(str, range(400)))
    gc.collect()
    assert len(gc.get_objects()) - before < 450
    assert len(given.open) == 400


def test_what_follows_too_many_of_one_document_is_blocked_and_comes_one_by_one() -> None:
    given = lane(*"aaaa", bounds=Bounds(max_open_per_document=2))
    assert (sorted(given.open), given.blocked) == ([1, 2], 2)
    changes = given.changes()
    assert {sequence: row and row.state for sequence, row in changes.rows.items()} == {
        3: State.BLOCKED,
        4: State.BLOCKED,
    }
    given.settle(send(given), DELIVERED, 4)
    assert (sorted(given.open), given.blocked) == ([2, 3], 1)
    assert given.changes().rows == {3: None}


def test_one_busy_document_does_not_keep_others_from_being_read() -> None:
    given = lane(*"aaaaa", bounds=Bounds(max_open=4, max_open_per_document=2))
    assert given.has_room
    given.take(6, "b")
    assert sent(given) == [1, 6]


def test_it_takes_nothing_more_in_while_too_many_are_blocked() -> None:
    assert not lane(*"aaaa", bounds=Bounds(max_open_per_document=2, max_exceptions=2)).has_room


# --- Retries ----------------------------------------------------------------------------------------------------------


def test_a_retry_that_is_cut_short_stays_due_with_its_number() -> None:
    """C16"""
    given = lane("a")
    given.settle(send(given), failed(10), 4)
    given.make_due_ready(10)
    given.settle(send(given), Verdict(DeliveryInput.RETRY_INTERRUPTED), 4)
    again = send(given)
    assert (again.sequence, again.failed_attempts) == (1, 1)


def test_the_budget_is_the_one_of_the_first_failure() -> None:
    """C16: a schedule that is changed meanwhile changes the delays, not the number of attempts."""
    given = lane("a")
    given.settle(send(given), failed(10), 4)
    given.make_due_ready(10)
    given.settle(send(given), failed(20), 11)
    row = given.changes().rows[1]
    assert row is not None
    assert (row.failed_attempts, row.max_attempts) == (2, 4)


def test_a_retry_by_hand_goes_at_once_and_the_schedule_goes_on() -> None:
    given = lane("a")
    given.settle(send(given), failed(1000), 4)
    given.retry_by_hand(1, "a", None, 4, 50)
    given.retry_by_hand(1, "a", None, 4, 60)
    given.make_due_ready(60)
    extra = send(given)
    assert (extra.failed_attempts, extra.run, extra.resume_at) == (1, 0, 1000)
    given.settle(extra, Verdict(DeliveryInput.FAIL, due=1000), 4)
    assert given.retry_queue.next_due == 1000
    given.make_due_ready(1000)
    assert send(given).failed_attempts == 1


def test_a_retry_by_hand_of_one_that_is_due_is_an_extra_attempt() -> None:
    given = lane("a")
    given.settle(send(given), failed(100), 4)
    given.make_due_ready(100)
    assert given.retry_by_hand(1, "a", None, 4, 150)
    assert given.changes().rows[1] == awaiting(1, "a", AT_ONCE, resume_at=100)
    extra = send(given)
    assert extra.is_by_hand
    given.settle(extra, Verdict(DeliveryInput.FAIL, due=200), 4)
    assert given.changes().rows[1] == awaiting(1, "a", 200)


def test_a_retry_by_hand_of_one_that_was_never_sent_is_an_extra_attempt() -> None:
    given = lane("a")
    assert given.retry_by_hand(1, "a", None, 4, 150)
    changes = given.changes()
    assert (changes.open, changes.rows) == ((), {1: awaiting(1, "a", AT_ONCE, failed_attempts=0, resume_at=150)})
    extra = send(given)
    assert (extra.failed_attempts, extra.run) == (0, 0)
    given.settle(extra, DELIVERED, 4)
    assert given.changes().rows == {1: None}


def test_a_retry_by_hand_goes_before_everything_else_that_is_ready() -> None:
    given = lane(*"abcdef")
    given.settle(send(given), failed(1), 4)
    given.make_due_ready(1)
    given.retry_by_hand(5, "e", None, 4, 2)
    given.retry_by_hand(1, "a", None, 4, 2)
    assert sent(given)[:2] == [5, 1]
    assert not given.sends_by_hand


def test_an_earlier_event_of_its_document_goes_before_it_and_it_right_after() -> None:
    """C17"""
    given = lane(*"abab")
    given.retry_by_hand(3, "a", None, 4, 2)
    first = send(given)
    assert (first.sequence, given.sends_by_hand) == (1, False)
    given.settle(first, DELIVERED, 4)
    assert given.sends_by_hand
    assert sent(given) == [3, 2]


def test_a_retry_by_hand_that_was_cut_short_still_goes_first() -> None:
    given = lane(*"abc")
    given.retry_by_hand(2, "b", None, 4, 2)
    given.settle(send(given), Verdict(DeliveryInput.RETRY_INTERRUPTED), 4)
    assert given.sends_by_hand
    assert sent(given) == [2, 1, 3]


def test_a_retry_by_hand_goes_first_also_once_its_row_was_loaded() -> None:
    given = Lane(3, strict=False)
    by_hand = awaiting(2, "b", due=20, failed_attempts=2, resume_at=500)
    new_run = Row(3, "c", State.AWAITING_RETRY, 20, 0, 1, 1, None)
    given.restore([], [awaiting(1, "a", due=10), by_hand, new_run], None)
    given.make_due_ready(20)
    assert given.sends_by_hand
    assert sent(given) == [2, 3, 1]


def asked(what: str) -> Row:
    """The row of a delivery that a person asked to have sent now, while it waited or after it was given up."""
    given = lane("a")
    given.settle(send(given), GIVEN_UP if what in ("a new run", "a replay") else failed(10**9), 4)
    match what:
        case "a retry by hand" | "a new run":
            given.retry_by_hand(1, "a", None, 4, 10**6)
        case "a replay":
            given.replay(1, "a", None, 4, 7)
        case _:
            given.retry_early(1, None, 10**6, 7)
    row = given.changes().rows[1]
    assert row is not None
    return row


@pytest.mark.parametrize("what", ["a retry by hand", "a new run", "a replay", "a replay of what waits"])
def test_what_a_person_asked_for_is_due_at_once_where_the_clock_of_the_next_start_is_behind(what: str) -> None:
    given = Lane(1, strict=False)
    given.restore([], [asked(what)], None)
    assert given.retry_queue.oldest_due(5) == 5
    given.make_due_ready(5)
    assert sent(given) == [1]


def test_one_that_is_given_up_is_not_asked_for_any_more() -> None:
    given = lane(*"ab")
    given.retry_by_hand(1, "a", None, 4, 2)
    given.abandon(1)
    assert not given.sends_by_hand
    assert sent(given) == [2]


def test_a_settled_or_failed_one_starts_a_new_run() -> None:
    given = lane("a", "b")
    given.settle(send(given), DELIVERED, 4)
    given.settle(send(given), GIVEN_UP, 4)
    row = given.changes().rows[2]
    given.retry_by_hand(1, "a", None, 4, 5)
    given.retry_by_hand(2, "b", row, 4, 5)
    given.make_due_ready(5)
    found = {d.sequence: (d.run, d.failed_attempts, d.max_attempts) for d in (send(given), send(given))}
    assert found == {1: (1, 0, 1), 2: (1, 0, 1)}


def test_a_retry_by_hand_of_one_that_was_delivered_while_its_row_was_read() -> None:
    """The row still says that it awaits a retry; the lane knows better."""
    given = lane("a")
    given.settle(send(given), failed(10), 4)
    row = given.changes().rows[1]
    given.make_due_ready(10)
    flying = send(given)
    given.settle(flying, DELIVERED, 4)
    given.retry_by_hand(1, "a", row, 4, 20)
    given.make_due_ready(20)
    again = send(given)
    assert (again.sequence, again.run, again.failed_attempts) == (1, 1, 0)


def test_a_retry_by_hand_of_one_that_came_to_wait_beyond_the_horizon_while_its_row_was_read() -> None:
    given = Lane(1, strict=False)
    given.restore([(1, "a")], [], horizon=100)
    given.settle(send(given), failed(500), 4)
    given.retry_by_hand(1, "a", None, 4, 20)
    given.make_due_ready(20)
    extra = send(given)
    assert (extra.sequence, extra.failed_attempts, extra.resume_at) == (1, 1, 500)


def test_a_retry_by_hand_of_one_that_is_in_the_store_alone() -> None:
    given = Lane(5, strict=False)
    given.restore([], [awaiting(1, "a", due=10)], horizon=11)
    given.retry_by_hand(3, "c", awaiting(3, "c", due=500, failed_attempts=2), 4, 20)
    given.make_due_ready(20)
    assert sorted(sent(given)) == [1, 3]


# --- The horizon ------------------------------------------------------------------------------------------------------


def test_those_due_last_are_left_to_the_store_and_come_back_with_a_refill() -> None:
    given = lane(*"abcdefg", bounds=Bounds(retries_kept=2))
    due = {sequence: 100 * sequence for sequence in range(1, 8)}
    while (delivery := given.next_delivery()) is not None:
        given.settle(delivery, failed(due[delivery.sequence]), 4)
    rows = [row for row in given.changes().rows.values() if row is not None]
    assert {row.sequence for row in rows} == set(due)
    assert len(given.retry_queue) < 7
    order = []
    for _ in range(10):
        at = given.retry_queue.next_due
        if at is None:
            break
        given.make_due_ready(at)
        while (delivery := given.next_delivery()) is not None:
            order.append(delivery.sequence)
            given.settle(delivery, DELIVERED, 4)
            rows = [row for row in rows if row.sequence != delivery.sequence]
        if given.retry_queue.wants_refill:
            given.changes()
            given.refill(rows[:2], rows[2].due if len(rows) > 2 else None)
    assert order == [1, 2, 3, 4, 5, 6, 7]


def test_one_that_fails_while_a_refill_is_read_is_not_forgotten() -> None:
    """The delivery waits beyond the old horizon, so it is in its row alone, which the refill was read without."""
    given = Lane(2, strict=False)
    given.restore([(2, "b")], [awaiting(1, "a", due=10)], horizon=11)
    given.make_due_ready(10)
    flying = {d.sequence: d for d in (send(given), send(given))}
    given.settle(flying[1], DELIVERED, 4)
    assert given.retry_queue.wants_refill
    given.changes()
    given.settle(flying[2], failed(50), 4)
    given.refill([], None)
    assert given.retry_queue.next_due == 50
    given.make_due_ready(50)
    assert sent(given) == [2]


def test_a_refill_brings_nothing_twice() -> None:
    given = Lane(2, strict=False)
    row = awaiting(1, "a", due=10)
    given.restore([], [row], horizon=11)
    given.make_due_ready(10)
    flying = send(given)
    given.refill([row], None)
    given.settle(flying, DELIVERED, 4)
    given.refill([row], None)
    given.make_due_ready(10_000)
    assert sent(given) == []


# --- Giving up --------------------------------------------------------------------------------------------------------


def test_a_retry_by_hand_that_was_made_since_does_not_keep_the_next_from_being_asked_for() -> None:
    given = Lane(9, strict=False)
    given.restore([], [awaiting(1, "a", due=50)], 40)
    given.retry_by_hand(1, "a", None, 4, 10)
    given.make_due_ready(10)
    given.settle(send(given), DELIVERED, 4)
    assert given.retry_queue.wants_refill


def test_abandoning_fails_what_is_unsettled_and_marks_what_was_not_read_as_a_gap() -> None:
    given = lane(*"aab", bounds=Bounds(max_open_per_document=1))
    given.settle(send(given), failed(10), 4)
    assert given.abandon(5) == 5
    changes = given.changes()
    assert (changes.head, changes.open, changes.gaps, changes.abandoned_to) == (5, (), ((4, 5),), 5)
    assert {sequence: row and row.state for sequence, row in changes.rows.items()} == dict.fromkeys(
        (1, 2, 3), State.FAILED
    )
    assert given.next_delivery() is None
    assert given.retry_queue.next_due is None


def test_abandoning_leaves_what_flies_and_what_is_later() -> None:
    given = lane(*"abab")
    flying = send(given)
    assert given.abandon(2) == 1
    assert sent(given) == [4]
    given.settle(flying, DELIVERED, 4)
    assert sent(given) == [3]


def test_a_flying_retry_that_is_cut_short_after_all_was_abandoned_is_still_a_retry() -> None:
    """`abandoned_to` would make its row a failed one, and a crash would lose it."""
    given = lane("a")
    given.settle(send(given), failed(10), 4)
    given.changes()
    given.make_due_ready(10)
    flying = send(given)
    given.abandon(1)
    changes = given.changes()
    assert changes.abandoned_to == 1
    row = changes.rows[1]
    assert row is not None
    assert (row.state, row.failed_attempts) == (State.AWAITING_RETRY, 1)
    given.settle(flying, Verdict(DeliveryInput.RETRY_INTERRUPTED), 4)
    assert send(given).failed_attempts == 1


@pytest.mark.parametrize("strict", [False, True])
def test_abandoning_one_that_held_others_back_lets_them_go(strict: bool) -> None:
    given = lane(*"aaa", strict=strict)
    given.settle(send(given), failed(1000), 4)
    given.take(4, "a")
    given.abandon(1)
    order = []
    while (delivery := given.next_delivery()) is not None:
        order.append(delivery.sequence)
        given.settle(delivery, DELIVERED, 4)
    assert order == [2, 3, 4]


def test_what_is_behind_a_floor() -> None:
    given = lane(*"aaa", bounds=Bounds(max_open_per_document=2))
    assert given.is_behind(2)
    assert not given.is_behind(1)
    given.settle(send(given), failed(10), 4)
    assert given.is_behind(2)
    given.make_due_ready(10)
    given.settle(send(given), DELIVERED, 4)
    assert not given.is_behind(2)
    assert given.is_behind(3)
    assert given.is_behind(5)


# --- Recording --------------------------------------------------------------------------------------------------------


def test_what_is_open_survives_as_a_number_and_what_waits_as_a_row() -> None:
    given = lane(*"abc")
    given.settle(send(given), failed(10), 4)
    given.settle(send(given), DELIVERED, 4)
    changes = given.changes()
    assert (changes.head, changes.open) == (3, (3,))
    assert changes.rows == {1: awaiting(1, "a", 10)}
    restored = Lane(changes.head, strict=False)
    restored.restore([(3, "c")], [row for row in changes.rows.values() if row], None)
    assert sent(restored) == [3]
    assert restored.retry_queue.next_due == 10


def test_one_that_was_under_way_in_a_crash_is_sent_again_under_the_same_number() -> None:
    """C16"""
    given = lane("a")
    given.settle(send(given), failed(10), 4)
    given.make_due_ready(10)
    send(given)
    changes = given.changes()
    restored = Lane(changes.head, strict=False)
    restored.restore([], [row for row in changes.rows.values() if row], None)
    restored.make_due_ready(10)
    assert send(restored).failed_attempts == 1


def test_a_skip_is_a_change_until_it_is_handed_over() -> None:
    given = lane()
    given.skip(7)
    changed = [given.changed, given.changes().head, given.changed]
    assert changed == [True, 7, False]


# --- Replays ----------------------------------------------------------------------------------------------------------


def failed_row(sequence: int, document: str, run: int = 0) -> Row:
    return Row(sequence, document, State.FAILED, 0, 4, 4, run, None)


def test_a_replay_begins_a_new_run_of_what_is_failed_or_settled() -> None:
    given = Lane(2, strict=False)
    assert given.replay(1, "a", failed_row(1, "a", run=2), 4, 7)
    assert given.replay(2, "b", None, 4, 7)
    rows = given.changes().rows
    assert rows == {
        1: Row(1, "a", State.AWAITING_RETRY, AT_ONCE, 0, 4, 3, None, 7),
        2: Row(2, "b", State.AWAITING_RETRY, AT_ONCE, 0, 4, 1, None, 7),
    }
    given.make_due_ready(50)
    assert sorted(sent(given)) == [1, 2]


def test_a_replay_leaves_what_is_unread_under_way_or_waits_as_it_is() -> None:
    given = lane("a", "a", "b", "b", bounds=Bounds(max_open_per_document=1))  # 2 and 4 are blocked
    given.settle(send(given), failed(1000), 4)  # 1 awaits its retry, 2 is open
    flying = send(given)
    before = given.changes()
    blocked = Row(4, "b", State.BLOCKED, 0, 0, 0, 0, None)
    for sequence, document, row in ((1, "a", before.rows[1]), (2, "a", None), (3, "b", None), (4, "b", blocked)):
        assert not given.replay(sequence, document, row, 4, 7)
    assert not given.replay(5, "c", None, 4, 7)
    assert not given.replay(9, "c", awaiting(9, "c", 5000), 4, 7)
    assert (given.changed, flying.state, given.retry_queue.next_due) == (False, State.IN_FLIGHT, 1000)


def test_what_changed_since_the_record_is_what_counts_for_a_replay() -> None:
    """The delivery awaited its retry in the store, and was given up before the answer came."""
    given = Lane(1, strict=False)
    given.restore([], [awaiting(1, "a", due=10)], None)
    given.make_due_ready(10)
    given.settle(send(given), GIVEN_UP, 4)
    assert given.replay(1, "a", awaiting(1, "a", due=10), 4, 7)


SKIPPED = Verdict(DeliveryInput.SKIP)


def test_each_delivery_of_a_replay_is_counted_once_when_it_ends() -> None:
    given = Lane(4, strict=False)
    for sequence in (1, 2, 3, 4):
        given.replay(sequence, f"d{sequence}", None, 4, 7)
    given.make_due_ready(0)
    for verdict in (DELIVERED, GIVEN_UP, SKIPPED, failed(50)):
        given.settle(send(given), verdict, 4)
    assert given.changes().ended == {7: ReplayTally(delivered=1, failed=1, skipped=1)}
    given.make_due_ready(50)
    given.settle(send(given), DELIVERED, 4)
    assert given.changes().ended == {7: ReplayTally(delivered=1)}
    assert given.changes().ended == {}


def test_one_that_a_later_replay_takes_over_ends_for_the_first_and_counts_for_the_later() -> None:
    given = Lane(1, strict=False)
    given.restore([], [Row(1, "a", State.AWAITING_RETRY, 10**6, 1, 4, 1, None, 7)], None)
    assert given.retry_early(1, None, 5, 8)
    given.make_due_ready(5)
    given.settle(send(given), DELIVERED, 4)
    assert given.changes().ended == {7: ReplayTally(skipped=1), 8: ReplayTally(delivered=1)}


def test_a_new_run_by_hand_of_what_failed_again_is_not_the_replays() -> None:
    given = Lane(1, strict=False)
    given.retry_by_hand(1, "a", Row(1, "a", State.FAILED, 0, 4, 4, 1, None, 7), 4, 5)
    given.make_due_ready(5)
    given.settle(send(given), DELIVERED, 4)
    assert given.changes().ended == {}


def test_one_that_is_given_up_with_others_and_then_sent_by_hand_failed_once_for_its_replay() -> None:
    given = Lane(2, strict=False)
    recorded = Row(1, "a", State.AWAITING_RETRY, 10**6, 1, 4, 1, None, 7)
    given.abandon(2)
    for _ in range(2):
        given.retry_by_hand(1, "a", recorded, 4, 5)
    changes = given.changes()
    assert (changes.ended, [*changes.rows]) == ({7: ReplayTally(failed=1)}, [1])  # so the store does not count it too


def has_room(given: Lane) -> bool:
    return given.has_room_for_replays


def test_a_replay_brings_no_more_while_enough_wait() -> None:
    given = Lane(10, strict=False, bounds=Bounds(replays_below=2))
    for sequence in (1, 2):
        assert has_room(given)
        given.replay(sequence, f"d{sequence}", None, 4, 7)
    assert not has_room(given)
    given.make_due_ready(0)
    given.settle(send(given), DELIVERED, 4)
    assert has_room(given)


def test_a_replay_brings_no_more_while_retries_wait_in_the_store_alone() -> None:
    given = Lane(10, strict=False)
    given.restore([], [awaiting(1, "a", due=10)], 1000)
    assert not has_room(given)
    given.refill([], None)
    assert has_room(given)


def test_a_replay_brings_no_more_while_a_new_event_waits_behind_it() -> None:
    given = Lane(1, strict=False)
    given.replay(1, "a", None, 4, 7)
    given.make_due_ready(0)
    given.take(2, "b")
    assert has_room(given)
    given.take(3, "a")
    assert not has_room(given)
    replayed = next(each for each in (send(given), send(given)) if each.sequence == 1)
    given.settle(replayed, DELIVERED, 4)
    assert has_room(given)
    assert sent(given) == [3]


# --- A shorter delay --------------------------------------------------------------------------------------------------


def test_a_shorter_delay_moves_what_is_in_memory_only_in_rows_and_only_in_the_store() -> None:
    given = lane("a", "b", "c", bounds=Bounds(retries_kept=1))
    for sequence in (1, 2, 3):
        delivery = send(given)
        assert delivery.sequence == sequence
        given.settle(delivery, Verdict(DeliveryInput.WAIT, due=1_000 + sequence), 4)
    assert [*given.retry_queue] == [1]
    assert given.retry_queue.horizon == 1_002
    given.hurry(900)
    changes = given.changes()
    assert changes.hurried_by == 900
    assert {sequence: row.due for sequence, row in changes.rows.items() if row} == {1: 101, 2: 102, 3: 103}
    assert given.retry_queue.next_due == 101
    assert given.retry_queue.horizon == 102


def test_an_answer_from_before_a_shorter_delay_is_taken_as_it_will_be() -> None:
    given = Lane(9, strict=False, bounds=Bounds())
    given.restore([], [awaiting(1, "a", due=1_000, failed_attempts=0)], 1_001)
    given.changes()
    given.hurry(900)
    given.refill([awaiting(2, "b", due=1_001, failed_attempts=0), awaiting(3, "c", due=1_001)], 1_002)
    assert {sequence: each.due for sequence, each in given.retry_queue.items()} == {1: 100, 2: 101}
    assert given.retry_queue.horizon == 102, "what failed is due later, and comes with another refill"
    assert given.retry_by_hand(4, "d", awaiting(4, "d", due=2_000, failed_attempts=0), 4, now=50)
    assert given.retry_queue[4].resume_at == 1_100


def test_nothing_is_taken_in_while_what_should_have_gone_before_it_is_in_the_store_alone() -> None:
    """C17"""
    given = Lane(9, strict=False, bounds=Bounds())
    given.restore([], [awaiting(1, "a", due=1_000, failed_attempts=0)], 1_001)
    assert not given.may_overtake(500)
    given.hurry(900)
    assert given.may_overtake(500)
    given.changes()
    given.refill([awaiting(2, "b", due=101, failed_attempts=0)], None)
    assert not given.may_overtake(500)
