"""Who may have how many of the slots that there are."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from signalpost.sharing.slots import (
    MAX_HELD_PER_FREE_SLOT,
    EndpointSlots,
    Limits,
    Slots,
    process_slots,
    share,
    tenant_slots,
)

CAPS = st.integers(1, 1_000)
STEPS = st.lists(st.tuples(st.integers(0, 9), st.integers(-40, 40)), max_size=80)
"""Who, and how many more it would like (or gives back)."""


def play(most: int, steps: Sequence[tuple[int, int]], members: int = 10) -> list[Slots]:
    """Let members take as many as they may of what they would like."""
    above = Slots(most)
    slots = [Slots(most, above) for _ in range(members)]
    for who, wish in steps:
        member = slots[who % members]
        member.take(min(wish, member.room) if wish > 0 else -min(-wish, member.held))
    return slots


def fill(*groups: Sequence[Slots]) -> None:
    """Groups take one slot in turns, each by its members in turns, until none may any more."""
    while any(member.room for group in groups for member in group):
        for group in groups:
            taker = min(group, key=lambda member: member.held if member.room else member.most)
            taker.take(min(1, taker.room))


@given(st.integers(0, 2_000), st.integers(0, 2_000))
def test_the_room_is_as_many_as_may_be_begun_one_after_the_other(free: int, mine: int) -> None:
    begun = 0
    while mine + begun < MAX_HELD_PER_FREE_SLOT * (free - begun):
        begun += 1
    assert share(free, mine) == begun
    assert begun <= free


@given(CAPS, STEPS)
def test_a_bound_is_never_exceeded_and_counts_are_those_of_the_members(most: int, steps: list[tuple[int, int]]) -> None:
    slots = play(most, steps)
    above = slots[0].above
    assert above is not None
    assert above.held == sum(member.held for member in slots) <= most


@given(CAPS, STEPS)
def test_whoever_holds_nothing_has_room_while_a_slot_is_free(most: int, steps: list[tuple[int, int]]) -> None:
    slots = play(most, steps)
    above = slots[0].above
    assert above is not None
    newcomer = Slots(most, above)
    assert (newcomer.room > 0) == (above.held < most)


@given(st.integers(50, 2_000), STEPS)
def test_a_slot_stays_free_while_all_that_are_taken_are_held_in_numbers(
    most: int, steps: list[tuple[int, int]]
) -> None:
    """The last one goes only to a holder of fewer than `MAX_HELD_PER_FREE_SLOT` of them."""
    slots = play(most, steps)
    above = slots[0].above
    assert above is not None
    if above.held == most:
        assert min(member.held for member in slots if member.held) <= MAX_HELD_PER_FREE_SLOT


@given(st.integers(50, 800), st.integers(1, 40))
def test_those_that_want_all_they_can_get_have_the_same_and_none_more_than_its_share(most: int, members: int) -> None:
    slots = play(most, (), members)
    fill(slots)
    held = [member.held for member in slots]
    assert max(held) - min(held) <= 1
    assert max(held) <= most // members + 1
    assert sum(held) >= most * 4 // 5 - 1


@given(CAPS)
def test_one_alone_has_four_fifths(most: int) -> None:
    (alone,) = play(most, (), 1)
    fill([alone])
    assert alone.held == -(-most * 4 // 5)


@given(st.integers(200, 800), st.integers(1, 12), st.integers(1, 12))
def test_a_tenant_gets_no_multiple_of_anothers_slots_by_having_more_endpoints(most: int, many: int, few: int) -> None:
    limits = Limits(process=most, tenant=most, endpoint=most)
    process = process_slots(limits)
    first, second = tenant_slots(limits.tenant, process), tenant_slots(limits.tenant, process)
    fill([Slots(most, first.every) for _ in range(many)], [Slots(most, second.every) for _ in range(few)])
    less, more = sorted((first.every.held, second.every.held))
    assert more <= 3 * less
    assert Slots(most, tenant_slots(limits.tenant, process).every).room > 0


@given(st.integers(250, 800), st.integers(1, 12))
def test_a_tenant_alone_has_room_for_one_more_endpoint(most: int, greedy: int) -> None:
    limits = Limits(process=most, tenant=most, endpoint=most)
    tenant = tenant_slots(limits.tenant, process_slots(limits))
    fill([Slots(most, tenant.every) for _ in range(greedy)])
    assert Slots(most, tenant.every).room > 0


@given(st.integers(10, 2_000), st.integers(1, 3_000))
def test_however_many_slow_endpoints_there_are_a_fast_one_has_room(most: int, slow: int) -> None:
    limits = Limits(process=most, tenant=most, endpoint=128)
    process = process_slots(limits)
    tenant = tenant_slots(limits.tenant, process)
    for _ in range(slow):
        endpoint = EndpointSlots(limits, tenant)
        for _ in range(min(4, endpoint.room)):
            endpoint.take()
    assert process.every.held <= most // 2
    fast = EndpointSlots(limits, tenant)
    fast.regard(slow=False)
    assert fast.room >= min(128, most // 5)


@given(st.lists(st.sampled_from(["take", "give back", "slow", "fast"]), max_size=60))
def test_what_an_endpoint_holds_counts_as_slow_exactly_while_it_is(does: list[str]) -> None:
    limits = Limits(process=40, tenant=30, endpoint=20)
    process = process_slots(limits)
    other = EndpointSlots(limits, tenant_slots(limits.tenant, process))
    for _ in range(3):
        other.take()
    endpoint = EndpointSlots(limits, tenant_slots(limits.tenant, process))
    for step in does:
        match step:
            case "take" if endpoint.room:
                endpoint.take()
            case "give back" if endpoint.held:
                endpoint.give_back()
            case "slow" | "fast":
                endpoint.regard(slow=step == "slow")
        assert process.every.held == 3 + endpoint.held
        assert process.slow.held == 3 + (endpoint.held if endpoint.is_slow else 0)
