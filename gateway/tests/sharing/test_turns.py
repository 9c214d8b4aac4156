"""In which order lanes get turns."""

from collections import Counter, deque

from hypothesis import given
from hypothesis import strategies as st

from signalpost.sharing.turns import IN_A_ROW, QUANTUM, Turns

MAX_COST = 1_500
COSTS = st.integers(1, MAX_COST)


def serve(turns: Turns[tuple[int, int]], costs: dict[tuple[int, int], int], times: int) -> list[tuple[int, int]]:
    """Give turns to lanes (tenant, number), each of which always has more to do; returns their order."""
    served = []
    for _ in range(times):
        lane = turns.next()
        served.append(lane)
        turns.charge(lane[0], costs[lane])
        turns.add(lane[0], lane)
    return served


@given(st.lists(st.lists(COSTS, min_size=1, max_size=5), min_size=1, max_size=6), st.integers(1, 300))
def test_tenants_get_the_same_whatever_their_lanes_and_turns_are(costs: list[list[int]], times: int) -> None:
    turns: Turns[tuple[int, int]] = Turns()
    by_lane = {(tenant, lane): cost for tenant, of_tenant in enumerate(costs) for lane, cost in enumerate(of_tenant)}
    for tenant, lane in by_lane:
        turns.add(tenant, (tenant, lane))
    spent = Counter(dict.fromkeys(range(len(costs)), 0))
    for served in serve(turns, by_lane, times):
        spent[served[0]] += by_lane[served]
        assert max(spent.values()) - min(spent.values()) <= 3 * QUANTUM + 2 * MAX_COST


@given(st.integers(1, 30), st.integers(1, 30), COSTS, COSTS)
def test_nobody_starves(many: int, tenants: int, cost: int, own_cost: int) -> None:
    """A lane waits for no more than its tenant's others and what the other tenants may spend in each round of these."""
    turns: Turns[tuple[int, int]] = Turns()
    costs = {(tenant, lane): cost for tenant in range(tenants) for lane in range(many)} | {(-1, 0): own_cost}
    for lane in costs:
        turns.add(lane[0], lane)
    rounds = -(-MAX_COST // QUANTUM) + 1
    served = serve(turns, costs, (tenants * rounds + 1) * (QUANTUM // cost + 1) + 1)
    assert (-1, 0) in served


@given(st.lists(st.integers(0, 4), min_size=1, max_size=40))
def test_lanes_of_a_tenant_go_one_after_the_other(order: list[int]) -> None:
    turns: Turns[int] = Turns()
    lanes = list(dict.fromkeys(order))
    for lane in lanes:
        turns.add(7, lane)
    served = []
    for _ in range(3 * len(lanes)):
        lane = turns.next()
        served.append(lane)
        turns.charge(7, 100)
        turns.add(7, lane)
    assert served == lanes * 3


@given(st.integers(1, 20), st.integers(1, 20), st.lists(st.booleans(), max_size=60))
def test_of_lanes_that_are_behind_one_has_its_turn_after_a_few_that_keep_up(
    live: int, behind: int, listed_again: list[bool]
) -> None:
    turns: Turns[int] = Turns(lambda lane: lane < 0)
    for lane in (*range(-behind, 0), *range(1, live + 1)):
        turns.add(7, lane)
    in_a_row, waiting = 0, live
    for again in (*listed_again, *([True] * 10 * (live + behind))):
        lane = turns.next()
        if lane < 0:
            assert in_a_row >= IN_A_ROW or waiting == 0
            in_a_row = 0
        else:
            in_a_row += 1
            assert in_a_row <= IN_A_ROW
            waiting -= 1
        if lane < 0 or again:
            turns.add(7, lane)
            waiting += lane > 0


def test_a_rest_earns_nothing_and_a_debt_is_kept() -> None:
    turns: Turns[str] = Turns()
    turns.add(1, "rests")
    assert turns.next() == "rests"
    turns.charge(1, 1)
    for _ in range(100):
        turns.add(2, "works")
        assert turns.next() == "works"
        turns.charge(2, QUANTUM)
    turns.add(2, "works")
    turns.add(1, "rests")
    order = []
    for _ in range(10):
        lane = turns.next()
        order.append(lane)
        turns.charge(1 if lane == "rests" else 2, QUANTUM)
        turns.add(1 if lane == "rests" else 2, lane)
    assert sorted(Counter(order).values()) == [5, 5]


class Waiting:
    """Turns and a plain list of everything that is in them."""

    def __init__(self) -> None:
        self.turns: Turns[tuple[int, int]] = Turns()
        self.ready: set[tuple[int, int]] = set()
        self.waiting: dict[int, deque[tuple[int, int]]] = {}
        self.made = 0


@given(st.lists(st.tuples(st.sampled_from(["add", "next", "wait", "give"]), st.integers(0, 3)), max_size=120))
def test_nothing_is_lost_or_doubled_and_the_longest_waiting_get_slots_first(does: list[tuple[str, int]]) -> None:
    world = Waiting()
    for step, tenant in does:
        if step == "add":
            world.made += 1
            world.turns.add(tenant, (tenant, world.made))
            world.ready.add((tenant, world.made))
        elif step == "next" and world.ready:
            lane = world.turns.next()
            world.ready.remove(lane)
            world.turns.charge(lane[0], 300)
        elif step == "wait" and world.ready:
            lane = world.turns.next()
            world.ready.remove(lane)
            world.turns.wait_for_slot(lane[0], lane)
            world.waiting.setdefault(lane[0], deque()).append(lane)
        elif step == "give":
            waiting = sum(map(len, world.waiting.values()))
            before = world.turns.ready
            given = world.turns.give_slots(tenant)
            back = world.turns.ready - before
            assert back == min(tenant, waiting)
            # Whose they are is found by emptying a copy: only the order within a tenant is promised, and turns between.
            recalled = [lane for lane in _drain(world.turns) if lane not in world.ready]
            assert len(recalled) == back
            assert set(given) == set(recalled)
            for lane in recalled:
                assert world.waiting[lane[0]].popleft() == lane
                world.ready.add(lane)
        assert world.turns.ready == len(world.ready)
        assert world.turns.any_waits_for_slot == any(world.waiting.values())


def _drain(turns: Turns[tuple[int, int]]) -> list[tuple[int, int]]:
    """Take all lanes that are ready, and put them back in the same order. Returns them."""
    lanes = [turns.next() for _ in range(turns.ready)]
    for lane in lanes:
        turns.add(lane[0], lane)
    return lanes


@given(st.integers(1, 50))
def test_many_that_wait_for_a_slot_do_not_keep_another_tenants_lane_waiting(crowd: int) -> None:
    turns: Turns[str] = Turns()
    for number in range(crowd):
        turns.wait_for_slot(1, f"crowd {number}")
    turns.wait_for_slot(2, "alone")
    turns.give_slots(2)
    assert {turns.next(), turns.next()} == {"crowd 0", "alone"}
