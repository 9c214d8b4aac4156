"""Each tenant's events are kept as long as was set for it, whatever is set for the others or for the gateway."""

import asyncio

import pytest
from gateway.tests.engine.scripted_world import TENANT, RunningGateway, ScriptedWorld
from gateway.tests.examples import cases
from gateway.tests.world.network import BROKEN
from msgspec.structs import replace

from signalpost.commands.tenants import ChangeTenant, CreateTenant
from signalpost.domain.delivery.lane_bounds import Bounds
from signalpost.domain.errors import Unavailable
from signalpost.domain.timestamps import DAY, SECOND
from signalpost.engine.maintenance.retention import AGAIN_AFTER, EVERY, FIRST_AFTER
from signalpost.store.sqlite.database import SqliteDatabase

pytest_plugins = ["gateway.tests.engine.engine_fixtures"]

HOUR = 3_600.0
LATE = int(EVERY + FIRST_AFTER) * SECOND
"""How much longer than its retention an event may be there: until the next pass."""
GATEWAYS = 2
"""For how many days the gateway keeps events."""


class Tenants:
    """Tenants with a retention each, and when their events were made."""

    def __init__(self, world: ScriptedWorld, **days: int | None) -> None:
        self.world = world
        self.days = {"default": None, **days}
        self.ids = {name: TENANT + number for number, name in enumerate(self.days)}
        self._made: dict[str, list[int]] = {name: [] for name in self.days}

    async def make(self, gateway: RunningGateway) -> None:
        for name in list(self.days)[1:]:
            await gateway.submit(CreateTenant(tenant_id=TENANT, name=name))
            await self.keep(gateway, name, self.days[name])
        assert self.ids.items() <= {each.name: each.id for each in gateway.engine.directory.tenants()}.items()

    async def keep(self, gateway: RunningGateway, name: str, days: int | None) -> None:
        self.days[name] = days
        await gateway.submit(ChangeTenant(tenant_id=TENANT, name=name, retention_days=days))

    async def create(self, gateway: RunningGateway) -> None:
        """An event of each tenant."""
        for name, tenant_id in self.ids.items():
            title = f"{name} {len(self._made[name])}"[-16:]
            await gateway.submit(replace(self.world.create(title), tenant_id=tenant_id))
            self._made[name].append(self._now())

    def check(self, late: int = LATE) -> None:
        """Everything that is not older than its tenant's retention is there, and nothing that is, but for a little."""
        for name, days in self.days.items():
            kept = (GATEWAYS if days is None else days) * DAY
            events = self.world.query("SELECT sequence, at FROM event WHERE tenant_id = ?", self.ids[name])
            too_young = [at for at in self._made[name] if self._now() - at < kept]
            assert len(events) >= len(too_young), f"{name} lost something"
            assert all(self._now() - at <= kept + late for _, at in events), f"{name} kept something"
            [(floor,)] = self.world.query("SELECT floor FROM tenant WHERE id = ?", self.ids[name])
            assert min((sequence for sequence, _ in events), default=floor) == floor

    def count(self, name: str) -> int:
        return int(self.world.query("SELECT count(*) FROM event WHERE tenant_id = ?", self.ids[name])[0][0])

    def _now(self) -> int:
        return self.world.wall.at(self.world.time.now)


def test_at_every_hour_each_tenant_has_what_it_keeps_and_no_more(world: ScriptedWorld) -> None:
    tenants = Tenants(world, brief=1, long=4)

    async def scenario(gateway: RunningGateway) -> None:
        await tenants.make(gateway)
        for _ in range(6 * 24):
            await tenants.create(gateway)
            await asyncio.sleep(HOUR)
            tenants.check()
        counts = {name: tenants.count(name) for name in tenants.days}
        assert [
            counts[name] in (days * 24, days * 24 + 1) for name, days in (("default", 2), ("brief", 1), ("long", 4))
        ]
        assert world.logged("error", "") == 0

    world.run(scenario, retention_days=GATEWAYS)


def test_a_pass_that_failed_is_made_again_before_the_next_would_be(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.create("x")
        await asyncio.sleep(23 * HOUR)
        world.faults.prune = Unavailable("the tenant's row is locked")
        await asyncio.sleep(2 * HOUR + EVERY / 2)
        assert world.query("SELECT count(*) FROM event WHERE tenant_id > 0") == [(1,)]
        world.faults.prune = None
        await asyncio.sleep(AGAIN_AFTER + 1)
        assert world.query("SELECT count(*) FROM event WHERE tenant_id > 0") == [(0,)]

    world.run(scenario, retention_days=1)


@pytest.mark.parametrize("crash", cases([True, False], [True]))
def test_a_change_counts_from_the_next_pass_on_and_after_a_restart(world: ScriptedWorld, crash: bool) -> None:
    tenants = Tenants(world, acme=4, other=None)

    async def before(gateway: RunningGateway) -> None:
        await tenants.make(gateway)
        await tenants.create(gateway)
        await asyncio.sleep(30 * HOUR)
        assert [tenants.count(name) for name in tenants.days] == [1, 1, 1]
        await tenants.keep(gateway, "acme", 1)
        await asyncio.sleep(EVERY + 1)
        assert [tenants.count(name) for name in tenants.days] == [1, 0, 1]
        await tenants.create(gateway)
        await tenants.keep(gateway, "acme", 3)

    async def after(gateway: RunningGateway) -> None:
        await asyncio.sleep(60 * HOUR)
        tenants.check()
        assert [tenants.count(name) for name in tenants.days] == [0, 1, 0]
        await tenants.keep(gateway, "acme", None)
        await asyncio.sleep(EVERY + 1)
        assert tenants.count("acme") == 0

    (world.crash if crash else world.run)(before, retention_days=GATEWAYS)
    world.run(after, retention_days=GATEWAYS)


def test_a_lane_loses_what_its_own_tenant_does_not_keep_and_says_so(world: ScriptedWorld) -> None:
    """The subscription of the tenant that keeps events for a day is told; the one of the gateway's tenant is not."""
    tenants = Tenants(world, brief=1)

    async def scenario(gateway: RunningGateway) -> None:
        await tenants.make(gateway)
        await gateway.subscribe("mine", status="paused")
        asked = world.subscription("theirs", status="paused")
        await gateway.submit(replace(asked, tenant_id=tenants.ids["brief"]))
        await tenants.create(gateway)
        await asyncio.sleep(30 * HOUR)
        theirs = gateway.engine.directory.subscription(tenants.ids["brief"], world.ids["theirs"])
        assert theirs is not None
        lane = gateway.engine.lanes.views.here(theirs)
        assert lane is not None
        assert (lane.standing.health.lost, gateway.health("mine")["lost"]) == (1, 0)

    world.run(scenario, retention_days=GATEWAYS)


def test_a_lane_loses_the_retries_too_that_only_the_store_has(world: ScriptedWorld) -> None:
    """The lane has the two in memory that are due first."""
    world.bounds = Bounds(retries_kept=2, retries_loaded=3)
    world.endpoint("failing").answers(BROKEN)

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("failing", delays=(10 * 24 * 3_600,))
        await gateway.create(*(f"d{number}" for number in range(6)))
        await gateway.until_recorded()
        assert gateway.health("failing")["waiting"] == 6
        await asyncio.sleep((GATEWAYS + 1) * 24 * HOUR)
        assert (gateway.health("failing")["lost"], gateway.health("failing")["waiting"]) == (6, 0)

    world.run(scenario, retention_days=GATEWAYS)
    assert world.deliveries("failing") == {}
    assert world.logged("error", "the retention removes events that were not delivered") == 1


def test_replays_that_ended_go_with_their_tenant_s_retention(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.submit(ChangeTenant(tenant_id=TENANT, name="default", retention_days=1))
        await gateway.subscribe("a")
        await gateway.create("x")
        await asyncio.sleep(1)
        await gateway.replay("a", "all")
        await asyncio.sleep(20 * HOUR)
        assert world.query("SELECT count(*) FROM replay") == [(1,)]
        await asyncio.sleep(5 * HOUR)
        assert world.query("SELECT count(*) FROM replay") == [(0,)]

    world.run(scenario, retention_days=GATEWAYS)


def test_a_stopped_gateway_s_database_is_pruned_by_the_same_rule(world: ScriptedWorld) -> None:
    tenants = Tenants(world, brief=1, long=4)

    async def before(gateway: RunningGateway) -> None:
        await tenants.make(gateway)
        for _ in range(8):
            await tenants.create(gateway)
            await asyncio.sleep(2 * HOUR)

    world.run(before, retention_days=GATEWAYS)
    world.time.now += 3 * 24 * HOUR
    SqliteDatabase(world.path).prune(world.wall.at(world.time.now), GATEWAYS * DAY, lambda *_: None)
    tenants.check(late=0)
    assert [tenants.count(name) for name in tenants.days] == [0, 0, 8]
