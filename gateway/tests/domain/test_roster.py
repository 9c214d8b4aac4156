"""Who of a fleet is there, and which lane should be whose."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from signalpost.domain.roster import Roster, owners_of_few, wanted_owner
from signalpost.domain.timestamps import SECOND

DEAD_AFTER = 12 * SECOND
GAP = 6 * SECOND


def seen(*beats: dict[int, int], every: int = 2 * SECOND, workers: tuple[int, ...] = (1, 2)) -> Roster:
    """What a node saw that looked so often."""
    roster = Roster()
    for number, each in enumerate(beats):
        roster = roster.observed(each, workers, number * every, GAP)
    return roster


def test_a_node_that_beats_is_not_dead() -> None:
    assert not seen(*({1: n, 2: n} for n in range(20))).dead(1, DEAD_AFTER)


def test_a_node_that_was_not_seen_to_beat_for_long_enough_is_dead() -> None:
    silent = [{1: n, 2: 5} for n in range(8)]
    assert not seen(*silent[:6]).dead(1, DEAD_AFTER)
    assert seen(*silent[:7]).dead(1, DEAD_AFTER) == {2}


def test_nobody_takes_oneself_for_dead() -> None:
    assert seen(*({1: 3, 2: n} for n in range(20))).dead(1, DEAD_AFTER) == frozenset()


def test_time_in_which_the_observer_saw_nothing_kills_nobody() -> None:
    """After an outage of the database everybody gets the chance to beat again."""
    roster = seen({1: 1, 2: 1}, {1: 2, 2: 2})
    roster = roster.observed({1: 3, 2: 2}, (1, 2), 100 * SECOND, GAP)
    assert not roster.dead(1, DEAD_AFTER)
    for at in range(102, 113, 2):
        roster = roster.observed({1: at, 2: 2}, (1, 2), at * SECOND, GAP)
    assert roster.dead(1, DEAD_AFTER) == {2}


def test_a_process_that_has_its_database_for_itself_finds_every_other_node_dead_at_once() -> None:
    assert Roster().observed({7: 4, 8: 9, 9: 1}, (9,), 5, 0).dead(9, 0) == {7, 8}


def test_the_workers_are_steady_once_two_beats_have_seen_the_same() -> None:
    roster = seen({1: 1, 2: 1})
    assert not roster.is_steady
    assert seen({1: 1, 2: 1}, {1: 2, 2: 2}).is_steady
    assert not roster.observed({1: 2, 2: 2, 3: 1}, (1, 2, 3), 2 * SECOND, GAP).is_steady


def test_a_lane_of_no_worker_has_no_owner() -> None:
    assert wanted_owner((), 7) is None


@given(st.sets(st.integers(1, 10_000), min_size=2, max_size=9), st.integers(1, 1 << 40))
def test_a_lane_moves_only_from_a_node_that_goes_or_to_one_that_comes(workers: set[int], lane: int) -> None:
    owner = wanted_owner(workers, lane)
    for gone in workers:
        left = wanted_owner(workers - {gone}, lane)
        assert left == owner or gone == owner


def test_lanes_are_spread_evenly_also_where_numbers_follow_one_another() -> None:
    for workers in ((1, 2, 3), (41, 42, 43, 44)):
        owned = Counter(wanted_owner(workers, lane) for lane in range(1, 4_001))
        assert min(owned.values()) > 0.85 * 4_000 / len(workers)


WORKERS = st.sets(st.integers(1, 10_000), min_size=1, max_size=9)
LANES = st.sets(st.integers(1, 1 << 40), max_size=60)


@given(WORKERS, LANES)
def test_few_lanes_are_spread_within_one_of_even(workers: set[int], lanes: set[int]) -> None:
    owners = owners_of_few(workers, lanes)
    assert owners.keys() == lanes
    owned = Counter(dict.fromkeys(workers, 0) | Counter(owners.values()))
    assert owned.keys() == workers
    assert max(owned.values()) - min(owned.values()) <= 1


def test_few_lanes_of_no_worker_have_no_owners() -> None:
    assert owners_of_few((), {1, 2}) == {}


@given(WORKERS, LANES, st.integers(1, 1 << 40))
def test_one_lane_more_or_less_moves_fewer_of_few_lanes_than_there_are_workers(
    workers: set[int], lanes: set[int], lane: int
) -> None:
    without, with_it = owners_of_few(workers, lanes - {lane}), owners_of_few(workers, lanes | {lane})
    assert sum(with_it[each] != owner for each, owner in without.items()) < len(workers)


@given(WORKERS, LANES, st.integers(10_001, 20_000))
def test_a_node_that_comes_or_goes_moves_few_of_few_lanes_between_others(
    workers: set[int], lanes: set[int], other: int
) -> None:
    """Beyond those that come to it or were its own, which is a share."""
    without, with_it = owners_of_few(workers, lanes), owners_of_few(workers | {other}, lanes)
    between_others = sum(with_it[lane] not in (owner, other) for lane, owner in without.items())
    assert between_others <= len(lanes) // 4 + len(workers)
