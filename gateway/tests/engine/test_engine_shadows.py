"""A shadow gets what its original gets, once each, and costs the original nothing."""

import asyncio
from pathlib import Path

import pytest
from gateway.tests.engine.scripted_world import TENANT, RunningGateway, ScriptedWorld
from gateway.tests.world.network import BROKEN, HANG, Reply, SentRequest
from gateway.tests.world.virtual_time import VirtualExecutor

from signalpost.commands.tenants import ChangeTenant
from signalpost.domain.access.tenant_limits import LimitsPatch
from signalpost.domain.delivery.attention import attention
from signalpost.domain.errors import Conflict, Invalid, NotFound
from signalpost.domain.event import EventType
from signalpost_receiver import sign

pytest_plugins = ["gateway.tests.engine.engine_fixtures"]

HOUR = 3600


def sent(world: ScriptedWorld, host: str) -> list[int]:
    """What a host was sent, in order, with repetitions."""
    return [call.sequence for call in world.endpoint(host).calls]


def test_a_shadow_gets_each_event_of_its_original_once_and_is_told_that_it_is_one(world: ScriptedWorld) -> None:
    """C13, C18, C20"""

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", types=EventType.CREATED)
        await gateway.create("before")
        shadow = await gateway.shadow("b", of="a")
        await gateway.create("d", "e")
        await gateway.update("d")
        await gateway.until(lambda: sent(world, "a") == [1, 2, 3] and sent(world, "b") == [2, 3])
        assert all(call.headers["signalpost-shadow"] == "true" for call in world.endpoint("b").calls)
        assert not any("signalpost-shadow" in call.headers for call in world.endpoint("a").calls)
        assert shadow.secret != gateway.of("a").secret

    world.run(scenario)


def test_a_shadow_that_fails_is_tried_once_and_its_original_knows_nothing_of_it(world: ScriptedWorld) -> None:
    """C16 holds for the original alone."""

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        await gateway.shadow("b", of="a")
        world.endpoint("b").answers(BROKEN)
        for number in range(30):
            await gateway.create(f"d{number}")
            await asyncio.sleep(10)
        await asyncio.sleep(600)
        assert sent(world, "a") == [*range(1, 31)]
        assert len(sent(world, "b")) == len({*sent(world, "b")}), "nothing is sent twice"
        assert (gateway.health("b")["breaker"], gateway.health("a")["breaker"]) == ("open", "closed")
        health = gateway.health("a")
        assert (health["state"], health["failed"], health["lastError"]) == ("healthy", 0, None)
        views, directory = gateway.engine.lanes.views, gateway.engine.directory
        lanes, _ = await views.noteworthy(directory, TENANT, VirtualExecutor(), list)
        assert [lane.subscription.id for lane in lanes if attention(lane.needs, gateway.clock.wall())] == []
        overview = await gateway.engine.lanes.views.overview()
        assert overview.subscriptions.total() == 1, "metrics count no shadows"
        assert gateway.engine.counts.given_up == 0

    world.run(scenario)


def test_a_shadow_follows_its_original_from_the_same_event_on(world: ScriptedWorld) -> None:
    """C14"""

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", types=EventType.CREATED)
        await gateway.shadow("b", of="a")
        await gateway.create("d")
        await gateway.change("a", eventTypes=["documentUpdated"])
        await gateway.update("d", 2)
        await gateway.create("e")
        wanted = {"field": "document.title", "is": "no. 4"}
        await gateway.change("a", when=wanted, rateLimit=7, headers={"x-key": "1"})
        await gateway.update("d", 3)
        await gateway.until(lambda: sent(world, "a") == [1, 2, 3, 6])
        await gateway.until(lambda: sent(world, "b") == [1, 2, 3, 6])
        shadow = gateway.of("b")
        assert (shadow.when, shadow.rate_limit) == (wanted, 7)
        assert shadow.headers == {}, "it is at another origin"

    world.run(scenario)


def test_a_shadow_waits_as_long_as_its_original_does(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", after={"seconds": 2 * HOUR})
        await gateway.shadow("b", of="a")
        await gateway.create("d")
        await asyncio.sleep(HOUR)
        assert sent(world, "b") == []
        await gateway.change("a", after={"seconds": HOUR + 60})
        await asyncio.sleep(120)
        assert (sent(world, "a"), sent(world, "b")) == ([1], [1])

    world.run(scenario)


@pytest.mark.parametrize("crash", [True, False])
def test_a_shadow_that_hangs_takes_no_slot_that_its_original_wants(world: ScriptedWorld, crash: bool) -> None:
    waits: list[float] = []

    def answer(call: SentRequest) -> Reply:
        waits.append(call.at)
        return Reply()

    async def first(gateway: RunningGateway) -> None:
        await gateway.submit(ChangeTenant(tenant_id=TENANT, name="default", limits=LimitsPatch(in_flight=1)))
        await gateway.subscribe("a")
        await gateway.shadow("b", of="a")
        world.endpoint("b").answers(HANG)
        world.endpoint("a").answer = answer

    async def second(gateway: RunningGateway) -> None:
        for number in range(40):
            made = gateway.loop.time()
            await gateway.create(f"d{number}")
            await asyncio.sleep(1)
            assert len(waits) == number + 1
            assert waits[-1] < made + 0.5, "the shadow's attempts last 5 s each"
        assert 0 < world.endpoint("b").max_in_flight <= 1, "and it has one slot of its own"

    (world.crash if crash else world.run)(first)
    world.run(second)


def test_what_a_shadow_was_not_sent_within_an_hour_it_is_never_sent(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        await gateway.shadow("b", of="a")
        world.endpoint("b").answers(BROKEN)
        for number in range(400):
            await gateway.create(f"d{number}")
            await asyncio.sleep(30)
        assert gateway.health("b")["breaker"] == "open"
        world.endpoint("b").answers(Reply())
        before, mended = len(world.endpoint("b").calls), gateway.loop.time()
        await gateway.until(lambda: gateway.health("b")["lag"] == 0)
        calls = world.endpoint("b").calls[before:]
        made = {event.sequence: event.at for event in await gateway.log()}
        assert all(call.wall - made[call.sequence] <= HOUR * 1_000_000 for call in calls)
        newest = [sequence for sequence, at in made.items() if at > gateway.clock.wall() - (HOUR - 600) * 1_000_000]
        assert {*newest} <= {call.sequence for call in calls}, "what is newer is sent"
        assert gateway.loop.time() - mended < 400
        assert gateway.engine.counts.lost == 0

    world.run(scenario)


def test_a_shadow_that_is_resumed_goes_on_at_the_end_of_the_log(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        await gateway.shadow("b", of="a")
        await gateway.change("b", status="paused")
        await gateway.create("d")
        await gateway.change("b", status="active")
        await gateway.create("e")
        await gateway.until(lambda: sent(world, "b") == [2])
        assert sent(world, "a") == [1, 2]

    world.run(scenario)


def test_nothing_is_sent_to_a_shadow_again(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        await gateway.shadow("b", of="a")
        world.endpoint("b").answers(BROKEN)
        await gateway.create("d")
        await gateway.until(lambda: sent(world, "b") == [1])
        await gateway.until_recorded()
        with pytest.raises(Conflict, match="once"):
            await gateway.retry("b", 1)
        with pytest.raises(Conflict, match="once"):
            await gateway.replay("b", "failed")
        await gateway.replay("a", "all")
        await gateway.retry("a", 1)
        await asyncio.sleep(60)
        assert len(sent(world, "a")) >= 2
        assert sent(world, "b") == [1]

    world.run(scenario)


def test_a_promoted_shadow_takes_the_endpoint_over_with_its_secret_and_what_waits(world: ScriptedWorld) -> None:
    """C16, C19"""

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        await gateway.shadow("b", of="a")
        world.endpoint("a").answers(BROKEN)
        await gateway.create("d")
        await gateway.until(lambda: sent(world, "a") == [1] and sent(world, "b") == [1])
        old, new = gateway.of("a").secret, gateway.of("b").secret
        await gateway.promote("b")
        assert (gateway.of("a").url, gateway.of("b").url) == ("https://b/hook", "https://a/hook")
        assert (gateway.of("a").secret, gateway.of("b").secret) == (new, old)
        await gateway.create("e")
        await asyncio.sleep(30)
        assert sent(world, "b") == [1, 2, 1], "the retry of the original goes to its new endpoint"
        assert sent(world, "a") == [1, 2]
        for host, secret in (("a", old), ("b", new)):
            for call in world.endpoint(host).calls:
                assert call.headers[sign.PAGE_SIGNATURE] == sign.Signer(secret).page_signature(call.body)
        marked = [call.sequence for call in world.endpoint("a").calls if "signalpost-shadow" in call.headers]
        assert marked == [2], "the former endpoint is the shadow now"

    world.run(scenario)


def test_a_shadow_is_deleted_with_its_original(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        await gateway.shadow("b", of="a")
        await gateway.unsubscribe("a")
        await gateway.create("d")
        await asyncio.sleep(10)
        assert sent(world, "b") == []
        assert gateway.engine.directory.subscriptions(TENANT) == ()

    world.run(scenario)


def test_a_subscription_has_one_shadow_and_a_shadow_none(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        await gateway.shadow("b", of="a")
        with pytest.raises(Conflict, match="has a shadow already"):
            await gateway.shadow("c", of="a")
        with pytest.raises(Invalid, match="/shadowOf"):
            await gateway.shadow("c", of="b")
        await gateway.unsubscribe("b")
        await gateway.shadow("c", of="a")
        await gateway.unsubscribe("a")
        with pytest.raises(Invalid, match="/shadowOf"):
            await gateway.shadow("d", of="a")
        with pytest.raises(NotFound):
            await gateway.unsubscribe("c")

    world.run(scenario)


@pytest.mark.parametrize("reply", [Reply(), BROKEN, HANG])
def test_an_original_is_sent_the_same_with_a_shadow_as_without(tmp_path: Path, reply: Reply) -> None:
    """C16, C17"""

    def sent_to_original(*, with_shadow: bool) -> list[tuple[int, int]]:
        world = ScriptedWorld(tmp_path / f"{with_shadow}.db")

        def answer(call: SentRequest) -> Reply:
            return BROKEN if call.sequence % 5 == 0 and call.attempt < 3 else Reply()

        async def scenario(gateway: RunningGateway) -> None:
            await gateway.subscribe("a", when={"field": "document.title", "isNot": "no. 3"}, delays=(10, 60))
            world.endpoint("a").answer = answer
            if with_shadow:
                await gateway.shadow("b", of="a")
                world.endpoint("b").answers(reply)
            await gateway.create(*(f"d{number}" for number in range(20)))
            await gateway.update("d1", 10)
            await gateway.until(lambda: len({*world.endpoint("a").sequences}) == 29)
            await gateway.replay("a", "all")
            await asyncio.sleep(600)

        world.run(scenario)
        return sorted((call.sequence, call.attempt) for call in world.endpoint("a").calls)

    assert sent_to_original(with_shadow=True) == sent_to_original(with_shadow=False)
