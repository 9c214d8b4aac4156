"""Lanes that have nothing to do rest: they are a few words, and miss nothing for it."""

import asyncio
import tracemalloc

import pytest
from gateway.tests.engine.scripted_world import TENANT, RunningGateway, ScriptedWorld, types
from gateway.tests.engine.subscriptions import subscription
from gateway.tests.world.network import BROKEN, Reply
from msgspec.structs import replace

from signalpost.domain.timestamps import DAY, SECOND
from signalpost.engine.lanes import lanes_here
from signalpost.engine.lanes.resting_lanes import RestingLanes, at_rest
from signalpost.store.nouns.lanes import EndpointHealth, LaneRow
from signalpost.store.nouns.log import LatestOfTypes

pytest_plugins = ["gateway.tests.engine.engine_fixtures"]

CREATED, UPDATED, DELETED = types("documentCreated"), types("documentUpdated"), types("documentDeleted")
ROW = LaneRow(version=0, head=5, open=(), gaps=(), health=EndpointHealth(), rows=(), horizon=None)
MANY = 20 * lanes_here.WOKEN_IN_A_ROW
BYTES_OF_A_LANE = 400
"""At most so many a lane at rest takes, besides its subscription."""


@pytest.fixture
def rested(world: ScriptedWorld) -> ScriptedWorld:
    """A world whose lanes rest as soon as they can."""
    world.rest_after = 1.0
    return world


async def rest(gateway: RunningGateway) -> None:
    await gateway.until(lambda: len(gateway.engine.lanes.here.resting) == gateway.engine.lanes.here.count)


def test_lanes_rest_from_their_beginning_and_again_once_they_are_idle(rested: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("created", types=CREATED)
        await gateway.subscribe("deleted", types=DELETED)
        assert len(gateway.engine.lanes.here.resting) == 2
        await gateway.create("a")
        assert len(gateway.engine.lanes.here.resting) == 1
        await rest(gateway)
        await gateway.submit(rested.delete("a"))
        await asyncio.sleep(0.5)
        assert len(gateway.engine.lanes.here.resting) == 1
        await rest(gateway)

    rested.run(scenario)
    assert rested.endpoint("created").sequences == [1]
    assert rested.endpoint("deleted").sequences == [2]


def test_lanes_that_rest_between_any_two_events_miss_none_c13(rested: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        for host, wanted in (("created", CREATED), ("deleted", DELETED), ("all", CREATED | UPDATED | DELETED)):
            await gateway.subscribe(host, types=wanted)
        for round_ in range(20):
            await gateway.submit(rested.create(f"d{round_}"), rested.update(f"d{round_}"))
            await asyncio.sleep(rested.random.random() * 5)
            await gateway.submit(rested.delete(f"d{round_}"))
            await asyncio.sleep(rested.random.random() * 5)
        await asyncio.sleep(5)
        log = await gateway.log()
        assert rested.endpoint("created").sequences == [event.sequence for event in log if event.type == CREATED]
        assert rested.endpoint("deleted").sequences == [event.sequence for event in log if event.type == DELETED]
        assert rested.endpoint("all").sequences == [event.sequence for event in log]

    rested.run(scenario)


def test_lanes_that_one_event_wakes_get_it_however_many_they_are_and_others_have_their_turn(
    rested: ScriptedWorld,
) -> None:
    hosts = [f"h{number}" for number in range(MANY)]

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.submit(*(rested.subscription(host) for host in hosts))
        await rest(gateway)
        await gateway.create("a")
        assert MANY // 2 < len(gateway.engine.lanes.here.resting) < MANY
        assert gateway.health(hosts[-1])["lag"] == 1  # it rises
        await gateway.create("b")
        await gateway.until(lambda: all(rested.endpoint(host).sequences == [1, 2] for host in hosts))

    rested.run(scenario)


def test_one_that_rises_may_be_changed_or_removed_before_it_has_risen(rested: ScriptedWorld) -> None:
    hosts = [f"h{number}" for number in range(MANY)]

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.submit(*(rested.subscription(host) for host in hosts))
        await rest(gateway)
        deletion = gateway.engine.submit(rested.create("a"))
        await asyncio.gather(deletion, gateway.change(hosts[-1], eventTypes=["documentDeleted"]))
        await gateway.unsubscribe(hosts[-2])
        await gateway.until(lambda: all(rested.endpoint(host).sequences == [1] for host in hosts[:-2]))
        assert rested.endpoint(hosts[-1]).sequences == [1]

    rested.run(scenario)


def test_a_lane_at_rest_follows_changes_retries_replays_and_pauses(rested: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("one")
        await gateway.create("a", "b")
        await rest(gateway)
        await gateway.retry("one", 1)
        await gateway.until(lambda: rested.endpoint("one").sequences == [1, 2, 1])
        await rest(gateway)
        await gateway.replay("one", "all")
        await gateway.until(lambda: rested.endpoint("one").sequences == [1, 2, 1, 1, 2])
        await rest(gateway)
        await gateway.change("one", status="paused")
        await gateway.create("c")
        await asyncio.sleep(5)
        assert gateway.health("one")["lag"] == 1
        await gateway.change("one", status="active")
        await gateway.until(lambda: rested.endpoint("one").sequences == [1, 2, 1, 1, 2, 3])
        await rest(gateway)
        await gateway.change("one", status="paused")
        await gateway.create("d")
        await gateway.change("one", status="active", skipBacklog=True)
        await gateway.create("e")
        await gateway.until(lambda: rested.endpoint("one").sequences == [1, 2, 1, 1, 2, 3, 5])

    rested.run(scenario)


def test_a_lane_that_waits_or_of_which_people_should_know_does_not_rest(rested: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        for host in ("fails", "gave-up", "limited", "paused"):
            await gateway.subscribe(host, delays=() if host == "gave-up" else (10, 60), rateLimit=1)
        rested.endpoint("fails").answers(BROKEN)
        rested.endpoint("gave-up").answers(BROKEN)
        await gateway.change("paused", status="paused")
        await gateway.create("a", "b")
        await asyncio.sleep(8)
        assert len(gateway.engine.lanes.here.resting) == 1
        assert (gateway.health("gave-up")["failed"], gateway.health("limited")["lag"]) == (2, 0)

    rested.run(scenario)


def test_after_a_crash_lanes_rest_without_reading_what_they_do_not_want(world: ScriptedWorld) -> None:
    async def before(gateway: RunningGateway) -> None:
        for number in range(10):
            await gateway.subscribe(f"idle{number}", types=DELETED)
        await gateway.subscribe("narrowed", types=CREATED)
        await gateway.create(*(f"d{number}" for number in range(300)))
        await gateway.until(lambda: len(world.endpoint("narrowed").sequences) == 300)
        await asyncio.sleep(1)

    async def after(gateway: RunningGateway) -> None:
        assert len(gateway.engine.lanes.here.resting) == 11
        assert gateway.store.log.pages_read == 0
        await gateway.submit(world.delete("d7"))
        await gateway.until(lambda: all(world.endpoint(f"idle{number}").sequences == [301] for number in range(10)))

    world.crash(before)
    world.run(after)


def test_after_a_crash_a_lane_reads_what_it_wants_and_has_not_got_c13(world: ScriptedWorld) -> None:
    world.endpoint("slow").answers(Reply(after=4))

    async def before(gateway: RunningGateway) -> None:
        await gateway.subscribe("idle", types=DELETED)
        await gateway.subscribe("slow", types=CREATED)
        await gateway.create(*(f"d{number}" for number in range(30)))

    async def after(gateway: RunningGateway) -> None:
        assert len(gateway.engine.lanes.here.resting) == 1
        await gateway.until(lambda: set(world.endpoint("slow").sequences) == set(range(1, 31)))

    world.crash(before)
    world.run(after)


def test_the_retention_counts_nothing_as_lost_that_a_lane_at_rest_has_passed(world: ScriptedWorld) -> None:
    async def before(gateway: RunningGateway) -> None:
        await gateway.subscribe("idle", types=DELETED)
        for day in range(4):
            await gateway.create(*(f"d{day}-{number}" for number in range(20)))
            await asyncio.sleep(DAY // SECOND)
        assert world.query("SELECT floor FROM tenant WHERE id = ?", TENANT)[0][0] > 20

    async def after(gateway: RunningGateway) -> None:
        await gateway.create("one more")
        await asyncio.sleep(DAY // SECOND)
        assert gateway.health("idle")["lost"] == 0

    world.crash(before, retention_days=1)
    world.run(after, retention_days=1)
    assert world.logged("error", "") == 0


def test_closing_records_how_far_lanes_at_rest_have_come(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("idle", types=DELETED)
        await gateway.create("a", "b", "c")
        assert world.lane("idle").head == 0

    world.run(scenario)
    assert world.lane("idle").head == 3


# --- What rests -------------------------------------------------------------------------------------------------------


def test_a_lane_rests_only_if_nothing_is_known_of_it_that_somebody_waits_for() -> None:
    well = subscription()
    assert at_rest(well, ROW, 0) is not None
    assert at_rest(replace(well, status="paused"), ROW, 0) is None
    assert at_rest(replace(well, promote_at=DAY), ROW, 0) is None
    assert at_rest(replace(well, kind="slack"), ROW, 0) is None
    assert at_rest(replace(well, skip_to=4, skip_version=2), ROW, 0) is None
    assert at_rest(well, replace(ROW, open=((4, "d"),)), 0) is None
    assert at_rest(well, replace(ROW, health=EndpointHealth(lost=1)), 0) is None
    certified = replace(ROW, health=EndpointHealth(certificate_ends=30 * DAY))
    assert at_rest(well, certified, 0) is not None
    assert at_rest(well, certified, 20 * DAY) is None


@pytest.mark.parametrize(
    ("head", "filters", "passed"),
    [
        (10, ((0, DELETED),), 20),  # the last deletion came before
        (10, ((0, CREATED),), 10),  # a creation is new to it
        (15, ((0, CREATED),), 20),
        (4, ((0, DELETED),), 4),  # before the part of the log that was looked at
        (10, ((0, CREATED), (12, DELETED)), 10),  # its types changed after its head
        (25, ((0, DELETED),), 25),
    ],
)
def test_the_latest_of_each_type_tell_what_is_new_to_a_lane(
    head: int, filters: tuple[tuple[int, int], ...], passed: int
) -> None:
    latest = LatestOfTypes(after=5, last=20, config_version=1, of_types={CREATED: 15, UPDATED: 20, DELETED: 7})
    assert latest.passed(head, filters) == passed


def test_a_lane_at_rest_takes_a_few_hundred_bytes() -> None:
    count, resting = 10_000, RestingLanes()
    subscriptions = [subscription(number=number) for number in range(1_000, 1_000 + count)]
    tracemalloc.start()
    try:
        for each in subscriptions:
            lane = at_rest(each, replace(ROW, version=1_000_000 + each.number, head=1_000_000 + each.number), 0)
            assert lane is not None
            resting.add(lane)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(resting) == count
    assert taken / count < BYTES_OF_A_LANE
