"""`signalpost events`: the log."""

import time
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from signalpost.cli.client import Client, connect
from signalpost.cli.output import Json, print_facts, print_json, print_table

app = App(name="events", help="Read the log of events.")

EventType = Literal["documentCreated", "documentUpdated", "documentDeleted"]
Type = Annotated[EventType | None, Parameter(name="--type", help="Only events of this type.")]
Document = Annotated[str | None, Parameter(name="--document", help="Only events of the document with this externalId.")]
COLUMNS = ("sequence", "createdAt", "type", "status", "document", "event")
POLL = 0.5


@app.command(name="list")
def list_(
    *,
    after: Annotated[int, Parameter(help="Begin behind this sequence.")] = 0,
    limit: int = 50,
    type_: Type = None,
    document: Document = None,
    as_json: Json = False,
) -> None:
    """List events, oldest first.

    Example: signalpost events list --after 100 --type documentCreated
    """
    client = connect()
    found: list[dict[str, Any]] = []
    while len(found) < limit:
        page = _page(client, after, limit - len(found), type_, document)
        found += page["data"]
        if page["last"] == after:
            break
        after = page["last"]
    if as_json:
        print_json(found)
    else:
        print_table(COLUMNS, map(_row, found), "No events.")


@app.command
def tail(*, type_: Type = None, document: Document = None, as_json: Json = False) -> None:
    """Follow the log live, until Ctrl-C.

    Example: signalpost events tail --type documentUpdated
    """
    client = connect()
    after = _end(client)
    while True:
        page = _page(client, after, 250, type_, document)
        for entry in page["data"]:
            if as_json:
                print_json(entry)
            else:
                print_table(("",) * len(COLUMNS), [_row(entry)], "")
        if page["last"] == after:
            time.sleep(POLL)
        after = page["last"]


@app.command
def get(event_id: str, /, *, as_json: Json = False) -> None:
    """Show an event, as it is sent.

    Example: signalpost events get 01a20e92-1d2e-7800-9367-c582ce4230bd
    """
    entry = connect().call("GET", f"/v1/events/{event_id}").content
    if as_json:
        print_json(entry)
    else:
        event = entry["event"]
        facts = {
            "sequence": entry["sequence"],
            "id": event["id"],
            "type": event["type"],
            "createdAt": event["createdAt"],
        }
        print_facts({**facts, **{f"document.{name}": value for name, value in event["data"]["document"].items()}})


def _page(client: Client, after: int, limit: int, type_: str | None, document: str | None) -> dict[str, Any]:
    query = {"after": after, "limit": min(limit, 250), "eventType": type_, "externalId": document}
    page: dict[str, Any] = client.call("GET", "/v1/events", query).content
    return page


def _end(client: Client) -> int:
    """The last sequence: a feed that begins behind the log's end says where that is."""
    last: int = client.call("GET", "/v1/events", {"after": 2**62}).content["last"]
    return last


def _row(entry: dict[str, Any]) -> tuple[object, ...]:
    event = entry["event"]
    document = event["data"]["document"]
    return (
        entry["sequence"], event["createdAt"], event["type"], document["status"], document["externalId"], event["id"],
    )  # fmt: skip
