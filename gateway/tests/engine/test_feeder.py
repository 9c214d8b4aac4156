"""What a lane's replays hand to it, and what is to be recorded of them."""

from msgspec.structs import replace

from signalpost.domain.delivery.delivery import AT_ONCE, State
from signalpost.domain.delivery.exception_row import Row
from signalpost.domain.delivery.lane import Lane
from signalpost.domain.delivery.replay import Replay, ReplayState
from signalpost.engine.lanes.replay_feeder import ReplayFeeder
from signalpost.store.nouns.replays import Candidate, Fed, ReplayPart

STEADY, WALL = 5, 7


def replay(number: int) -> Replay:
    return Replay(
        number=number, id=f"r{number}", tenant_id=1, subscription_number=1, what="all", from_at=0, to_at=0,
        from_sequence=1, to_sequence=9, count=0, count_is_capped=False, created_at=0, cursor=0,
    )  # fmt: skip


def asked(given: Replay) -> ReplayPart:
    return ReplayPart(given, 9, ((0, 7),))


def found(cursor: int, *sequences: int) -> Fed:
    return Fed(tuple(Candidate(sequence, "d", None) for sequence in sequences), cursor)


def test_a_part_is_queued_and_how_far_it_came_is_to_be_recorded_once() -> None:
    lane, replay_feeder = Lane(9, strict=False), ReplayFeeder([replay(1)])
    replay_feeder.queue(lane, (), asked(replay(1)), found(4, 2, 4), STEADY, WALL)
    further = replace(replay(1), cursor=4, queued=2)
    assert replay_feeder.changes() == (further,)
    assert replay_feeder.changes() == ()
    assert replay_feeder.next == further
    assert lane.changes().rows == {
        sequence: Row(sequence, "d", State.AWAITING_RETRY, AT_ONCE, 0, 4, 1, None, 1) for sequence in (2, 4)
    }


def test_what_the_lane_leaves_as_it_is_does_not_count() -> None:
    lane, replay_feeder = Lane(3, strict=False), ReplayFeeder([replay(1)])
    lane.take(4, "d")
    replay_feeder.queue(lane, (), asked(replay(1)), found(5, 3, 4, 5), STEADY, WALL)
    assert [each.queued for each in replay_feeder.changes()] == [1]


def test_a_replay_is_about_as_many_as_it_queued_where_more_failed_since_they_were_counted() -> None:
    counted = replace(replay(1), count=1)
    assert counted.known_count == 1
    assert counted.fed(4, 1, 9, WALL).known_count == 1
    assert counted.fed(4, 2, 9, WALL).known_count == 2


def test_the_oldest_goes_first_until_it_is_finished() -> None:
    lane, replay_feeder = Lane(9, strict=False), ReplayFeeder([replay(1)])
    replay_feeder.follow(replay(2))
    replay_feeder.queue(lane, (), asked(replay(1)), found(8, 8), STEADY, WALL)
    assert replay_feeder.next == replace(replay(1), cursor=8, queued=1)
    replay_feeder.queue(lane, (), asked(replay_feeder.next), found(9, 9), STEADY, WALL)
    assert replay_feeder.next == replay(2)
    [finished] = replay_feeder.changes()
    assert (finished.state, finished.queued, finished.finished_at) == (ReplayState.FINISHED, 2, WALL)


def test_one_that_is_known_keeps_its_place_when_its_start_is_told_again() -> None:
    """A lane that was loaded again may have read it already."""
    lane, replay_feeder = Lane(9, strict=False), ReplayFeeder([replay(1)])
    replay_feeder.queue(lane, (), asked(replay(1)), found(8), STEADY, WALL)
    replay_feeder.follow(replay(1))
    assert replay_feeder.next == replace(replay(1), cursor=8)


def test_a_skip_of_the_backlog_ends_what_was_started_until_then() -> None:
    lane = Lane(9, strict=False)
    replay_feeder = ReplayFeeder([replace(replay(number), created_at=number) for number in (1, 2, 3)])
    replay_feeder.end_those_until(2)
    replay_feeder.queue(lane, (), asked(replay(1)), found(8, 3), STEADY, WALL)
    assert [each.number for each in replay_feeder.running] == [3]
    assert (replay_feeder.changes(), lane.changed) == ((), False)


def test_an_answer_that_comes_after_the_cancellation_is_dropped() -> None:
    lane, replay_feeder = Lane(9, strict=False), ReplayFeeder([replay(1)])
    replay_feeder.follow(replace(replay(1), state=ReplayState.CANCELLED))
    replay_feeder.queue(lane, (), asked(replay(1)), found(8, 3), STEADY, WALL)
    assert (replay_feeder.next, replay_feeder.changes(), lane.changed) == (None, (), False)


def test_what_was_queued_before_the_cancellation_is_still_recorded() -> None:
    lane, replay_feeder = Lane(9, strict=False), ReplayFeeder([replay(1)])
    replay_feeder.queue(lane, (), asked(replay(1)), found(8, 3), STEADY, WALL)
    replay_feeder.follow(replace(replay(1), state=ReplayState.CANCELLED))
    assert replay_feeder.next is None
    assert [each.queued for each in replay_feeder.changes()] == [1]
