"""A sample event, sent to try an endpoint: beside the log, the lane and everything that they know."""

import asyncio
from collections.abc import Sequence

import pytest
from gateway.tests.acceptance.page import verify_signature
from gateway.tests.engine.scripted_world import TENANT, RunningGateway, ScriptedWorld
from gateway.tests.world.network import BROKEN, HANG, REFUSED, Reply
from msgspec.structs import replace

from signalpost.domain.delivery.outcome import Failure, Outcome
from signalpost.domain.delivery.receiver_cases import CASES, SECONDS, TOO_MANY, TOOK_TOO_LONG, CaseFinding, Verdict
from signalpost.domain.documents import sample
from signalpost.domain.errors import TooMany
from signalpost.domain.event import Event, EventType
from signalpost.engine.endpoint_tests import MAX_TESTS
from signalpost.sharing.shares import Shares, alone

pytest_plugins = ["gateway.tests.engine.engine_fixtures"]


def event(gateway: RunningGateway, event_type: EventType = EventType.CREATED) -> Event:
    return sample.event(event_type, TENANT, gateway.clock.wall(), gateway.world.random.getrandbits)


async def try_out(gateway: RunningGateway, host: str = "a") -> Outcome:
    return await gateway.engine.endpoint_tests.run(gateway.of(host), event(gateway))


def test_a_sample_says_that_it_is_one_and_is_signed_as_all_are(world: ScriptedWorld) -> None:
    """C13, C18, C19"""

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", headers={"x-mine": "1"})
        assert (await try_out(gateway)).failure is None
        (call,) = world.endpoint("a").calls
        assert call.headers["signalpost-test"] == "true"
        assert "signalpost-replay" not in call.headers
        assert (call.sequence, call.attempt) == (0, 1)
        assert call.headers["x-mine"] == "1"
        assert verify_signature(call.body, call.headers, b"not a secret")

    world.run(scenario)


@pytest.mark.parametrize("reply", [Reply(), BROKEN, HANG, REFUSED, Reply(status=429, retry_after="3600")])
def test_nothing_of_it_is_kept_or_counted(world: ScriptedWorld, reply: Reply) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        await gateway.create("x")
        await asyncio.sleep(1)
        before = gateway.health("a"), world.lane("a"), gateway.of("a")
        world.endpoint("a").answers(reply)
        for _ in range(30):
            await try_out(gateway)
        await gateway.until_recorded()
        assert (gateway.health("a"), world.lane("a"), gateway.of("a")) == before
        assert [entry.sequence for entry in await gateway.log()] == [1]
        assert world.query("SELECT count(*) FROM attempt") == [(1,)]
        assert world.deliveries("a") == {}
        world.endpoint("a").answers(Reply())
        at = gateway.loop.time()
        await gateway.create("y")
        await asyncio.sleep(0.1)
        assert world.endpoint("a").calls[-1].sequence == 2
        assert world.endpoint("a").calls[-1].at < at + 0.1, "a Retry-After of a sample holds nothing"

    world.run(scenario)


def test_it_is_sent_while_paused_and_while_the_breaker_is_open(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", rateLimit=1)
        world.endpoint("a").answers(BROKEN)
        await gateway.create(*(f"d{number}" for number in range(40)))
        await gateway.until(lambda: gateway.health("a")["breaker"] == "open")
        opened = gateway.health("a")
        assert (await try_out(gateway)).failure is not None
        assert gateway.health("a") == opened
        await gateway.change("a", status="paused")
        world.endpoint("a").answers(Reply())
        for _ in range(5):
            assert (await try_out(gateway)).failure is None
        assert [call.sequence for call in world.endpoint("a").calls[-6:]] == [0] * 6
        assert gateway.health("a")["breaker"] == "closed"

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
def test_it_tells_what_came_back(
    world: ScriptedWorld, reply: Reply, failure: Failure | None, status: int | None
) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        world.endpoint("a").answers(reply)
        outcome = await try_out(gateway)
        assert (outcome.failure, outcome.status) == (failure, status)

    world.run(scenario)


def test_a_tenant_leaves_room_for_others_and_each_that_ends_makes_room(world: ScriptedWorld) -> None:
    shares = Shares(MAX_TESTS)
    most = sum(shares.take(alone(TENANT)) for _ in range(MAX_TESTS))

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        world.endpoint("a").answers(HANG)
        running = [asyncio.ensure_future(try_out(gateway)) for _ in range(most)]
        await asyncio.sleep(1)
        with pytest.raises(TooMany) as refused:
            await try_out(gateway)
        assert refused.value.retry_after > 0
        assert len(world.endpoint("a").calls) == most < MAX_TESTS
        others = replace(gateway.of("a"), tenant_id=TENANT + 1)
        running.append(asyncio.ensure_future(gateway.engine.endpoint_tests.run(others, event(gateway))))
        await asyncio.sleep(1)
        assert len(world.endpoint("a").calls) == most + 1
        running[0].cancel()
        await asyncio.sleep(1)
        with pytest.raises(TooMany):
            await try_out(gateway)  # nobody waits for it any more, and still it is under way
        await asyncio.gather(*running, return_exceptions=True)
        world.endpoint("a").answers(Reply())
        assert [(await try_out(gateway)).failure for _ in range(2 * MAX_TESTS)] == [None] * 2 * MAX_TESTS

    world.run(scenario)


def test_a_client_that_gave_up_leaves_no_complaint(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        world.endpoint("a").answers(Reply(after=2))
        asked = asyncio.ensure_future(try_out(gateway))
        await asyncio.sleep(1)
        asked.cancel()
        await asyncio.sleep(5)
        assert world.endpoint("a").calls[0].is_delivered

    world.run(scenario)
    assert world.logged("error", "") == 0


def test_one_that_the_end_of_the_gateway_cuts_says_so(world: ScriptedWorld) -> None:
    asked: list[asyncio.Future[Outcome]] = []

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        world.endpoint("a").answers(Reply(after=4.5))
        asked.append(asyncio.ensure_future(try_out(gateway)))
        await asyncio.sleep(1)

    world.run(scenario, grace=1.0)
    assert asked[0].result().failure is Failure.INTERRUPTED


# --- The ten cases ----------------------------------------------------------------------------------------------------


async def run_cases(gateway: RunningGateway, host: str = "a") -> Sequence[CaseFinding]:
    tests = gateway.engine.endpoint_tests
    return await tests.run_cases(gateway.of(host), "a stranger", gateway.world.random.getrandbits)


def test_the_ten_cases_go_out_one_after_the_other_and_nothing_of_them_is_kept(world: ScriptedWorld) -> None:
    """C18. Other lanes are served meanwhile."""

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        await gateway.subscribe("b")
        await gateway.create("x")
        await asyncio.sleep(1)
        before = gateway.health("a"), world.lane("a"), gateway.of("a")
        world.endpoint("a").calls.clear()
        world.endpoint("a").answers(Reply(after=1))
        asked = asyncio.ensure_future(run_cases(gateway))
        await asyncio.sleep(3.5)
        at = gateway.loop.time()
        await gateway.create("y")
        await asyncio.sleep(0.1)
        assert world.endpoint("b").calls[-1].at < at + 0.1
        world.endpoint("a").answers(Reply())
        assert len(await asked) == len(CASES)
        calls = [call for call in world.endpoint("a").calls if "signalpost-test" in call.headers]
        assert len(calls) == len(CASES)
        assert {call.headers["signalpost-test"] for call in calls} == {"true"}
        assert [case.name for case, call in zip(CASES, calls, strict=True) if "signalpost-replay" in call.headers] == [
            "replay"
        ]
        assert [call.attempt for call in calls].count(2) == 1
        await gateway.until_recorded()
        assert (gateway.of("a"), world.lane("a").open) == (before[2], before[1].open)
        assert world.query("SELECT count(*) FROM attempt WHERE sequence = 0") == [(0,)]

    world.run(scenario)


def test_of_a_subscription_one_run_is_under_way_at_a_time(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        await gateway.subscribe("b")
        world.endpoint("a").answers(Reply(after=2))
        first = asyncio.ensure_future(run_cases(gateway))
        await asyncio.sleep(1)
        with pytest.raises(TooMany) as refused:
            await run_cases(gateway)
        assert refused.value.code == "test_run_under_way"
        assert len(await run_cases(gateway, "b")) == len(CASES)
        first.cancel()
        await asyncio.sleep(5)
        assert len(world.endpoint("a").calls) == 1, "a client that is gone gets no further case"
        world.endpoint("a").answers(Reply())
        assert len(await run_cases(gateway)) == len(CASES)

    world.run(scenario)


def test_a_run_ends_soon_whatever_the_endpoint_does(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        began = gateway.loop.time()
        world.endpoint("a").answers(HANG)
        findings = await run_cases(gateway)
        assert gateway.loop.time() - began < 6
        assert len(world.endpoint("a").calls) == 1
        assert [each.verdict for each in findings].count(Verdict.NOT_SENT) == len(CASES) - 1
        world.endpoint("a").answers(Reply(after=4.9))
        began = gateway.loop.time()
        findings = await run_cases(gateway)
        assert gateway.loop.time() - began < SECONDS + 6
        assert {each.advice for each in findings} == {None, TOOK_TOO_LONG}

    world.run(scenario)


def test_a_run_that_finds_no_room_is_refused_or_ends(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        await gateway.subscribe("b")
        world.endpoint("a").answers(HANG)
        others: list[asyncio.Future[Outcome]] = []

        def bits(count: int) -> int:  # which is asked for when a case is made
            others.append(asyncio.ensure_future(try_out(gateway)))
            return gateway.world.random.getrandbits(count)

        tests = gateway.engine.endpoint_tests
        findings = await tests.run_cases(gateway.of("b"), "a stranger", bits)
        assert findings[0].verdict is Verdict.PASSED
        assert findings[-1].advice == TOO_MANY
        with pytest.raises(TooMany):
            await run_cases(gateway, "b")
        await asyncio.gather(*others, return_exceptions=True)
        assert [each.verdict for each in await run_cases(gateway, "b")].count(Verdict.PASSED) == len(CASES) - 1

    world.run(scenario)
