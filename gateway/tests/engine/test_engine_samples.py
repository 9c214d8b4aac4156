"""A sample event, sent to try an endpoint: beside the log, the lane and everything that they know."""

import asyncio

import pytest
from gateway.tests.acceptance.page import verify_signature
from gateway.tests.engine.world import BROKEN, HANG, REFUSED, TENANT, Life, Reply, World

from signalpost.domain.delivery.outcome import Failure, Outcome
from signalpost.domain.documents import sample
from signalpost.domain.errors import TooMany
from signalpost.domain.event import Event, EventType
from signalpost.engine.engine import MAX_TESTS

pytest_plugins = ["gateway.tests.engine.engine_fixtures"]


def event(life: Life, event_type: EventType = EventType.CREATED) -> Event:
    return sample.event(event_type, TENANT, life.clock.wall(), life.world.random.getrandbits)


async def try_out(life: Life, host: str = "a") -> Outcome:
    return await life.engine.test(life.of(host), event(life))


def test_a_sample_says_that_it_is_one_and_is_signed_as_all_are(world: World) -> None:
    """C13, C18, C19"""

    async def scenario(life: Life) -> None:
        await life.subscribe("a", headers={"x-mine": "1"})
        assert (await try_out(life)).failure is None
        (call,) = world.endpoint("a").calls
        assert call.headers["signalpost-test"] == "true"
        assert "signalpost-replay" not in call.headers
        assert (call.sequence, call.attempt) == (0, 1)
        assert call.headers["x-mine"] == "1"
        assert verify_signature(call.body, call.headers, b"not a secret")

    world.run(scenario)


@pytest.mark.parametrize("reply", [Reply(), BROKEN, HANG, REFUSED, Reply(status=429, retry_after="3600")])
def test_nothing_of_it_is_kept_or_counted(world: World, reply: Reply) -> None:
    async def scenario(life: Life) -> None:
        await life.subscribe("a")
        await life.create("x")
        await asyncio.sleep(1)
        before = life.health("a"), world.lane("a"), life.of("a")
        world.endpoint("a").answers(reply)
        for _ in range(30):
            await try_out(life)
        await life.until_recorded()
        assert (life.health("a"), world.lane("a"), life.of("a")) == before
        assert [entry.sequence for entry in await life.log()] == [1]
        assert world.query("SELECT count(*) FROM attempt") == [(1,)]
        assert world.deliveries("a") == {}
        world.endpoint("a").answers(Reply())
        at = life.loop.time()
        await life.create("y")
        await asyncio.sleep(0.1)
        assert world.endpoint("a").calls[-1].sequence == 2
        assert world.endpoint("a").calls[-1].at < at + 0.1, "a Retry-After of a sample holds nothing"

    world.run(scenario)


def test_it_is_sent_while_paused_and_while_the_breaker_is_open(world: World) -> None:
    async def scenario(life: Life) -> None:
        await life.subscribe("a", rateLimit=1)
        world.endpoint("a").answers(BROKEN)
        await life.create(*(f"d{number}" for number in range(40)))
        await life.until(lambda: life.health("a")["breaker"] == "open")
        opened = life.health("a")
        world.endpoint("a").answers(Reply())
        assert (await try_out(life)).failure is None
        assert life.health("a") == opened, "that the sample arrived closes nothing"
        await life.change("a", status="paused")
        for _ in range(5):
            assert (await try_out(life)).failure is None
        assert [call.sequence for call in world.endpoint("a").calls[-6:]] == [0] * 6

    world.run(scenario)


@pytest.mark.parametrize(
    ("reply", "failure", "status"),
    [
        (Reply(204), None, 204),
        (BROKEN, Failure.STATUS, 500),
        (HANG, Failure.TIMEOUT, None),
        (REFUSED, Failure.CONNECT, None),
    ],
)
def test_it_tells_what_came_back(world: World, reply: Reply, failure: Failure | None, status: int | None) -> None:
    async def scenario(life: Life) -> None:
        await life.subscribe("a")
        world.endpoint("a").answers(reply)
        outcome = await try_out(life)
        assert (outcome.failure, outcome.status) == (failure, status)

    world.run(scenario)


def test_only_so_many_are_under_way_and_each_that_ends_makes_room(world: World) -> None:
    async def scenario(life: Life) -> None:
        await life.subscribe("a")
        world.endpoint("a").answers(HANG)
        running = [asyncio.ensure_future(try_out(life)) for _ in range(MAX_TESTS)]
        await asyncio.sleep(1)
        with pytest.raises(TooMany) as refused:
            await try_out(life)
        assert refused.value.retry_after > 0
        assert len(world.endpoint("a").calls) == MAX_TESTS
        running[0].cancel()
        await asyncio.sleep(1)
        with pytest.raises(TooMany):
            await try_out(life)  # nobody waits for it any more, and still it is under way
        await asyncio.gather(*running, return_exceptions=True)
        world.endpoint("a").answers(Reply())
        assert [(await try_out(life)).failure for _ in range(2 * MAX_TESTS)] == [None] * 2 * MAX_TESTS

    world.run(scenario)


def test_a_client_that_gave_up_leaves_no_complaint(world: World) -> None:
    async def scenario(life: Life) -> None:
        await life.subscribe("a")
        world.endpoint("a").answers(Reply(after=2))
        asked = asyncio.ensure_future(try_out(life))
        await asyncio.sleep(1)
        asked.cancel()
        await asyncio.sleep(5)
        assert world.endpoint("a").calls[0].delivered

    world.run(scenario)
    assert world.logged("error", "") == 0


def test_one_that_the_end_of_the_gateway_cuts_says_so(world: World) -> None:
    asked: list[asyncio.Future[Outcome]] = []

    async def scenario(life: Life) -> None:
        await life.subscribe("a")
        world.endpoint("a").answers(Reply(after=4.5))
        asked.append(asyncio.ensure_future(try_out(life)))
        await asyncio.sleep(1)

    world.run(scenario, grace=1.0)
    assert asked[0].result().failure is Failure.INTERRUPTED
