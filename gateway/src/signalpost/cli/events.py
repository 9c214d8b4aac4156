"""`signalpost events`: read the log of events, or follow it live."""

import time
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from signalpost.cli.client import MAX_PAGE, Client, Refused, connect, path
from signalpost.cli.output import Json, Limit, Lines, print_facts, print_json, print_table, remark

app = App(name="events", help="Read the log of events, and follow it live.", help_format="markdown")

EventType = Literal["documentCreated", "documentUpdated", "documentDeleted"]
Type = Annotated[EventType | None, Parameter(name="--event-type", help="Only events of this type.")]
Document = Annotated[str | None, Parameter(name="--document", help="Only events of the document with this externalId.")]
OPTIONS = {"?after": "--after", "?eventType": "--event-type", "?externalId": "--document"}
COLUMNS = {"sequence": 9, "event": 36, "type": 15, "created": 20, "document": 36, "status": 23}
POLL = 0.5


@app.command(name="list")
def list_(
    *,
    after: Annotated[
        int | None, Parameter(help="List only events after this sequence; all kept events if left out.")
    ] = None,
    limit: Limit = 50,
    event_type: Type = None,
    document: Document = None,
    as_json: Json = False,
) -> None:
    """List events, oldest first.

    Example: signalpost events list --after 100 --event-type documentCreated
    """
    client = connect(OPTIONS)
    at = _before_oldest(client) if after is None else after
    found: list[dict[str, Any]] = []
    while len(found) < limit:
        page = _page(client, at, limit - len(found), event_type, document)
        found += page["data"]
        if page["last"] == at:
            break
        at = page["last"]
    if as_json:
        print_json(found)
        return
    print_table(
        tuple(COLUMNS), map(_row, found), "No such events." if after or event_type or document else "No events."
    )
    if len(found) == limit:
        remark(f"(Continue with --after {at}.)")


@app.command
def tail(*, event_type: Type = None, document: Document = None, as_json: Json = False) -> None:
    """Follow the log live, until Ctrl-C.

    Example: signalpost events tail --event-type documentUpdated
    """
    client = connect(OPTIONS)
    after = end_of_log(client)
    lines = None if as_json else Lines(COLUMNS)
    while True:
        page = _page(client, after, MAX_PAGE, event_type, document)
        for entry in page["data"]:
            if lines is None:
                print_json(entry)
            else:
                lines.print(_row(entry))
        if page["last"] == after:
            time.sleep(POLL)
        after = page["last"]


@app.command
def get(event: Annotated[str, Parameter(name="EVENT", help="ID of the event.")], /, *, as_json: Json = False) -> None:
    """Show an event as it is sent.

    Example: signalpost events get 01a20e92-1d2e-7800-9367-c582ce4230bd
    """
    entry = connect().call("GET", path("events", event)).content
    if as_json:
        print_json(entry)
    else:
        sent = entry["event"]
        facts = {name: sent[name] for name in ("id", "type", "createdAt")}
        print_facts({"sequence": entry["sequence"], **facts, **sent["data"]})


def end_of_log(client: Client) -> int:
    """The sequence of the log's last event. A request for events far beyond the end tells it."""
    last: int = client.call("GET", path("events"), {"after": 2**62}).content["last"]
    return last


def newest(client: Client) -> tuple[int, str | None]:
    """The sequence and `createdAt` of the newest event; `createdAt` is None if no event is kept."""
    last = end_of_log(client)
    try:
        found = _page(client, max(0, last - 1), 1, None, None)["data"]
    except Refused as refused:
        if "oldest" not in refused.problem:
            raise
        found = []
    return last, found[0]["event"]["createdAt"] if found else None


def _before_oldest(client: Client) -> int:
    """The sequence after which the oldest kept event follows."""
    try:
        _page(client, 0, 1, None, None)
    except Refused as refused:
        if "oldest" not in refused.problem:
            raise
        return int(refused.problem["oldest"]) - 1
    return 0


def _page(client: Client, after: int, limit: int, event_type: str | None, document: str | None) -> dict[str, Any]:
    query = {"after": after, "limit": min(limit, MAX_PAGE), "eventType": event_type, "externalId": document}
    page: dict[str, Any] = client.call("GET", path("events"), query).content
    return page


def _row(entry: dict[str, Any]) -> tuple[object, ...]:
    event = entry["event"]
    document = event["data"]["document"]
    return (
        entry["sequence"], event["id"], event["type"], event["createdAt"], document["externalId"], document["status"],
    )  # fmt: skip
