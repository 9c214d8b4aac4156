"""A subscription whose endpoint fails for days is disabled, loudly, and loses nothing."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from gateway.tests.bodies import subscription_patch
from gateway.tests.engine.scripted_world import TENANT, RunningGateway, ScriptedWorld
from gateway.tests.engine.subscriptions import subscription
from gateway.tests.world.network import BROKEN, Reply

from signalpost.commands.subscriptions import DisableSubscription, PatchSubscription
from signalpost.domain.delivery.breaker import Breaker
from signalpost.domain.delivery.outcome import Failure
from signalpost.domain.errors import Conflict, PreconditionFailed
from signalpost.domain.timestamps import SECOND, format_timestamp
from signalpost.engine.counts import Counts
from signalpost.engine.lanes.auto_disable import AutoDisable
from signalpost.runtime.tasks import Tasks
from signalpost.store.nouns.lanes import EndpointHealth

pytest_plugins = ["gateway.tests.engine.engine_fixtures"]

DAY = 24 * 3600 * SECOND


def _fail_for(world: ScriptedWorld, days: float) -> int:
    """Let the breaker of `a` be open, and its endpoint have failed for so long; since when."""
    at = world.wall.at(world.time.now)
    since = at - round(days * DAY)
    breaker = Breaker(failures=500, failing_since=since, probe_at=at + 30 * SECOND, wait=300 * SECOND)
    world.query(
        "UPDATE lane SET health = ?", msgspec.json.encode(EndpointHealth(breaker, "status: 503 Service Unavailable."))
    )
    return since


async def _begin(gateway: RunningGateway) -> None:
    await gateway.subscribe("a")
    gateway.world.endpoint("a").answers(BROKEN)
    await gateway.create(*(f"d{number}" for number in range(30)))


def test_after_five_days_without_a_success_it_is_disabled_loudly(world: ScriptedWorld) -> None:
    async def second(gateway: RunningGateway) -> None:
        await gateway.until(lambda: gateway.of("a").status == "disabled", within=100)
        health = gateway.health("a")
        assert health["state"] == "disabled"
        assert health["failingSince"] == format_timestamp(since)
        assert health["disabledAt"] == format_timestamp(gateway.of("a").disabled_at or 0)
        assert format_timestamp(since) in health["disabledReason"]
        assert "active" in health["disabledReason"]
        assert gateway.engine.counts.disabled == 1
        assert (await gateway.engine.lanes.views.overview()).subscriptions["disabled"] == 1
        assert world.logged("error", "subscription disabled") == 1
        sent = len(world.endpoint("a").calls)
        await gateway.create("more")
        await asyncio.sleep(1_000)
        assert len(world.endpoint("a").calls) == sent, "nothing more is sent"
        assert gateway.health("a")["lag"] >= 27

    world.crash(_begin)
    since = _fail_for(world, 5)
    world.run(second)


def test_one_that_is_resumed_and_fails_for_days_once_more_is_disabled_once_more(world: ScriptedWorld) -> None:
    async def second(gateway: RunningGateway) -> None:
        await gateway.until(lambda: gateway.of("a").status == "disabled", within=100)
        await gateway.change("a", status="active")
        await asyncio.sleep(4.9 * DAY / SECOND)
        await gateway.create("early")
        await asyncio.sleep(1_000)
        assert gateway.of("a").status == "active", "its days are counted from the resume"
        await asyncio.sleep(0.1 * DAY / SECOND)
        await gateway.create("late")
        await gateway.until(lambda: gateway.of("a").status == "disabled", within=1_000)
        assert gateway.engine.counts.disabled == 2

    world.crash(_begin)
    _fail_for(world, 5)
    world.run(second)


def test_before_that_it_is_not(world: ScriptedWorld) -> None:
    async def second(gateway: RunningGateway) -> None:
        await asyncio.sleep(3_000)
        assert gateway.of("a").status == "active"

    world.crash(_begin)
    _fail_for(world, 4.9)
    world.run(second)


def test_what_the_operators_proxy_failed_disables_nobody_and_the_endpoints_days_begin_after_it(
    world: ScriptedWorld,
) -> None:
    async def second(gateway: RunningGateway) -> None:
        endpoint = gateway.world.endpoint("a")
        endpoint.answers(Reply(status=None, failure=Failure.PROXY))
        await asyncio.sleep(3_000)
        assert gateway.of("a").status == "active"
        assert gateway.health("a")["breaker"] == "open"
        endpoint.answers(BROKEN)
        await asyncio.sleep(4.9 * DAY / SECOND)
        await gateway.create("early")
        await asyncio.sleep(1_000)
        assert gateway.of("a").status == "active"
        await asyncio.sleep(0.1 * DAY / SECOND)
        await gateway.create("late")
        await gateway.until(lambda: gateway.of("a").status == "disabled", within=1_000)

    world.crash(_begin)
    _fail_for(world, 5)
    world.run(second)


def test_since_when_it_fails_outlives_restarts(world: ScriptedWorld) -> None:
    async def second(gateway: RunningGateway) -> None:
        await asyncio.sleep(200)
        assert gateway.health("a")["failingSince"] == format_timestamp(since)

    async def third(gateway: RunningGateway) -> None:
        await gateway.until(lambda: gateway.of("a").status == "disabled", within=0.2 * DAY / SECOND, every=60)

    world.crash(_begin)
    since = _fail_for(world, 4.9)
    world.run(second)
    world.run(third)


@pytest.mark.parametrize("crash", [True, False])
def test_resumed_it_delivers_all_that_waited_and_its_days_begin_anew(world: ScriptedWorld, crash: bool) -> None:
    async def second(gateway: RunningGateway) -> None:
        await gateway.until(lambda: gateway.of("a").status == "disabled", within=100)
        await gateway.create(*(f"e{number}" for number in range(30)))
        await gateway.change("a", status="active")
        assert gateway.health("a")["disabledAt"] is None
        assert gateway.health("a")["disabledReason"] is None

    async def third(gateway: RunningGateway) -> None:
        await asyncio.sleep(2_000)
        assert gateway.of("a").status == "active", "the failures of before it was resumed count no more"
        world.endpoint("a").answers(Reply())
        await gateway.until(
            lambda: set(world.endpoint("a").sequences) | set(_failed(world)) == set(range(1, 61)), every=5
        )
        for sequence in _failed(world):
            await gateway.retry("a", sequence)
        await gateway.until(lambda: set(world.endpoint("a").sequences) == set(range(1, 61)))
        assert gateway.health("a")["state"] == "healthy"

    world.crash(_begin)
    _fail_for(world, 5)
    (world.crash if crash else world.run)(second)
    world.run(third)


def _failed(world: ScriptedWorld) -> list[int]:
    return [sequence for sequence, row in world.deliveries("a").items() if row.state == 3]


def test_it_stays_disabled_over_a_restart(world: ScriptedWorld) -> None:
    async def second(gateway: RunningGateway) -> None:
        await gateway.until(lambda: gateway.of("a").status == "disabled", within=100)

    async def third(gateway: RunningGateway) -> None:
        sent = len(world.endpoint("a").calls)
        assert gateway.health("a")["state"] == "disabled"
        assert "failed since" in gateway.health("a")["disabledReason"]
        await asyncio.sleep(1_000)
        assert len(world.endpoint("a").calls) == sent

    world.crash(_begin)
    _fail_for(world, 6)
    world.crash(second)
    world.run(third)


def test_it_is_disabled_once_however_much_fails_before_that_is_committed_and_again_another_time() -> None:
    asked: list[Any] = []
    commit = asyncio.Event()

    async def submit(command: Any) -> None:
        asked.append(command)
        await commit.wait()

    breaker = Breaker(failures=500, failing_since=1, probe_at=1, wait=300 * SECOND)

    class FailingLane:
        subscription = subscription()
        health = EndpointHealth(breaker, "status: 503")
        excused_until = 0

    async def scenario() -> None:
        failing = cast(Any, FailingLane())
        clock: Any = SimpleNamespace(steady=lambda: 6 * DAY)
        auto_disable = AutoDisable(cast(Any, SimpleNamespace(submit=submit)), clock, Counts(), Tasks(), 5)
        for _ in range(3):
            auto_disable.consider(failing)
            await asyncio.sleep(0)
        assert len(asked) == 1
        commit.set()
        await asyncio.sleep(0.01)
        auto_disable.consider(failing)
        await asyncio.sleep(0.01)
        assert len(asked) == 2

    asyncio.run(scenario())


def test_whoever_changed_it_just_before_wins(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        found = await gateway.subscribe("a")
        identity = world.ids["a"]
        stale = DisableSubscription(tenant_id=TENANT, subscription_id=identity, if_match=frozenset({found.etag}))
        patch = PatchSubscription(
            tenant_id=TENANT, subscription_id=identity, patch=subscription_patch(name="looked at")
        )
        patched, refused = await asyncio.gather(
            gateway.engine.submit(patch), gateway.engine.submit(stale), return_exceptions=True
        )
        assert not isinstance(patched, BaseException)
        assert isinstance(refused, PreconditionFailed)
        assert gateway.of("a").status == "active"

    world.run(scenario)


def test_a_retry_by_hand_is_refused_until_it_is_resumed(world: ScriptedWorld) -> None:
    async def second(gateway: RunningGateway) -> None:
        await gateway.until(lambda: gateway.of("a").status == "disabled", within=100)
        with pytest.raises(Conflict, match="disabled: resume it"):
            await gateway.retry("a", 1)

    world.crash(_begin)
    _fail_for(world, 5)
    world.run(second)
