"""A subscription whose endpoint fails for days is disabled, loudly, and loses nothing."""

import asyncio

import msgspec
import pytest
from gateway.tests.engine.world import BROKEN, TENANT, Life, Reply, World

from signalpost.commands.subscriptions import DisableSubscription, PatchSubscription
from signalpost.domain.delivery.breaker import Breaker
from signalpost.domain.errors import Conflict, PreconditionFailed
from signalpost.domain.timestamps import SECOND, format_timestamp
from signalpost.store.store import Health

pytest_plugins = ["gateway.tests.engine.engine_fixtures"]

DAY = 24 * 3600 * SECOND


def _fail_for(world: World, days: float) -> int:
    """Let the breaker of `a` be open, and its endpoint have failed for so long; since when."""
    at = world.wall_at(world.now)
    since = at - round(days * DAY)
    breaker = Breaker(failures=500, failing_since=since, probe_at=at + 30 * SECOND, wait=300 * SECOND)
    world.query("UPDATE lane SET health = ?", msgspec.json.encode(Health(breaker, "status: 503 Service Unavailable.")))
    return since


async def _begin(life: Life) -> None:
    await life.subscribe("a")
    life.world.endpoint("a").answers(BROKEN)
    await life.create(*(f"d{number}" for number in range(30)))


def test_after_five_days_without_a_success_it_is_disabled_loudly(world: World) -> None:
    async def second(life: Life) -> None:
        await life.until(lambda: life.of("a").status == "disabled", within=100)
        health = life.health("a")
        assert health["state"] == "disabled"
        assert health["failingSince"] == format_timestamp(since)
        assert health["disabledAt"] == format_timestamp(life.of("a").disabled_at or 0)
        assert format_timestamp(since) in health["disabledReason"]
        assert "active" in health["disabledReason"]
        assert life.engine.counts.disabled == 1
        assert life.engine.overview().subscriptions["disabled"] == 1
        assert world.logged("error", "subscription disabled") == 1
        sent = len(world.endpoint("a").calls)
        await life.create("more")
        await asyncio.sleep(1_000)
        assert len(world.endpoint("a").calls) == sent, "nothing more is sent"
        assert life.health("a")["lag"] >= 27

    world.crash(_begin)
    since = _fail_for(world, 5)
    world.run(second)


def test_before_that_it_is_not(world: World) -> None:
    async def second(life: Life) -> None:
        await asyncio.sleep(3_000)
        assert life.of("a").status == "active"

    world.crash(_begin)
    _fail_for(world, 4.9)
    world.run(second)


def test_since_when_it_fails_outlives_restarts(world: World) -> None:
    async def second(life: Life) -> None:
        await asyncio.sleep(200)
        assert life.health("a")["failingSince"] == format_timestamp(since)

    async def third(life: Life) -> None:
        await life.until(lambda: life.of("a").status == "disabled", within=0.2 * DAY / SECOND, every=60)

    world.crash(_begin)
    since = _fail_for(world, 4.9)
    world.run(second)
    world.run(third)


@pytest.mark.parametrize("crash", [True, False])
def test_resumed_it_delivers_all_that_waited_and_its_days_begin_anew(world: World, crash: bool) -> None:
    async def second(life: Life) -> None:
        await life.until(lambda: life.of("a").status == "disabled", within=100)
        await life.create(*(f"e{number}" for number in range(30)))
        await life.change("a", status="active")
        assert life.health("a")["disabledAt"] is None
        assert life.health("a")["disabledReason"] is None

    async def third(life: Life) -> None:
        await asyncio.sleep(2_000)
        assert life.of("a").status == "active", "the failures of before it was resumed count no more"
        world.endpoint("a").answers(Reply())
        await life.until(lambda: set(world.endpoint("a").sequences) | set(_failed(world)) == set(range(1, 61)), every=5)
        for sequence in _failed(world):
            await life.retry("a", sequence)
        await life.until(lambda: set(world.endpoint("a").sequences) == set(range(1, 61)))
        assert life.health("a")["state"] == "healthy"

    world.crash(_begin)
    _fail_for(world, 5)
    (world.crash if crash else world.run)(second)
    world.run(third)


def _failed(world: World) -> list[int]:
    return [sequence for sequence, row in world.deliveries("a").items() if row.state == 3]


def test_it_stays_disabled_over_a_restart(world: World) -> None:
    async def second(life: Life) -> None:
        await life.until(lambda: life.of("a").status == "disabled", within=100)

    async def third(life: Life) -> None:
        sent = len(world.endpoint("a").calls)
        assert life.health("a")["state"] == "disabled"
        assert "failed since" in life.health("a")["disabledReason"]
        await asyncio.sleep(1_000)
        assert len(world.endpoint("a").calls) == sent

    world.crash(_begin)
    _fail_for(world, 6)
    world.crash(second)
    world.run(third)


def test_whoever_changed_it_just_before_wins(world: World) -> None:
    async def scenario(life: Life) -> None:
        found = await life.subscribe("a")
        identity = world.ids["a"]
        stale = DisableSubscription(tenant_id=TENANT, subscription_id=identity, if_match=frozenset({found.etag}))
        patch = PatchSubscription(tenant_id=TENANT, subscription_id=identity, checked={"name": "looked at"})
        patched, refused = await asyncio.gather(
            life.engine.submit(patch), life.engine.submit(stale), return_exceptions=True
        )
        assert not isinstance(patched, BaseException)
        assert isinstance(refused, PreconditionFailed)
        assert life.of("a").status == "active"

    world.run(scenario)


def test_a_retry_by_hand_is_refused_until_it_is_resumed(world: World) -> None:
    async def second(life: Life) -> None:
        await life.until(lambda: life.of("a").status == "disabled", within=100)
        with pytest.raises(Conflict, match="disabled: resume it"):
            await life.retry("a", 1)

    world.crash(_begin)
    _fail_for(world, 5)
    world.run(second)
