"""What endpoints are told of traces: only with events that are traced, and only if their subscription says so."""

import re
from typing import Any

from gateway.tests.engine.scripted_world import RunningGateway, ScriptedWorld
from gateway.tests.world.network import BROKEN, Reply, SentRequest
from msgspec.structs import replace

from signalpost.commands.command import Command
from signalpost.domain.trace_context import parse

pytest_plugins = ["gateway.tests.engine.engine_fixtures"]

HOST = "hooks.example"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
CONTEXT = bytes.fromhex(f"{TRACE}{SPAN}01")


def traced(world: ScriptedWorld, name: str, context: bytes = CONTEXT) -> Command[Any]:
    return world.create(name).traced(context)


def told(call: SentRequest) -> tuple[str, str]:
    """The trace and the span that a request names."""
    header = call.headers["traceparent"]
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", header)
    assert parse(header)
    return header[3:35], header[36:52]


async def hurry_a_retry(gateway: RunningGateway) -> None:
    """Have an event fail, and ask for a retry before its next attempt is due."""
    await gateway.subscribe(HOST, trace=True)
    gateway.world.endpoint(HOST).answers(BROKEN)
    await gateway.submit(traced(gateway.world, "a"))
    await gateway.until(lambda: len(gateway.world.attempts(HOST, 1)) == 1)
    await gateway.retry(HOST, 1)
    await gateway.until(lambda: len(gateway.world.attempts(HOST, 1)) == 2, every=1.0)


def test_an_endpoint_is_told_the_trace_of_an_event_with_a_span_of_the_attempt(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe(HOST, trace=True)
        await gateway.subscribe("other.example", trace=True)
        await gateway.submit(traced(world, "a"), world.create("b"), traced(world, "c", CONTEXT[:24] + b"\0"))
        await gateway.until(lambda: len(world.endpoint(HOST).calls) == len(world.endpoint("other.example").calls) == 3)

    world.run(scenario)
    calls = [*world.endpoint(HOST).calls, *world.endpoint("other.example").calls]
    assert ["traceparent" in call.headers for call in calls] == [True, False, False] * 2
    spans = [told(call) for call in calls if "traceparent" in call.headers]
    assert {trace for trace, _ in spans} == {TRACE}
    assert len({SPAN, *(span for _, span in spans)}) == 3


def test_an_endpoint_that_did_not_ask_is_sent_not_a_byte_more(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe(HOST)
        await gateway.submit(traced(world, "a"), world.create("b"))
        await gateway.until(lambda: len(world.endpoint(HOST).calls) == 2)
        await gateway.change(HOST, trace=True)
        await gateway.submit(traced(world, "c"))
        await gateway.until(lambda: len(world.endpoint(HOST).calls) == 3)
        await gateway.change(HOST, trace=False)
        await gateway.submit(traced(world, "d"))
        await gateway.until(lambda: len(world.endpoint(HOST).calls) == 4)

    world.run(scenario)
    with_trace, without, asked, no_more = world.endpoint(HOST).calls
    assert with_trace.headers.keys() == without.headers.keys() == no_more.headers.keys()
    assert asked.headers.keys() - without.headers.keys() == {"traceparent"}


def test_each_retry_has_a_span_of_its_own_in_the_same_trace(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe(HOST, trace=True)
        world.endpoint(HOST).answers(BROKEN)
        await gateway.submit(traced(world, "a"))
        await gateway.until(lambda: len(world.endpoint(HOST).calls) == 4)

    world.run(scenario)
    spans = [told(call) for call in world.endpoint(HOST).calls]
    assert {trace for trace, _ in spans} == {TRACE}
    assert len({span for _, span in spans}) == 4


def test_a_replay_and_a_retry_by_hand_begin_traces_of_their_own(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe(HOST, trace=True)
        await gateway.submit(traced(world, "a"))
        await gateway.until(lambda: len(world.endpoint(HOST).sequences) == 1)
        await gateway.until_recorded()
        await gateway.retry(HOST, 1)
        await gateway.until(lambda: len(world.endpoint(HOST).sequences) == 2)
        await gateway.until_recorded()
        await gateway.replay(HOST, "all")
        await gateway.until(lambda: len(world.endpoint(HOST).sequences) == 3)

    world.run(scenario)
    first, *asked = [told(call) for call in world.endpoint(HOST).calls]
    assert first[0] == TRACE
    assert len({trace for trace, _ in (first, *asked)}) == 3


def test_a_retry_by_hand_before_the_next_attempt_is_due_is_in_a_trace_of_its_own(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await hurry_a_retry(gateway)
        world.endpoint(HOST).answers(Reply())
        await gateway.until(lambda: len(world.endpoint(HOST).sequences) == 1)

    world.run(scenario)
    traces = [told(call)[0] for call in world.endpoint(HOST).calls]
    assert [trace == TRACE for trace in traces] == [True, False, True]


def test_an_attempt_that_a_crash_repeats_names_the_same_span(world: ScriptedWorld) -> None:
    async def before(gateway: RunningGateway) -> None:
        await gateway.subscribe(HOST, trace=True)
        await gateway.change(HOST, status="paused")
        await gateway.submit(traced(world, "a"))
        await gateway.change(HOST, status="active")
        await gateway.until(lambda: len(world.endpoint(HOST).calls) == 1, every=0.001)

    async def after(gateway: RunningGateway) -> None:
        await gateway.until(lambda: len(world.endpoint(HOST).calls) == 2)

    world.crash(before)
    world.run(after)
    first, repeated = world.endpoint(HOST).calls
    assert first.attempt == repeated.attempt == 1
    assert told(first) == told(repeated)


def test_a_large_event_is_told_of_too(world: ScriptedWorld) -> None:
    facts = {f"fact {number}": "x" * 4_000 for number in range(60)}

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe(HOST, trace=True)
        large = world.create("a")
        large = replace(large, new=replace(large.new, additional_facts=facts))
        await gateway.submit(large.traced(CONTEXT))
        await gateway.until(lambda: len(world.endpoint(HOST).sequences) == 1)

    world.run(scenario)
    assert told(world.endpoint(HOST).calls[0])[0] == TRACE
