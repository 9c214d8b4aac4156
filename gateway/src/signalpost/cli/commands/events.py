"""`signalpost events`: read the log of events, or follow it live."""

import time
from collections.abc import Mapping
from typing import Annotated, Any

from cyclopts import App, Parameter

from signalpost.cli.client import MAX_PAGE, CallRefused, Client, Misuse, connect, path
from signalpost.cli.meant import event_meant
from signalpost.cli.terminal.options import EventId, EventType, Limit, Sets, flag
from signalpost.cli.terminal.output import TEXT, Output
from signalpost.cli.terminal.parts import Facts, GrowingRows, row_of, table
from signalpost.cli.terminal.text import remark

app = App(name="events", help_format="markdown")

Type = Annotated[EventType | None, Parameter(name="--event-type", help="Only events of this type."), Sets("?eventType")]
Document = Annotated[
    str | None,
    Parameter(name="--document", help="Only events of the document with this externalId."),
    Sets("?externalId"),
]
COLUMNS = {
    "sequence": "sequence", "event": "event.id", "type": "event.type", "created": "event.createdAt",
    "document": "event.data.document.externalId", "status": "event.data.document.status",
}  # fmt: skip
WIDTHS = {"sequence": 9, "event": 36, "type": 15, "created": 20, "document": 36, "status": 23}
POLL = 0.5


@app.command(name="list")
def list_(
    *,
    after: Annotated[
        int | None,
        Parameter(help="List only events after this sequence; all kept events if left out."),
        Sets("?after"),
    ] = None,
    newest_first: Annotated[bool, flag("Begin with the newest event.")] = False,
    limit: Limit = 50,
    event_type: Type = None,
    document: Document = None,
    out: Output = TEXT,
) -> None:
    """List events, oldest first unless you ask for the newest.

    Example: signalpost events list --after 100 --event-type documentCreated

    Example: signalpost events list --newest-first --limit 10
    """
    if after is not None and newest_first:
        raise Misuse("Give --after or --newest-first, not both.")
    client, about = connect(), {"eventType": event_type, "externalId": document}
    at = None
    if newest_first:
        found = _read_back(client, limit, about)
    else:
        found, at = _read_on(client, _before_oldest(client) if after is None else after, limit, about)
    nothing = "No such events." if after or event_type or document else "No events."
    out.show(found, table(found, COLUMNS, nothing))
    if len(found) == limit and at is not None and not out.as_json:
        remark(f"(Continue with --after {at}.)")


@app.command
def tail(*, event_type: Type = None, document: Document = None, out: Output = TEXT) -> None:
    """Follow the log live, until Ctrl-C.

    Example: signalpost events tail --event-type documentUpdated
    """
    client = connect()
    after = end_of_log(client)
    rows = GrowingRows(out, WIDTHS)
    while True:
        page = _page(client, {"after": after, "eventType": event_type, "externalId": document}, MAX_PAGE)
        for entry in page["data"]:
            rows.show(entry, row_of(entry, COLUMNS))
        if page["last"] == after:
            time.sleep(POLL)
        after = page["last"]


@app.command
def get(event: EventId, /, *, out: Output = TEXT) -> None:
    """Show an event as it is sent.

    Example: signalpost events get 01a20e92-1d2e-7800-9367-c582ce4230bd
    """
    client = connect()
    entry = client.call("GET", path("events", event_meant(client, event))).content
    sent = entry["event"]
    facts = {name: sent[name] for name in ("id", "type", "createdAt")}
    out.show(entry, Facts({"sequence": entry["sequence"], "by": entry["by"], **facts, **sent["data"]}))


def end_of_log(client: Client) -> int:
    """The sequence of the log's last event. A request for events far beyond the end tells it."""
    last: int = client.call("GET", path("events"), {"after": 2**62}).content["last"]
    return last


def newest(client: Client) -> tuple[int, str | None]:
    """The sequence and `createdAt` of the newest event; `createdAt` is None if no event is kept."""
    last = end_of_log(client)
    try:
        found = _page(client, {"after": max(0, last - 1)}, 1)["data"]
    except CallRefused as refused:
        if "oldest" not in refused.problem:
            raise
        found = []
    return last, found[0]["event"]["createdAt"] if found else None


def _before_oldest(client: Client) -> int:
    """The sequence after which the oldest kept event follows."""
    try:
        _page(client, {"after": 0}, 1)
    except CallRefused as refused:
        if "oldest" not in refused.problem:
            raise
        return int(refused.problem["oldest"]) - 1
    return 0


def _read_on(client: Client, after: int, limit: int, about: Mapping[str, object]) -> tuple[list[dict[str, Any]], int]:
    """At most `limit` events after a sequence, and the sequence to go on after."""
    found: list[dict[str, Any]] = []
    at = after
    while len(found) < limit:
        page = _page(client, {"after": at, **about}, limit - len(found))
        found += page["data"]
        if page["last"] == at:
            break
        at = page["last"]
    return found, at


def _read_back(client: Client, limit: int, about: Mapping[str, object]) -> list[dict[str, Any]]:
    """At most `limit` events, newest first."""
    found: list[dict[str, Any]] = []
    before: int | str | None = "latest"
    while len(found) < limit and before is not None:
        page = _page(client, {"before": before, **about}, limit - len(found))
        found += page["data"]
        before = page["next"]
    return found


def _page(client: Client, query: Mapping[str, object], limit: int) -> dict[str, Any]:
    page: dict[str, Any] = client.call("GET", path("events"), {**query, "limit": min(limit, MAX_PAGE)}).content
    return page
