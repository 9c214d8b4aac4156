"""The spans that are made of what the engine did: a tree for every way of an event, read as collectors read it."""

import asyncio
from typing import Any

import pytest
from gateway.tests.collector import CollectedSpan, read, tree
from gateway.tests.engine.scripted_world import RunningGateway, ScriptedWorld
from gateway.tests.engine.test_engine_connectors import GRANTED, serve
from gateway.tests.engine.test_engine_traces import CONTEXT, HOST, SPAN, TRACE, hurry_a_retry, told, traced
from gateway.tests.world.network import BROKEN, REFUSED, Reply, VendorReply

from signalpost.commands.tenants import ChangeTenant
from signalpost.domain.spans import batch
from signalpost.engine.tracing.traces import MAX_ENDS

pytest_plugins = ["gateway.tests.engine.engine_fixtures"]


class Spans:
    """Keeps spans, as a collector reads them."""

    dropped = 0

    def __init__(self) -> None:
        self.all: list[CollectedSpan] = []

    def add(self, span: bytes) -> None:
        self.all += read(batch([span], {"service.name": "tried"}))

    def of(self, trace: str = TRACE) -> list[CollectedSpan]:
        return [span for span in self.all if span.trace == trace]

    def named(self, name: str) -> list[CollectedSpan]:
        return [span for span in self.all if span.name == name]

    @property
    def others(self) -> list[CollectedSpan]:
        """The spans of other traces than the client's."""
        return [span for span in self.all if span.trace != TRACE]


@pytest.fixture
def spans(world: ScriptedWorld) -> Spans:
    world.spans = made = Spans()
    return made


def seconds(span: CollectedSpan) -> float:
    return (span.ended - span.began) / 1e9


def test_an_event_that_is_delivered_is_a_creation_with_its_commit_and_its_attempt(
    world: ScriptedWorld, spans: Spans
) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe(HOST, trace=True)
        await gateway.submit(traced(world, "a"), world.create("b"))
        await gateway.until(lambda: len(world.endpoint(HOST).sequences) == 2)

    world.run(scenario)
    assert spans.all == spans.of()
    assert tree(spans.all) == {"create documentCreated": {"commit": {}, "POST": {}}}
    creation, commit, attempt = spans.named("create documentCreated") + spans.named("commit") + spans.named("POST")
    assert [each.kind for each in (creation, commit, attempt)] == ["PRODUCER", "INTERNAL", "CLIENT"]
    assert creation.parent == SPAN
    assert told(world.endpoint(HOST).calls[0]) == (TRACE, attempt.id)
    event = world.endpoint(HOST).calls[0].event_id
    assert creation.attributes == {
        "messaging.message.id": event, "messaging.operation.type": "create", "signalpost.sequence": 1,
    }  # fmt: skip
    assert attempt.attributes == {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "messaging.message.id": event,
        "messaging.operation.type": "send",
        "server.address": HOST,
        "server.port": 443,
        "signalpost.kind": "webhook",
        "signalpost.subscription": world.ids[HOST],
    }
    assert {each.failure for each in spans.all} == {None}
    assert seconds(attempt) == pytest.approx(0.01, abs=0.001)


def test_retries_are_attempts_of_the_same_trace_with_what_failed_and_how_long_they_waited(
    world: ScriptedWorld, spans: Spans
) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe(HOST, trace=True)
        replies = iter([BROKEN, REFUSED, Reply()])
        world.endpoint(HOST).answer = lambda _call: next(replies)
        await gateway.submit(traced(world, "a"))
        await gateway.until(lambda: len(world.endpoint(HOST).sequences) == 1)

    world.run(scenario)
    first, second, third = spans.named("POST")
    assert [each.attributes.get("http.request.resend_count") for each in (first, second, third)] == [None, 1, 2]
    assert [each.attributes.get("error.type") for each in (first, second, third)] == ["status", "connect", None]
    assert [each.attributes.get("http.response.status_code") for each in (first, second, third)] == [500, None, 200]
    assert first.failure
    assert second.failure
    assert third.failure is None
    waits = spans.named("wait retry")
    assert [each.attributes["signalpost.wait"] for each in waits] == ["retry", "retry"]
    assert [(wait.began, wait.ended) for wait in waits] == [(first.ended, second.began), (second.ended, third.began)]
    assert {each.parent for each in (first, second, third, *waits)} == {spans.named("create documentCreated")[0].id}
    assert [told(call)[1] for call in world.endpoint(HOST).calls] == [first.id, second.id, third.id]


def test_a_replay_and_a_retry_by_hand_are_traces_of_their_own_with_a_link(world: ScriptedWorld, spans: Spans) -> None:
    async def again(gateway: RunningGateway, times: int) -> None:
        await gateway.retry(HOST, 1)
        await gateway.until(lambda: len(world.endpoint(HOST).sequences) == times)
        await gateway.until_recorded()

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe(HOST, trace=True)
        await gateway.submit(traced(world, "a"))
        await gateway.until(lambda: len(world.endpoint(HOST).sequences) == 1)
        await gateway.until_recorded()
        await again(gateway, 2)
        await again(gateway, 3)  # under the same number
        replies = iter([BROKEN, Reply()])
        world.endpoint(HOST).answer = lambda _call: next(replies)
        await gateway.replay(HOST, "all")
        await gateway.until(lambda: len(world.endpoint(HOST).sequences) == 4)

    world.run(scenario)
    by_trace: dict[str, list[CollectedSpan]] = {}
    for each in spans.others:
        by_trace.setdefault(each.trace, []).append(each)
    first, second, replay = by_trace.values()
    assert tree(first) == tree(second) == {"send again documentCreated": {"POST": {}}}
    assert [each.name for each in replay] == ["send again documentCreated", "POST", "POST"]
    creation = spans.named("create documentCreated")[0]
    for found in by_trace.values():
        root = next(span for span in found if not span.parent)
        assert root.links == ((TRACE, creation.id),)
        assert {span.parent for span in found if span is not root} == {root.id}
    calls = [told(call) for call in world.endpoint(HOST).calls]
    assert calls == [(span.trace, span.id) for span in spans.named("POST")]


def test_a_retry_by_hand_before_the_next_attempt_is_due_is_whole_too(world: ScriptedWorld, spans: Spans) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await hurry_a_retry(gateway)
        await gateway.retry(HOST, 1)
        await gateway.until(lambda: len(world.attempts(HOST, 1)) == 3, every=1.0)

    world.run(scenario)
    by_hand = spans.others
    assert [each.name for each in by_hand] == ["send again documentCreated", "POST"] * 2
    assert len({each.id for each in spans.all}) == len(spans.all)
    assert len({each.trace for each in by_hand}) == 2
    assert all(each.links == ((TRACE, spans.named("create documentCreated")[0].id),) for each in by_hand[::2])


def test_after_a_crash_the_tree_is_whole_and_the_repeated_attempt_is_in_it_once(
    world: ScriptedWorld, spans: Spans
) -> None:
    async def before(gateway: RunningGateway) -> None:
        await gateway.subscribe(HOST, trace=True)
        await gateway.submit(traced(world, "a"))
        await gateway.until(lambda: len(world.endpoint(HOST).calls) == 1, every=0.001)

    async def after(gateway: RunningGateway) -> None:
        await gateway.until(lambda: len(world.endpoint(HOST).sequences) == 1)

    world.crash(before)
    world.run(after)
    assert len(world.endpoint(HOST).calls) == 2
    assert [each.name for each in spans.all if not each.name.startswith("wait")] == [
        "create documentCreated", "commit", "POST",
    ]  # fmt: skip
    assert {told(call)[1] for call in world.endpoint(HOST).calls} == {spans.named("POST")[0].id}


def test_an_attempt_that_a_stop_cuts_is_no_span_until_it_is_repeated(world: ScriptedWorld, spans: Spans) -> None:
    async def before(gateway: RunningGateway) -> None:
        await gateway.subscribe(HOST, trace=True)
        world.endpoint(HOST).answers(Reply(after=4.0))
        await gateway.submit(traced(world, "a"))
        await gateway.until(lambda: len(world.endpoint(HOST).calls) == 1, every=0.001)

    async def after(gateway: RunningGateway) -> None:
        world.endpoint(HOST).answers(Reply())
        await gateway.until(lambda: len(world.endpoint(HOST).sequences) == 1)

    world.run(before, grace=0.1)
    assert spans.named("POST") == []
    world.run(after)
    assert {told(call)[1] for call in world.endpoint(HOST).calls} == {each.id for each in spans.named("POST")}


# --- Waits ------------------------------------------------------------------------------------------------------------


def waits(spans: Spans) -> list[tuple[str, float]]:
    found = [each for each in spans.all if each.name.startswith("wait ")]
    assert {each.kind for each in found} <= {"INTERNAL"}
    return [(str(each.attributes["signalpost.wait"]), round(seconds(each), 1)) for each in found]


def test_what_a_paused_lane_held_back_says_so_also_after_a_restart(world: ScriptedWorld, spans: Spans) -> None:
    async def before(gateway: RunningGateway) -> None:
        await gateway.subscribe(HOST, trace=True)
        await gateway.change(HOST, status="paused")
        await gateway.submit(traced(world, "a"))
        await asyncio.sleep(30)

    async def after(gateway: RunningGateway) -> None:
        await gateway.change(HOST, status="active")
        await gateway.until(lambda: len(world.endpoint(HOST).sequences) == 1)

    world.run(before)
    world.run(after)
    assert [reason for reason, _ in waits(spans)] == ["paused"]
    assert waits(spans)[0][1] >= 30.0


def test_what_a_paused_tenant_held_back_says_so(world: ScriptedWorld, spans: Spans) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe(HOST)
        world.endpoint(HOST).answers(BROKEN)
        await gateway.submit(traced(world, "a"))
        await gateway.until(lambda: len(world.endpoint(HOST).calls) == 1)
        await gateway.submit(ChangeTenant(tenant_id=1, name="default", status="paused"))
        world.endpoint(HOST).answers(Reply())
        await asyncio.sleep(60)
        await gateway.submit(ChangeTenant(tenant_id=1, name="default", status="active"))
        await gateway.until(lambda: len(world.endpoint(HOST).sequences) == 1)

    world.run(scenario)
    assert [reason for reason, _ in waits(spans)] == ["paused"]


def test_what_a_rate_limit_held_back_says_so(world: ScriptedWorld, spans: Spans) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe(HOST, rateLimit=1)
        await gateway.submit(*(traced(world, name) for name in "abc"))
        await gateway.until(lambda: len(world.endpoint(HOST).sequences) == 3)

    world.run(scenario)
    assert waits(spans) == [("rate", 1.0), ("rate", 2.0)]


def test_what_waited_for_an_earlier_event_of_its_document_says_so(world: ScriptedWorld, spans: Spans) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe(HOST)
        world.endpoint(HOST).answers(Reply(after=2.0))
        await gateway.submit(world.create("a"), world.update("a").traced(CONTEXT))
        await gateway.until(lambda: len(world.endpoint(HOST).sequences) == 2)

    world.run(scenario)
    assert waits(spans) == [("document", 2.0)]


def test_what_an_open_breaker_held_back_says_so(world: ScriptedWorld, spans: Spans) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe(HOST)
        world.endpoint(HOST).answers(BROKEN)
        await gateway.create(*(f"d{number}" for number in range(30)))
        await gateway.until(lambda: gateway.health(HOST)["breaker"] == "open")
        await gateway.submit(traced(world, "a"))
        world.endpoint(HOST).answers(Reply())
        await gateway.until(lambda: bool(spans.named("POST")))

    world.run(scenario)
    assert [reason for reason, _ in waits(spans)] == ["breaker"]


def test_what_an_endpoint_that_asked_to_wait_held_back_says_so(world: ScriptedWorld, spans: Spans) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe(HOST)
        world.endpoint(HOST).answers(Reply(status=503, retry_after="20"))
        await gateway.create("a")
        await gateway.until(lambda: len(world.endpoint(HOST).calls) == 1)
        world.endpoint(HOST).answers(Reply())
        await asyncio.sleep(1)
        await gateway.submit(traced(world, "b"))
        await gateway.until(lambda: bool(spans.named("POST")))

    world.run(scenario)
    assert [reason for reason, _ in waits(spans)] == ["endpoint"]


def test_a_delivery_that_goes_at_once_has_no_wait(world: ScriptedWorld, spans: Spans) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe(HOST)
        await gateway.subscribe("later.example", after={"seconds": 30})
        await gateway.submit(traced(world, "a"))
        await gateway.until(lambda: len(world.endpoint("later.example").sequences) == 1)

    world.run(scenario)
    assert waits(spans) == [], "the delay of a subscription is no wait"


# --- Connectors -------------------------------------------------------------------------------------------------------


def test_a_delivery_through_a_connector_waits_for_its_token_and_tells_the_vendor_nothing(
    world: ScriptedWorld, spans: Spans
) -> None:
    vendor = serve(world)
    vendor.take = lambda _call: None

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c", granted=GRANTED, signIn="consent")
        await gateway.deliver("s", "c")
        await gateway.submit(traced(world, "a"))
        await gateway.until(lambda: bool(vendor.messages))

    world.run(scenario)
    assert not any("traceparent" in call.headers for call in vendor.calls)
    [attempt] = spans.named("deliver fake")
    assert (attempt.kind, attempt.trace) == ("CLIENT", TRACE)
    assert attempt.attributes["signalpost.kind"] == "fake"
    assert "http.request.method" not in attempt.attributes
    assert [reason for reason, _ in waits(spans)] == ["token"]


def test_each_call_that_a_vendor_put_off_is_a_span_of_its_own_and_what_is_not_sent_is_none(
    world: ScriptedWorld, spans: Spans
) -> None:
    vendor = serve(world)
    replies = iter([VendorReply(429), VendorReply(429), None])
    vendor.take = lambda _call: next(replies)

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c")
        await gateway.deliver("s", "c")
        await gateway.submit(traced(world, "a"))
        await gateway.until(lambda: bool(vendor.messages))

    world.run(scenario)
    attempts = spans.named("deliver fake")
    assert [each.attributes.get("error.type") for each in attempts] == ["throttled", "throttled", None]
    assert len({each.id for each in spans.all}) == len(spans.all)


def test_what_a_vendor_answers_is_in_the_span_and_not_what_it_says(world: ScriptedWorld, spans: Spans) -> None:
    vendor = serve(world)
    vendor.take = lambda _call: VendorReply(500, body=b"canary")

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.connect("c")
        await gateway.deliver("s", "c", delays=())
        await gateway.submit(traced(world, "a"))
        await gateway.until(lambda: bool(spans.named("deliver fake")))

    world.run(scenario)
    [attempt] = spans.named("deliver fake")
    assert attempt.attributes["http.response.status_code"] == 500
    assert attempt.attributes["error.type"] == "status"
    assert "canary" not in repr(spans.all)


# --- Failures of events that are not traced ---------------------------------------------------------------------------


def test_a_few_failed_attempts_of_untraced_events_are_traced_if_that_is_wanted(
    world: ScriptedWorld, spans: Spans
) -> None:
    world.traced_failures = 3

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe(HOST, trace=True, retryDelays=[])
        await gateway.create("well")
        await gateway.until(lambda: len(world.endpoint(HOST).sequences) == 1)
        world.endpoint(HOST).answers(BROKEN)
        await gateway.create(*(f"d{number}" for number in range(10)))
        await gateway.until(lambda: len(world.endpoint(HOST).calls) >= 8)

    world.run(scenario)
    failed = spans.named("POST")
    assert 3 <= len(failed) < 8
    assert {each.attributes["error.type"] for each in failed} == {"status"}
    assert {each.trace for each in failed} <= {call.event_id.replace("-", "") for call in world.endpoint(HOST).calls}
    assert {each.parent for each in failed} == {""}
    assert not any("traceparent" in call.headers for call in world.endpoint(HOST).calls)


def test_without_that_no_span_is_made_of_an_untraced_event(world: ScriptedWorld, spans: Spans) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe(HOST, retryDelays=[])
        world.endpoint(HOST).answers(BROKEN)
        await gateway.create("a", "b")
        await gateway.until(lambda: len(world.endpoint(HOST).calls) == 2)
        await asyncio.sleep(1)

    world.run(scenario)
    assert spans.all == []


# --- The log ----------------------------------------------------------------------------------------------------------


def lines(world: ScriptedWorld) -> list[dict[str, Any]]:
    return [line for line in world.logs if line["message"] == "attempt failed"]


@pytest.mark.parametrize("are_exported", [True, False])
def test_the_line_of_a_failed_attempt_names_its_trace_and_its_span(world: ScriptedWorld, are_exported: bool) -> None:
    if are_exported:
        world.spans = Spans()

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe(HOST, trace=True, retryDelays=[])
        world.endpoint(HOST).answers(BROKEN)
        await gateway.submit(traced(world, "a"), world.create("b"))
        await gateway.until(lambda: len(lines(world)) == 2)

    world.run(scenario)
    line, without = sorted(lines(world), key=lambda each: "trace" not in each)
    call = next(call for call in world.endpoint(HOST).calls if "traceparent" in call.headers)
    assert (line["trace"], line["span"]) == told(call)
    assert "trace" not in without
    assert "span" not in without


def test_memory_for_waits_is_bounded(world: ScriptedWorld, spans: Spans) -> None:

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe(HOST)
        await gateway.create(*(f"d{number}" for number in range(MAX_ENDS + 50)))
        await gateway.until(lambda: len(world.endpoint(HOST).sequences) == MAX_ENDS + 50)
        traces = gateway.engine._traces
        assert traces is not None
        assert MAX_ENDS <= len(traces._ends) + len(traces._ends_before) <= 2 * MAX_ENDS

    world.run(scenario)
