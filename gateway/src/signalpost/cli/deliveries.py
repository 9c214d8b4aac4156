"""`signalpost deliveries`: what was sent, what waits, what failed and why."""

from typing import Annotated, Literal

from cyclopts import App, Parameter

from signalpost.cli.client import connect
from signalpost.cli.output import Json, print_facts, print_json, print_table, say

app = App(name="deliveries", help="Look into deliveries, and send one again.")

Subscription = Annotated[str, Parameter(help="The subscription's id.")]
Event = Annotated[str, Parameter(help="The event's id.")]


@app.command(name="list")
def list_(
    subscription: Subscription,
    /,
    *,
    status: Literal["pending", "delivered", "retrying", "failed"] | None = None,
    document: Annotated[str | None, Parameter(help="Only those of the document with this externalId.")] = None,
    since: Annotated[
        str | None, Parameter(help="Only events from this moment on, such as 2026-11-24T10:00:00Z.")
    ] = None,
    limit: int = 50,
    as_json: Json = False,
) -> None:
    """List a subscription's deliveries, newest first.

    Example: signalpost deliveries list 01a20e92-1d5f-76d4-985f-8a63b2c66f94 --status failed
    """
    query = {"status": status, "externalId": document, "from": since}
    found = list(connect().pages(f"/v1/subscriptions/{subscription}/deliveries", query, limit))
    if as_json:
        print_json(found)
        return
    columns = ("sequence", "created", "type", "document", "status", "next attempt", "event")
    fields = ("sequence", "createdAt", "eventType", "externalId", "status", "nextAttemptAt", "eventId")
    print_table(columns, [[delivery[field] for field in fields] for delivery in found], "No such deliveries.")


@app.command
def get(subscription: Subscription, event: Event, /, *, as_json: Json = False) -> None:
    """Show a delivery with every attempt.

    Example: signalpost deliveries get 01a20e92-1d5f-76d4-985f-8a63b2c66f94 01a20e92-1d2e-7800-9367-c582ce4230bd
    """
    found = connect().call("GET", f"/v1/subscriptions/{subscription}/deliveries/{event}").content
    if as_json:
        print_json(found)
        return
    attempts = found.pop("attempts")
    print_facts(found)
    print_table(
        ("attempt", "started", "ms", "status", "error", "detail", "answer"),
        [
            (a["number"], a["startedAt"], a["durationMs"], a["statusCode"], a["error"], a["detail"], a["answer"][:80])
            for a in attempts
        ],
        "Not attempted yet.",
    )


@app.command
def retry(subscription: Subscription, event: Event, /) -> None:
    """Send once more, now. A failure of it cancels nothing.

    Example: signalpost deliveries retry 01a20e92-1d5f-76d4-985f-8a63b2c66f94 01a20e92-1d2e-7800-9367-c582ce4230bd
    """
    connect().call("POST", f"/v1/subscriptions/{subscription}/deliveries/{event}/retry")
    say("It is sent again now. See how it went: signalpost deliveries get …")
