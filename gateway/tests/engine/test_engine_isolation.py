"""No endpoint and no tenant keeps another from its deliveries."""

import asyncio
from collections.abc import Iterable

import msgspec
from gateway.tests.engine.scripted_world import TENANT, RunningGateway, ScriptedWorld
from gateway.tests.world.network import HANG, REFUSED, Reply, SentRequest
from msgspec.structs import replace

from signalpost.domain.delivery.breaker import Breaker
from signalpost.domain.delivery.concurrency import DOUBLES_EVERY
from signalpost.domain.timestamps import SECOND
from signalpost.sharing.slots import DEFAULTS
from signalpost.store.nouns.lanes import EndpointHealth

pytest_plugins = ["gateway.tests.engine.engine_fixtures"]

OTHER = TENANT + 1
LATE = Reply(after=4.9)


def _with_two_tenants(world: ScriptedWorld) -> None:
    """Another tenant in the database, before the process that knows it starts."""

    async def begin(gateway: RunningGateway) -> None:
        del gateway

    world.run(begin)
    world.query("INSERT INTO tenant (name) VALUES ('other')")


async def _subscribe(world: ScriptedWorld, gateway: RunningGateway, host: str, tenant_id: int) -> None:
    await gateway.submit(replace(world.subscription(host), tenant_id=tenant_id))


async def _create(world: ScriptedWorld, gateway: RunningGateway, tenant_id: int, names: Iterable[str]) -> None:
    await gateway.submit(*(replace(world.create(name), tenant_id=tenant_id) for name in names))


def _worst_delay(world: ScriptedWorld, host: str, created: dict[int, float]) -> float:
    """From the creation of events, by sequence, to their first sending to a host."""
    return max(world.endpoint(host).of(sequence)[0].at - at for sequence, at in created.items())


def test_any_number_of_endpoints_that_answer_just_in_time_leave_room_for_one_that_answers_fast(
    world: ScriptedWorld,
) -> None:
    hosts = [f"late{number}" for number in range(600)]

    async def scenario(gateway: RunningGateway) -> None:
        for host in hosts:
            await gateway.subscribe(host)
            world.endpoint(host).answers(LATE)
        await gateway.subscribe("good")
        await gateway.create("first")
        await gateway.until(lambda: world.endpoint("good").successes == 1)
        created = {}
        for number in range(100):
            created[number + 2] = gateway.loop.time()
            await gateway.create(f"d{number}")
            await asyncio.sleep(0.1)
        assert _worst_delay(world, "good", created) < 0.05
        assert sum(world.endpoint(host).in_flight for host in hosts) > DEFAULTS.process // 4

    world.run(scenario)


def test_a_new_endpoint_is_served_beside_many_that_hang(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        for number in range(300):
            await gateway.subscribe(f"hangs{number}")
            world.endpoint(f"hangs{number}").answers(HANG)
        await gateway.create(*(f"d{number}" for number in range(20)))
        await asyncio.sleep(20)
        await gateway.subscribe("new")
        began = gateway.loop.time()
        await gateway.create("one")
        await gateway.until(lambda: world.endpoint("new").successes == 1, within=10)
        assert gateway.loop.time() - began < 6, "it is taken for slow at first, so it waits for a slot of those"
        await gateway.create(*(f"e{number}" for number in range(500)))
        await gateway.until(lambda: world.endpoint("new").successes == 501, within=2)

    world.run(scenario)


def test_a_tenant_far_behind_holds_up_no_other(world: ScriptedWorld) -> None:
    _with_two_tenants(world)
    hosts = [f"h{number}" for number in range(20)]

    async def scenario(gateway: RunningGateway) -> None:
        for host in hosts:
            await gateway.subscribe(host, rateLimit=None)
            await gateway.change(host, status="paused")
            world.endpoint(host).answers(Reply(after=0.3))
        await gateway.create(*(f"d{number}" for number in range(2_000)))
        await _subscribe(world, gateway, "other", OTHER)
        await _create(world, gateway, OTHER, ["first"])
        for host in hosts:
            await gateway.change(host, status="active")
        await asyncio.sleep(10)
        created = {}
        for number in range(100):
            created[number + 2] = gateway.loop.time()
            await _create(world, gateway, OTHER, [f"o{number}"])
            await asyncio.sleep(0.05)
        assert _worst_delay(world, "other", created) < 0.05
        assert gateway.network.max_in_flight > DEFAULTS.process // 2
        assert max(world.endpoint(host).successes for host in hosts) < 2_000, "it was still behind"

    world.run(scenario)


def test_two_tenants_that_are_behind_get_the_same_whatever_endpoints_they_have(world: ScriptedWorld) -> None:
    _with_two_tenants(world)
    many, few = [f"h{number}" for number in range(40)], [f"o{number}" for number in range(4)]

    async def scenario(gateway: RunningGateway) -> None:
        for tenant_id, hosts in ((TENANT, many), (OTHER, few)):
            for host in hosts:
                await _subscribe(world, gateway, host, tenant_id)
                world.endpoint(host).answers(Reply(after=0.4))
        await _create(world, gateway, TENANT, (f"d{number}" for number in range(400)))
        await _create(world, gateway, OTHER, (f"d{number}" for number in range(2_500)))
        await asyncio.sleep(10)
        first = sum(world.endpoint(host).successes for host in many)
        second = sum(world.endpoint(host).successes for host in few)
        assert second < 10_000, "it is still behind"
        assert 0.5 < second / first < 2

    world.run(scenario)


def test_a_thousand_endpoints_that_come_back_begin_with_one_each_and_double_every_2_s_at_most(
    world: ScriptedWorld,
) -> None:
    hosts = [f"h{number}" for number in range(1_000)]
    recovered: dict[str, float] = {}
    seen: set[tuple[int, int]] = set()
    """How many steps of two seconds after its first request a host had how many under way."""

    async def first(gateway: RunningGateway) -> None:
        await asyncio.gather(*(gateway.subscribe(host) for host in hosts))
        await gateway.create(*(f"d{number}" for number in range(16)))

    def open_every_breaker() -> None:
        at = world.wall.at(world.time.now)
        breaker = Breaker(failures=20, failing_since=at - 60 * SECOND, probe_at=at + 5 * SECOND, wait=10 * SECOND)
        health = msgspec.json.encode(EndpointHealth(breaker, "status: 503"))
        world.query("UPDATE lane SET head = 0, open = x'', health = ?", health)

    def answer(call: SentRequest) -> Reply:
        step = int((call.at - recovered.setdefault(call.host, call.at)) * SECOND / DOUBLES_EVERY)
        seen.add((step, world.endpoint(call.host).in_flight))
        return Reply(after=0.5)

    async def second(gateway: RunningGateway) -> None:
        assert (await gateway.engine.lanes.views.overview()).subscriptions["breaker_open"] == 1_000
        await gateway.until(lambda: all(world.endpoint(host).successes == 16 for host in hosts), within=30, every=0.5)

    for host in hosts:
        world.endpoint(host).answers(REFUSED)
    world.crash(first)
    open_every_breaker()
    for host in hosts:
        world.endpoint(host).answer = answer
        world.endpoint(host).calls.clear()
    world.run(second)
    assert len(recovered) == 1_000
    assert {step: max(count for at, count in seen if at == step) for step in range(3)} == {0: 1, 1: 2, 2: 4}
