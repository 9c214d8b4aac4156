"""Spans as collectors take them (OTLP as JSON): what was done, from when to when, in which trace.

Pure. A span is made once what it tells of has ended, of what is known then. Attributes with a name of the semantic
conventions of OpenTelemetry are among the stable ones, but for two about messages; all others begin with `signalpost.`.
No attribute holds anything of a document, a header or a URL beyond host and port.
"""

from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Final

import msgspec
from msgspec import Struct

from signalpost import VERSION
from signalpost.domain.checks import Bad
from signalpost.domain.delivery.attempt_trace import AttemptTrace, creation_span
from signalpost.domain.delivery.outcome import UNCOUNTED, Outcome
from signalpost.domain.endpoint import MAIL, WEB, parse_url
from signalpost.domain.event import Event, EventType
from signalpost.domain.subscription import WEBHOOK, Subscription
from signalpost.domain.trace_context import NO_SPAN, SAMPLED, span_of

Value = str | int
_SERVER_ERROR: Final = 500


class SpanKind(IntEnum):
    """The values are those of OTLP."""

    INTERNAL = 1
    SERVER = 2
    CLIENT = 3
    PRODUCER = 4


class _Text(Struct, frozen=True, rename="camel"):
    string_value: str


class _Whole(Struct, frozen=True, rename="camel"):
    int_value: str


class _Attribute(Struct, frozen=True):
    key: str
    value: _Text | _Whole


class _Link(Struct, frozen=True, rename="camel"):
    trace_id: str
    span_id: str


class _Status(Struct, frozen=True, omit_defaults=True):
    code: int = 0
    message: str = ""


class Span(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """One span of OTLP. Ids are in hexadecimal digits, times in ns since the epoch, as texts."""

    trace_id: str
    span_id: str
    parent_span_id: str = ""
    flags: int = SAMPLED
    name: str
    kind: SpanKind
    start_time_unix_nano: str
    end_time_unix_nano: str
    attributes: tuple[_Attribute, ...] = ()
    links: tuple[_Link, ...] = ()
    status: _Status = _Status()


encode: Final = msgspec.json.Encoder().encode


def span(
    name: str,
    kind: SpanKind,
    trace: bytes,
    identity: bytes,
    parent: bytes,
    began: int,
    ended: int,
    attributes: Mapping[str, Value] = {},
    link: tuple[bytes, bytes] | None = None,
    failure: str | None = None,
) -> Span:
    """`began` and `ended` are µs since the epoch. `link` has the trace and the id of another span. `failure` says in
    words what failed; None if nothing did."""
    return Span(
        trace_id=trace.hex(),
        span_id=identity.hex(),
        parent_span_id="" if parent == NO_SPAN else parent.hex(),
        name=name,
        kind=kind,
        start_time_unix_nano=f"{began}000",
        end_time_unix_nano=f"{max(began, ended)}000",
        attributes=attributes_of(attributes),
        links=() if link is None else (_Link(link[0].hex(), link[1].hex()),),
        status=_Status() if failure is None else _Status(2, failure),
    )


def attributes_of(named: Mapping[str, Value]) -> tuple[_Attribute, ...]:
    return tuple(
        _Attribute(name, _Text(value) if isinstance(value, str) else _Whole(str(value)))
        for name, value in named.items()
    )


def request_span(context: bytes, identity: bytes, method: str, route: str, status: int, began: int, ended: int) -> Span:
    """A request to the API. `context` is its client's."""
    attributes: dict[str, Value] = {
        "http.request.method": method,
        "http.route": route,
        "http.response.status_code": status,
    }
    failure = None
    if status >= _SERVER_ERROR:
        attributes["error.type"] = str(status)
        failure = ""
    name, of, asked_by = f"{method} {route}", context[:16], context[16:24]
    return span(name, SpanKind.SERVER, of, identity, asked_by, began, ended, attributes, failure=failure)


def creation_spans(event: Event, began: int, ended: int) -> Iterable[Span]:
    """The creation of an event that is traced, and its commit within that. The commit of its batch began and ended at
    these times."""
    trace, identity = event.trace[:16], creation_span(event.id)
    wire = EventType(event.type).wire
    attributes: dict[str, Value] = {
        "messaging.message.id": event.id,
        "messaging.operation.type": "create",
        "signalpost.sequence": event.sequence,
    }
    began = min(began, event.at)
    yield span(f"create {wire}", SpanKind.PRODUCER, trace, identity, event.trace[16:24], began, ended, attributes)
    decided = min(event.at, ended)  # the time of an event can be ahead of the clock
    yield span("commit", SpanKind.INTERNAL, trace, span_of(event.id, "commit"), identity, decided, ended)


def attempt_spans(
    trace: AttemptTrace, event: Event, sent: Subscription, failed_attempts: int, outcome: Outcome
) -> Iterable[Span]:
    """An attempt that was made as the subscription `sent` said, after so many that failed. The first of those that a
    person asked for comes with the span of that."""
    began, ended = outcome.started_at, outcome.started_at + outcome.elapsed_us
    if trace.is_first and outcome.failure not in UNCOUNTED:
        name = f"send again {EventType(event.type).wire}"
        link = event.trace[:16], creation_span(event.id)
        yield span(name, SpanKind.INTERNAL, trace.trace, trace.parent, NO_SPAN, began, ended, link=link)
    yield span(
        "POST" if sent.kind == WEBHOOK else f"deliver {sent.kind}",
        SpanKind.CLIENT,
        trace.trace,
        trace.span,
        trace.parent,
        began,
        ended,
        _of_attempt(event, sent, failed_attempts, outcome),
        failure=None if outcome.failure is None else outcome.own_words,
    )


def _of_attempt(event: Event, sent: Subscription, failed_attempts: int, outcome: Outcome) -> Mapping[str, Value]:
    attributes: dict[str, Value] = {
        "messaging.message.id": event.id,
        "messaging.operation.type": "send",
        "signalpost.subscription": sent.id,
        "signalpost.kind": sent.kind,
    }
    try:
        target = parse_url(sent.url, WEB | MAIL).target
    except Bad:  # it was accepted by other rules
        return attributes
    attributes |= {"server.address": target.host, "server.port": target.port}
    if sent.kind == WEBHOOK:
        attributes["http.request.method"] = "POST"
    if target.scheme in WEB:
        if failed_attempts:
            attributes["http.request.resend_count"] = failed_attempts
        if outcome.status is not None:
            attributes["http.response.status_code"] = outcome.status
    if outcome.failure is not None:
        attributes["error.type"] = str(outcome.failure)
    return attributes


def batch(spans: Iterable[bytes], resource: Mapping[str, Value]) -> bytes:
    """The body of a request that hands encoded spans to a collector."""
    made_by = encode({"name": "signalpost", "version": VERSION})
    of = encode({"attributes": attributes_of(resource)})
    return b'{"resourceSpans":[{"resource":%b,"scopeSpans":[{"scope":%b,"spans":[%b]}]}]}' % (
        of,
        made_by,
        b",".join(spans),
    )
