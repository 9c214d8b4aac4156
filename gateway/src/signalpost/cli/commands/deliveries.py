"""`signalpost deliveries`: what was sent, what waits, what failed and why."""

import time
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from signalpost.cli.client import connect, path
from signalpost.cli.commands.delivery_tail import DeliveryTail
from signalpost.cli.commands.why import why
from signalpost.cli.terminal.moments import WAYS, Moment
from signalpost.cli.terminal.output import (
    Json,
    Limit,
    Lines,
    print_facts,
    print_json,
    print_table,
    say,
    without_fractions,
)

app = App(name="deliveries", help_format="markdown")

SubscriptionId = Annotated[str, Parameter(name="SUBSCRIPTION", help="The subscription's id.")]
EventId = Annotated[str, Parameter(name="EVENT", help="The event's id.")]
Status = Literal["pending", "delivered", "skipped", "retrying", "failed"]
EventType = Literal["documentCreated", "documentUpdated", "documentDeleted"]
OPTIONS = {
    "?status": "--status", "?eventType": "--event-type", "?externalId": "--document", "?from": "--since",
    "?to": "--until", "?subscriptionId": "--subscription",
}  # fmt: skip
FIELDS = {
    "status": "status", "event": "eventId", "subscription": "subscriptionId", "created": "createdAt",
    "type": "eventType", "next attempt": "nextAttemptAt", "document": "externalId",
}  # fmt: skip
"""The columns of a list, most important first, and the members of a delivery that they show."""
WIDTHS = {
    "status": 9, "event": 36, "subscription": 36, "created": 20, "type": 15, "next attempt": 20, "document": 36,
}  # fmt: skip
NEEDED = ("event", "subscription")
"""The columns that `deliveries get` and `deliveries retry` are given."""
POLL = 0.5


@app.command(name="list")
def list_(
    subscription: Annotated[str | None, Parameter(name="SUBSCRIPTION", help="Only those of this subscription.")] = None,
    /,
    *,
    status: Annotated[Status | None, Parameter(help="Only those in this state.")] = None,
    event_type: Annotated[EventType | None, Parameter(help="Only those of this type of event.")] = None,
    document: Annotated[str | None, Parameter(help="Only those of the document with this externalId.")] = None,
    since: Annotated[Moment | None, Parameter(help=f"Only events from this moment on: {WAYS}.")] = None,
    until: Annotated[Moment | None, Parameter(help="Only events before this moment.")] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List deliveries, newest event first.

    Example: signalpost deliveries list --status failed --since 2h
    """
    query = {"status": status, "eventType": event_type, "externalId": document, "from": since, "to": until}
    place = path("deliveries") if subscription is None else path("subscriptions", subscription, "deliveries")
    found = list(connect(OPTIONS).pages(place, query, limit))
    if as_json:
        print_json(found)
        return
    columns = _columns(subscription)
    print_table(
        columns,
        [[delivery[FIELDS[column]] for column in columns] for delivery in found],
        "No such deliveries." if any(query.values()) else "No deliveries.",
        keep=NEEDED,
    )


@app.command
def tail(
    *,
    subscription: Annotated[str | None, Parameter(help="Only those of this subscription.")] = None,
    status: Annotated[Status | None, Parameter(help="Only changes to this state.")] = None,
    as_json: Json = False,
) -> None:
    """Follow deliveries live until Ctrl-C: a line when one appears and whenever its state changes.

    Only deliveries of events from now on are shown.

    Example: signalpost deliveries tail --status failed
    """
    client = connect(OPTIONS)
    if subscription is not None:
        client.call("GET", path("subscriptions", subscription))
    tail = DeliveryTail(client, subscription)
    columns = _columns(subscription)
    lines = None if as_json else Lines({column: WIDTHS[column] for column in columns}, NEEDED)
    while True:
        for delivery in tail.changes():
            if status is not None and delivery["status"] != status:
                continue
            if lines is None:
                print_json(delivery)
            else:
                lines.print([delivery[FIELDS[column]] for column in columns])
        time.sleep(POLL)


@app.command
def get(
    subscription: Annotated[
        str, Parameter(name="SUBSCRIPTION", help="The subscription's id. Leave it out to see every subscription.")
    ],
    event: Annotated[str | None, Parameter(name="EVENT", help="The event's id.")] = None,
    /,
    *,
    as_json: Json = False,
) -> None:
    """Show a delivery with every attempt, or what happened to an event at every subscription.

    Example: signalpost deliveries get 01a20e92-1d5f-76d4-985f-8a63b2c66f94 01a20e92-1d2e-7800-9367-c582ce4230bd
    """
    if event is None:
        # With one id, that is the event's.
        why(subscription, as_json=as_json)
        return
    found = connect().call("GET", path("subscriptions", subscription, "deliveries", event)).content
    if as_json:
        print_json(found)
        return
    attempts: list[dict[str, Any]] = found.pop("attempts")
    cause, asked, behind = found.pop("cause"), found.pop("retriesAsked"), found.pop("waitingBehind")
    print_facts({**found, **_behind(behind), "why": without_fractions(cause["detail"])})
    say("")
    print_table(
        ("attempt", "run", "started", "ms", "status", "error", "detail or answer"),
        [
            (
                attempt["number"], attempt["run"], attempt["startedAt"], attempt["durationMs"], attempt["statusCode"],
                attempt["error"], attempt["detail"] or attempt["answer"],
            )
            for attempt in attempts
        ],
        "Not attempted yet.",
        cut=("detail or answer",),
    )  # fmt: skip
    for each in asked:
        but = " The attempt under way succeeded, so nothing more was sent." if each["deliveredMeanwhile"] else ""
        say(f"{each['by']} asked at {without_fractions(each['at'])} to have it sent now.{but}")


def _behind(waiting: dict[str, Any] | None) -> dict[str, str]:
    if waiting is None or not (waiting["count"] or waiting["countIsCapped"]):
        return {}
    more = " or more" if waiting["countIsCapped"] else ""
    return {"behind it": f"{waiting['count']}{more} newer of its document"}


@app.command
def retry(subscription: SubscriptionId, event: EventId, /) -> None:
    """Make one more attempt now. If it fails, scheduled retries still take place.

    Example: signalpost deliveries retry 01a20e92-1d5f-76d4-985f-8a63b2c66f94 01a20e92-1d2e-7800-9367-c582ce4230bd
    """
    connect().call("POST", path("subscriptions", subscription, "deliveries", event, "retry"))
    say(f"It is being sent again. See how it went: signalpost deliveries get {subscription} {event}")


def _columns(subscription: str | None) -> tuple[str, ...]:
    """The columns of a list; without the subscription's where all rows have the same one."""
    return tuple(column for column in FIELDS if column != "subscription" or subscription is None)
