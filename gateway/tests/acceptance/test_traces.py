"""A trace through the real command: over crashes, on both databases, with a worker, with a collector that is gone."""

import base64
import secrets
import socket
import time
from collections.abc import Iterator

import pytest
from gateway.tests.acceptance.client import DOCUMENT
from gateway.tests.acceptance.conftest import Endpoints, Gateways
from gateway.tests.acceptance.page import verify_signature
from gateway.tests.acceptance.receiver import FAIL
from gateway.tests.collector import Collector, collecting, tree
from gateway.tests.patience import PATIENCE

from signalpost_bench import postgres_server

pytestmark = pytest.mark.slow
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED = f"00-{TRACE}-{SPAN}-01"
SECRET = "a secret of the page"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as made:
        yield made


@pytest.fixture
def database(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """The settings of a gateway on a database of this kind."""
    if request.param != "postgres":
        yield {"processes": "2"} if request.param == "sqlite with a worker" else {}
        return
    with postgres_server.running(settings=postgres_server.THROWAWAY) as server:
        yield {
            "database_url": server.loopback_url(),
            "master_key": base64.b64encode(secrets.token_bytes(32)).decode(),
            "operator_key": f"sp_{secrets.token_urlsafe(32)}",
            "public_url": "https://gateway.example",
        }


@pytest.mark.parametrize("database", ["sqlite", "sqlite with a worker", "postgres"], indirect=True)
def test_a_trace_goes_on_after_a_crash_under_the_ids_that_the_endpoint_was_told(
    gateways: Gateways, endpoint: Endpoints, collector: Collector, database: dict[str, str]
) -> None:
    """C18, C19: a receiver that knows nothing of traces takes the request as ever."""
    gateway = gateways(otel_exporter_otlp_endpoint=collector.url, retry_delays="1", **database)
    asked, unasked = endpoint(FAIL), endpoint()
    first = gateway.api.subscribe(asked.url, eventTypes=["documentCreated"], trace=True, secret=SECRET)
    gateway.api.subscribe(unasked.url, eventTypes=["documentCreated"], secret=SECRET)
    gateway.api.change_subscription(first, status="paused")
    gateway.api.ask("POST", "/v1/documents", DOCUMENT, expect=201, traceparent=SAMPLED)
    unasked.until(1)
    collector.until(lambda: len(collector.trace(TRACE)) == 4)
    gateway.kill()
    gateway.start()
    gateway.api.change_subscription(first, status="active")
    asked.until(2)
    collector.until(lambda: len(collector.trace(TRACE)) == 6)
    attempts = [span for span in collector.trace(TRACE) if span.name == "POST"]
    created = next(span for span in collector.trace(TRACE) if span.kind == "PRODUCER")
    assert {span.parent for span in attempts} == {created.id}
    assert [request.headers["traceparent"] for request in asked.requests] == [
        f"00-{TRACE}-{span.id}-01"
        for span in sorted(attempts, key=lambda each: each.began)
        if span.attributes["signalpost.subscription"] == first["id"]
    ]
    reasons = {span.name for span in collector.spans if span.name.startswith("wait ")} - {"wait retry"}
    # A node that takes the lane over once it is resumed knows nothing of the pause.
    assert reasons <= {"wait paused", "wait turn"}
    assert "wait paused" in reasons or "database_url" in database
    assert "traceparent" not in unasked.requests[0].headers
    for request in (*asked.requests, *unasked.requests):
        assert verify_signature(request.body, request.headers, SECRET.encode())


@pytest.mark.parametrize("database", ["sqlite with a worker"], indirect=True)
def test_a_tree_through_a_worker_is_whole(
    gateways: Gateways, endpoint: Endpoints, collector: Collector, database: dict[str, str]
) -> None:
    gateway = gateways(otel_exporter_otlp_endpoint=collector.url, **database)
    gateway.api.subscribe(endpoint().url, eventTypes=["documentCreated"])
    gateway.api.ask("POST", "/v1/documents", DOCUMENT, expect=201, traceparent=SAMPLED)
    collector.until(lambda: len(collector.trace(TRACE)) == 4)
    assert tree(collector.trace(TRACE)) == {
        "POST /v1/documents": {"create documentCreated": {"commit": {}, "POST": {}}}
    }


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_what_one_node_commits_and_another_sends_is_one_tree_also_after_a_retry(
    gateways: Gateways, endpoint: Endpoints, collector: Collector, database: dict[str, str]
) -> None:
    """The node that sends knows of the trace from the log alone."""
    told = {"otel_exporter_otlp_endpoint": collector.url, "retry_delays": "1", **database}
    takes, sends = gateways(role="api", **told), gateways(role="worker", **told)
    asked = endpoint(FAIL)
    takes.api.subscribe(asked.url, eventTypes=["documentCreated"], trace=True)
    takes.api.ask("POST", "/v1/documents", DOCUMENT, expect=201, traceparent=SAMPLED)
    asked.until(2)
    collector.until(lambda: len([span for span in collector.trace(TRACE) if span.name == "POST"]) == 2)
    spans = collector.trace(TRACE)
    created = next(span for span in spans if span.kind == "PRODUCER")
    attempts = sorted((span for span in spans if span.name == "POST"), key=lambda each: each.began)
    assert {span.parent for span in attempts} == {created.id}
    assert [request.headers["traceparent"] for request in asked.requests] == [
        f"00-{TRACE}-{span.id}-01" for span in attempts
    ]
    assert {span.name for span in spans} >= {"POST /v1/documents", "create documentCreated", "commit", "POST"}
    assert (takes.stop(), sends.stop()) == (0, 0)


def test_a_stop_exports_what_waits_and_does_not_wait_for_a_collector_that_is_gone(
    gateways: Gateways, collector: Collector
) -> None:
    gateway = gateways(otel_exporter_otlp_endpoint=collector.url)
    gateway.api.ask("POST", "/v1/documents", DOCUMENT, expect=201, traceparent=SAMPLED)
    assert gateway.stop() == 0
    assert len(collector.trace(TRACE)) == 3
    with socket.create_server(("127.0.0.1", 0)) as silent:
        gateway.set(otel_exporter_otlp_endpoint=f"http://127.0.0.1:{silent.getsockname()[1]}")
        gateway.start()
        gateway.api.ask("POST", "/v1/documents", DOCUMENT, expect=201, traceparent=SAMPLED)
        began = time.monotonic()
        assert gateway.stop() == 0
        assert time.monotonic() - began < PATIENCE
