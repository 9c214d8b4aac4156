"""A whole gateway with a collector: the tree from a client's request to its delivery, and what else shows a trace."""

import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from gateway.tests.api.conftest import World, url
from gateway.tests.api.stream import PATH, external_id, line
from gateway.tests.api.test_traces import PDF, SAMPLED, SPAN, TRACE, UNSAMPLED
from gateway.tests.captured_log import captured_log
from gateway.tests.collector import Collector, collecting, tree
from gateway.tests.patience import PATIENCE
from gateway.tests.worker_on_loop import either_way
from opentelemetry.semconv import attributes as stable
from opentelemetry.semconv._incubating.attributes import messaging_attributes

from signalpost.domain.errors import StartError
from signalpost.sender.addresses import parse_allow_targets
from signalpost.setting_values import NamedValue

__all__ = ["url"]
listening = either_way
DELIVERED: dict[str, Any] = {"create documentCreated": {"commit": {}, "POST": {}}}
OPENMETRICS = {"accept": "application/openmetrics-text; version=1.0.0"}
Make = Callable[..., World]


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as made:
        yield made


@pytest.fixture
def make_traced(make_world: Make, collector: Collector, url: str) -> Make:
    """Makes a gateway whose spans go to the collector, and that may deliver to `url`."""

    def make(**settings: Any) -> World:
        allowed = parse_allow_targets(url)
        return make_world(otel_exporter_otlp_endpoint=collector.url, allow_targets=allowed, **settings)

    return make


def subscribe(world: World, url: str, **given: Any) -> str:
    wanted = {
        "url": url if "/" in url[8:] else f"{url}/200",
        "eventTypes": ["documentCreated"],
        "status": "active",
        **given,
    }
    return str(world.create_subscription(**wanted)["id"])


def test_from_the_request_of_a_client_to_its_delivery_it_is_one_tree(
    make_traced: Make, collector: Collector, url: str
) -> None:
    world = make_traced(otel_service_name="contracts", otel_resource_attributes=(NamedValue("team", "legal"),))
    subscribe(world, url, trace=True)
    answer = world.send("POST", "/v1/documents", world.document, {"traceparent": SAMPLED})
    collector.until(lambda: len(collector.trace(TRACE)) == 4)
    assert tree(collector.trace(TRACE)) == {"POST /v1/documents": DELIVERED}
    request = next(each for each in collector.spans if each.kind == "SERVER")
    assert request.parent == SPAN
    assert request.id == answer.headers["request-id"]
    assert request.attributes == {
        "http.request.method": "POST", "http.route": "/v1/documents", "http.response.status_code": 201,
    }  # fmt: skip
    assert request.resource["service.name"] == "contracts"
    assert request.resource["team"] == "legal"


def test_every_attribute_is_one_of_the_conventions_or_our_own(
    make_traced: Make, collector: Collector, url: str
) -> None:
    known = {
        value
        for module in (
            __import__(f"{stable.__name__}.{name}_attributes", fromlist=["x"])
            for name in ("error", "http", "server", "service", "url", "client", "network")
        )
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, str)
    }
    known |= {messaging_attributes.MESSAGING_MESSAGE_ID, messaging_attributes.MESSAGING_OPERATION_TYPE}
    world = make_traced()
    subscribe(world, url, trace=True)
    subscribe(world, f"{url}/500", retryDelays=[1])
    world.send("POST", "/v1/documents", world.document, {"traceparent": SAMPLED})
    collector.until(lambda: len(collector.trace(TRACE)) == 6)
    names = {name for span in collector.spans for name in span.attributes}
    assert {name for name in names if not name.startswith("signalpost.")} <= known
    values = {span.attributes.get("messaging.operation.type") for span in collector.spans} - {None}
    assert values <= {each.value for each in messaging_attributes.MessagingOperationTypeValues}


def test_reads_and_refusals_of_a_traced_client_are_spans_too(make_traced: Make, collector: Collector) -> None:
    world = make_traced()
    traced = {"traceparent": SAMPLED}
    world.send("GET", f"/v1/documents/{external_id(9)}?x=canary", headers=traced)
    world.send("POST", "/v1/documents", {"title": "canary"}, traced)
    world.send("GET", "/v1/documents", headers={"traceparent": UNSAMPLED})
    world.send("GET", "/v1/documents")
    collector.until(lambda: len(collector.spans) == 2)
    assert [(span.name, span.attributes["http.response.status_code"]) for span in collector.spans] == [
        ("GET /v1/documents/{externalId}", 422), ("POST /v1/documents", 422),
    ]  # fmt: skip
    assert {span.failure for span in collector.spans} == {None}, "the client was wrong, and not the gateway"
    assert "canary" not in repr(collector.spans)


def test_whoever_has_neither_a_key_nor_a_link_has_no_span_made(make_traced: Make, collector: Collector) -> None:
    world = make_traced()
    for method, path, status in (
        ("GET", "/v1/documents", 401), ("POST", "/v1/documents", 401), ("GET", "/nowhere", 404),
        ("GET", "/files/x", 403), ("GET", "/health/live", 200), ("GET", "/openapi.json", 200),
    ):  # fmt: skip
        answer = world.send(method, path, headers={"traceparent": SAMPLED, "authorization": None})
        assert answer.status == status, path
    document = world.create_document()["externalId"]
    form = {"content-type": "multipart/form-data; boundary=b"}
    world.send("POST", f"/v1/documents/{document}/versions", PDF, form).ok(201)
    found = re.search(r"/files/[^\"]+", world.get(f"/v1/documents/{document}").body.decode())
    assert found
    assert world.send("GET", found[0], headers={"traceparent": SAMPLED, "authorization": None}).status == 200
    collector.until(lambda: collector.spans)
    assert [span.name for span in collector.spans] == ["GET /files/{token}"]


def test_a_share_of_the_events_without_a_trace_gets_one_with_the_events_own_id(
    make_traced: Make, collector: Collector, url: str
) -> None:
    world = make_traced(trace_ratio=1.0)
    subscribe(world, url)
    answer = world.send("POST", "/v1/documents", world.document)
    event = answer.headers["signalpost-event"].replace("-", "")
    collector.until(lambda: len(collector.trace(event)) == 4)
    assert tree(collector.trace(event)) == {"POST /v1/documents": DELIVERED}
    assert next(each for each in collector.trace(event) if each.kind == "SERVER").parent == ""
    world.send("POST", "/v1/documents", world.document, {"traceparent": UNSAMPLED}).ok(201)
    world.send("POST", PATH, line(1, traceparent=UNSAMPLED) + line(2), {"content-type": "application/x-ndjson"})
    [*_, untraced, unsampled_line, traced_line] = [each["event"]["id"].replace("-", "") for each in world.events()]
    collector.until(lambda: len(collector.trace(traced_line)) == 3)
    assert tree(collector.trace(traced_line)) == DELIVERED
    assert not collector.trace(untraced) + collector.trace(unsampled_line)


def test_each_line_of_an_import_is_a_tree_below_the_span_of_its_own(
    make_traced: Make, collector: Collector, url: str
) -> None:
    world = make_traced()
    subscribe(world, url)
    other = "f" * 32
    body = line(1, traceparent=SAMPLED) + line(2, traceparent=f"00-{other}-{SPAN}-01") + line(3)
    world.send("POST", PATH, body, {"content-type": "application/x-ndjson"})
    collector.until(lambda: len(collector.trace(TRACE) + collector.trace(other)) == 6)
    for trace in (TRACE, other):
        assert tree(collector.trace(trace)) == DELIVERED
        assert next(each for each in collector.trace(trace) if each.kind == "PRODUCER").parent == SPAN


def test_the_line_of_a_traced_request_names_its_trace_and_its_span(make_traced: Make, collector: Collector) -> None:
    world = make_traced()
    with captured_log() as log:
        answer = world.send("POST", "/v1/documents", world.document, {"traceparent": SAMPLED})
        world.send("POST", "/v1/documents", world.document)
    traced, other = [each for each in log if each["message"] == "request"]
    assert (traced["trace"], traced["span"]) == (TRACE, answer.headers["request-id"])
    assert other.keys() == traced.keys() - {"trace", "span"}


def test_without_a_collector_nothing_is_different_but_that_lines_name_the_trace(world: World) -> None:
    with captured_log() as log:
        world.send("POST", "/v1/documents", world.document, {"traceparent": SAMPLED})
        world.send("GET", "/v1/documents")
    traced, other = [each for each in log if each["message"] == "request"]
    assert traced["trace"] == TRACE
    assert "trace" not in other
    assert b"spans" not in world.get("/metrics").body


def test_the_time_to_delivery_has_an_example_with_its_trace_for_who_asks_for_openmetrics(
    make_traced: Make, collector: Collector, url: str
) -> None:
    world = make_traced()
    subscribe(world, url)
    world.send("POST", "/v1/documents", world.document, {"traceparent": SAMPLED})
    collector.until(lambda: any(span.kind == "CLIENT" for span in collector.spans))
    world.create_document()
    text = world.get("/metrics", **OPENMETRICS).body.decode()
    [example] = re.findall(r'^(\S+) \S+ # \{trace_id="([0-9a-f]{32})"\} (\S+) \S+$', text, re.MULTILINE)
    assert example[0].startswith('signalpost_delivery_seconds_bucket{kind="webhook"')
    assert example[1] == TRACE
    assert 0 <= float(example[2]) < PATIENCE
    assert text.count(" # {") == 1
    assert " # {" not in world.get("/metrics").body.decode()
    assert "signalpost_spans_dropped_total 0.0" in text


def slowly() -> tuple[int, bytes]:
    time.sleep(0.5)
    return 200, b""


@pytest.mark.parametrize("trouble", ["away", "slow", "broken", "no answer at all"])
def test_whatever_the_collector_does_documents_are_taken_and_delivered(
    make_world: Make, collector: Collector, url: str, trouble: str
) -> None:
    endpoint = collector.url
    if trouble == "away":
        with socket.create_server(("127.0.0.1", 0)) as taken:
            endpoint = f"http://127.0.0.1:{taken.getsockname()[1]}"
    elif trouble == "slow":
        collector.answer = slowly
    elif trouble == "broken":
        collector.answer = lambda: (500, b"")
    else:
        collector.answer = lambda: (200, b"\xff\x00" * 10_000)
    world = make_world(otel_exporter_otlp_endpoint=endpoint, allow_targets=parse_allow_targets(url), trace_ratio=1.0)
    made = subscribe(world, url)
    for _ in range(20):
        world.create_document()
    path = f"/v1/subscriptions/{made}/deliveries?status=delivered&limit=100"
    world.wait_until(lambda: len(world.get(path).ok()["data"]) == 20)


def test_to_trace_of_itself_it_needs_a_collector(make_world: Make) -> None:
    for given in ({"trace_ratio": 0.1}, {"trace_failures": 1}):
        with pytest.raises(StartError, match="need OTEL_EXPORTER_OTLP_ENDPOINT"):
            make_world(**given)


def test_a_key_for_the_collector_is_sent_and_shown_nowhere(make_traced: Make, collector: Collector) -> None:
    world = make_traced(otel_exporter_otlp_headers=(NamedValue("x-key", "canary"),), trace_ratio=1.0)
    with captured_log() as log:
        world.create_document()
        collector.until(lambda: collector.requests)
    assert collector.requests[0]["x-key"] == "canary"
    shown = json.dumps(world.get("/v1/gateway").ok() if world.get("/v1/gateway").status == 200 else {})
    assert "canary" not in shown + repr(log) + repr(world.settings)
