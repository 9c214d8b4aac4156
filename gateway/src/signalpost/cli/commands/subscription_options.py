"""What a subscription is to be, as options of several commands."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from signalpost.cli.client import Misuse
from signalpost.cli.terminal.assignments import read_json
from signalpost.cli.terminal.options import EventType, Sets, repeatable


def _json_or_file(text: str) -> Any:
    if text.startswith("@"):
        return read_json(Path(text[1:]))
    try:
        return json.loads(text)
    except ValueError as error:
        raise Misuse(f"This is not JSON: {text} ({error})") from None


def headers_of(pairs: list[str]) -> dict[str, str]:
    headers = {}
    for pair in pairs:
        name, separator, value = pair.partition(":")
        if not separator:
            raise Misuse(f"Write --header 'name: value', not {pair}")
        headers[name.strip()] = value.strip()
    return headers


def _delays(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")] if text.strip() else []
    except ValueError:
        raise Misuse(f"Write --retry-delays as seconds with commas, such as 10,60,300, not {text}") from None


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class SubscriptionOptions:
    """What a subscription is to be, as far as `create`, `update` and `rehearse` can say it."""

    connection: Annotated[str | None, Parameter(help="ID of the connection to use."), Sets("/connection")] = None
    config: Annotated[
        Path | None,
        Parameter(allow_leading_hyphen=True, help="A file with the kind's config as JSON; - for standard input."),
        Sets("/config", read_json),
    ] = None
    when: Annotated[
        str | None,
        Parameter(
            help="The condition that an event must meet, as JSON or @FILE, such as "
            '{"field": "document.status", "changedTo": "executed"}.'
        ),
        Sets("/when", _json_or_file),
    ] = None
    after: Annotated[
        str | None,
        Parameter(
            help="How long deliveries wait, and what must still hold then, as JSON or @FILE, such as "
            '{"seconds": 3600, "if": {"field": "document.status", "is": "awaitingApproval"}}.'
        ),
        Sets("/after", _json_or_file),
    ] = None
    objective: Annotated[
        str | None,
        Parameter(
            help="What is promised of its events, as JSON or @FILE: which share of them arrives within how many "
            'seconds, such as {"share": 0.99, "within": 60}; null takes it away.'
        ),
        Sets("/objective", _json_or_file),
    ] = None
    trace: Annotated[
        bool | None,
        Parameter(help="Whether to send traceparent with events that are traced: for endpoints of your own."),
        Sets("/trace"),
    ] = None
    contact: Annotated[
        list[str] | None,
        repeatable("An e-mail address of somebody who is told how it does; repeatable."),
        Sets("/contacts"),
    ] = None
    event_type: Annotated[list[EventType] | None, repeatable("An event type; repeatable."), Sets("/eventTypes")] = None
    name: Annotated[str | None, Parameter(help="A name to show in lists."), Sets("/name")] = None
    header: Annotated[
        list[str] | None,
        repeatable("An additional header, 'name: value'; repeatable."),
        Sets("/headers", headers_of),
    ] = None
    ordering: Annotated[
        Literal["loose", "strict"] | None,
        Parameter(
            help="loose: a document's later events may overtake one that waits for its retry; strict: they wait."
        ),
        Sets("/ordering"),
    ] = None
    rate_limit: Annotated[
        int | None,
        Parameter(help="Maximum requests in any one second; after a pause, up to this many at once."),
        Sets("/rateLimit"),
    ] = None
    retry_delays: Annotated[
        str | None,
        Parameter(help="Seconds to wait before each retry, such as 10,60,300; '' means no retries."),
        Sets("/retryDelays", _delays),
    ] = None
    status: Annotated[
        Literal["active", "paused"] | None,
        Parameter(help="Whether to send. Events of a paused subscription wait."),
        Sets("/status"),
    ] = None


UNSAID = SubscriptionOptions()
