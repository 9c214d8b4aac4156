"""A collector of spans on loopback, which reads what it gets as collectors do: by the protocol's own description."""

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from gateway.tests.http_server import LocalServer, QuietHandler
from gateway.tests.patience import PATIENCE
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as ProtoSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status

_IDS = frozenset({"traceId", "spanId", "parentSpanId"})
"""The members that are hexadecimal digits in OTLP's JSON, and base64 in that of protobuf."""


class CollectedSpan(NamedTuple):
    trace: str
    id: str
    parent: str
    """Empty for the root of a trace."""
    name: str
    kind: str
    began: int
    """ns since the epoch."""
    ended: int
    attributes: dict[str, str | int]
    links: tuple[tuple[str, str], ...]
    """The traces and the spans that it has links to."""
    failure: str | None
    """The words of its status; None if that is no error."""
    resource: dict[str, str | int]


def read(body: bytes) -> list[CollectedSpan]:
    """The spans of a request. Raises ValueError for what is none, and for a member that OTLP does not have."""
    message = ExportTraceServiceRequest()
    try:
        json_format.Parse(json.dumps(_with_bytes(json.loads(body))), message, ignore_unknown_fields=False)
    except json_format.ParseError as error:
        raise ValueError(str(error)) from None
    return [
        _collected(each, _attributes(of_resource.resource.attributes))
        for of_resource in message.resource_spans
        for of_scope in of_resource.scope_spans
        for each in of_scope.spans
    ]


def _with_bytes(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: base64.b64encode(bytes.fromhex(member)).decode() if name in _IDS else _with_bytes(member)
            for name, member in value.items()
        }
    return [_with_bytes(each) for each in value] if isinstance(value, list) else value


def _collected(span: Any, resource: dict[str, str | int]) -> CollectedSpan:
    assert len(span.trace_id) == 16
    assert len(span.span_id) == 8
    assert len(span.parent_span_id) in (0, 8)
    assert 0 < span.start_time_unix_nano <= span.end_time_unix_nano
    return CollectedSpan(
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.name,
        ProtoSpan.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        _attributes(span.attributes),
        tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
        span.status.message if span.status.code == Status.STATUS_CODE_ERROR else None,
        resource,
    )


def _attributes(attributes: Any) -> dict[str, str | int]:
    found = {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}
    assert len(found) == len(attributes), "an attribute is there twice"
    return found


def tree(spans: list[CollectedSpan]) -> dict[str, Any]:
    """The names of the spans of one trace, each with those below it; a span whose parent is not there is a root."""
    known = {span.id for span in spans}
    assert len(known) == len(spans), "an id is there twice"

    def below(parent: str) -> dict[str, Any]:
        return {each.name: below(each.id) for each in sorted(spans, key=lambda s: s.began) if each.parent == parent}

    return {each.name: below(each.id) for each in spans if each.parent not in known}


class Collector:
    """Takes spans until it is stopped. `answer` may be replaced: it says with which status, and what, to answer."""

    def __init__(self, port: int = 0) -> None:
        self.spans: list[CollectedSpan] = []
        self.requests: list[dict[str, str]] = []
        """The headers of each request."""
        self.faults: list[BaseException] = []
        self.answer: Callable[[], tuple[int, bytes]] = lambda: (200, b"{}")
        collector = self

        class Handler(QuietHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                status, said = collector.take(self.path, dict(self.headers), body)
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

        class Server(LocalServer):
            def handle_error(self, request: Any, address: Any) -> None:
                pass  # a gateway that is killed closes no connection; what else goes wrong is among the faults

        self._server = Server(("127.0.0.1", port), Handler)
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def take(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        status, said = self.answer()
        try:
            assert path == "/v1/traces"
            assert headers["content-type"] == "application/json"
            self.requests.append(headers)
            spans = read(body)
        except BaseException as fault:
            self.faults.append(fault)
            raise
        if status == 200:
            self.spans += spans
        return status, said

    def trace(self, of: str) -> list[CollectedSpan]:
        """The spans of a trace, without waits: whether something waited depends on the machine."""
        return [span for span in self.spans if span.trace == of and not span.name.startswith("wait ")]

    def until(self, true: Callable[[], object]) -> None:
        """Wait until something is true of what it has."""
        deadline = time.monotonic() + PATIENCE
        while not true():
            assert not self.faults, self.faults
            assert time.monotonic() < deadline, f"it has only {[span.name for span in self.spans]}"
            time.sleep(0.02)

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(PATIENCE)
        assert not self.faults, self.faults


@contextmanager
def collecting() -> Iterator[Collector]:
    collector = Collector()
    try:
        yield collector
    finally:
        collector.stop()
