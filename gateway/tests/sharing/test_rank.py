"""Ranks of lanes: each has turns and slots of its own."""

from signalpost.sharing.rank import Rank
from signalpost.sharing.slots import Limits

LIMITS = Limits(process=64, tenant=16, endpoint=8)


def rank(part: int) -> Rank[str]:
    return Rank(LIMITS, lambda _: False, part=part)


def test_a_lower_rank_has_a_part_of_the_slots_and_one_at_least() -> None:
    first, lower = rank(1), rank(8)
    assert (first.slots.every.most, lower.slots.every.most) == (64, 8)
    assert (first.slots_for(1, 16).most, lower.slots_for(1, 16).most) == (8, 1)
    assert lower.slots_for(2, 3).room == 1


def test_what_one_rank_holds_leaves_the_other_as_much_room_as_before() -> None:
    first, lower = rank(1), rank(8)
    endpoint, before = first.slots_for(1, 16), first.slots_for(1, 16).room
    for _ in range(2):
        lower.slots_for(1, 16).take()
    assert endpoint.room == before
    endpoint.take()
    assert (first.slots.every.held, lower.slots.every.held) == (1, 2)


def test_a_tenant_that_may_have_more_or_less_gets_its_part_of_it() -> None:
    lower = rank(8)
    endpoint = lower.slots_for(1, 16)
    assert not lower.bound_tenant(2, 8), "it has none here"
    assert not lower.bound_tenant(1, 16)
    assert not lower.bound_tenant(1, 20), "an eighth of that is as many"
    assert lower.bound_tenant(1, 48)
    assert endpoint.room == 1, "its endpoint has one all the same"


def test_lanes_that_waited_for_a_slot_are_ready_once_some_are_freed() -> None:
    lower = rank(8)
    lower.turns.wait_for_slot(1, "a lane")
    assert [lower.has_work, lower.give_freed_slots()] == [False, []]
    lower.freed = 1
    assert [lower.has_work, lower.give_freed_slots()] == [True, ["a lane"]]
    assert (lower.freed, lower.turns.ready) == (0, 1)
