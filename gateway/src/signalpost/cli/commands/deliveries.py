"""`signalpost deliveries`: what was sent, what waits, what failed and why."""

import time
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from signalpost.cli.client import connect, path
from signalpost.cli.commands.delivery_tail import DeliveryTail
from signalpost.cli.commands.why import why
from signalpost.cli.meant import event_meant, meant
from signalpost.cli.terminal.moments import WAYS, Moment
from signalpost.cli.terminal.options import EventId, EventType, Limit, Sets, SubscriptionId, parts_of
from signalpost.cli.terminal.output import TEXT, Output, Parts
from signalpost.cli.terminal.parts import Columns, Facts, GrowingRows, row_of, table
from signalpost.cli.terminal.plain import print_json, say, without_fractions

app = App(name="deliveries", help_format="markdown")

Status = Literal["pending", "delivered", "skipped", "retrying", "failed"]
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


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class DeliveryOptions:
    """Which deliveries are listed."""

    status: Annotated[Status | None, Parameter(help="Only those in this state."), Sets("?status")] = None
    event_type: Annotated[EventType | None, Parameter(help="Only those of this type of event."), Sets("?eventType")] = (
        None
    )
    document: Annotated[
        str | None, Parameter(help="Only those of the document with this externalId."), Sets("?externalId")
    ] = None
    since: Annotated[Moment | None, Parameter(help=f"Only events from this moment on: {WAYS}."), Sets("?from")] = None
    until: Annotated[Moment | None, Parameter(help="Only events before this moment."), Sets("?to")] = None


UNFILTERED = DeliveryOptions()


@app.command(name="list")
def list_(
    subscription: Annotated[str | None, Parameter(name="SUBSCRIPTION", help="Only those of this subscription.")] = None,
    /,
    *,
    only: DeliveryOptions = UNFILTERED,
    limit: Limit = 50,
    out: Output = TEXT,
) -> None:
    """List deliveries, newest event first.

    Example: signalpost deliveries list --status failed --since 2h
    """
    query = parts_of(only)
    place = path("deliveries") if subscription is None else path("subscriptions", subscription, "deliveries")
    found = list(connect().pages(place, query, limit))
    nothing = "No such deliveries." if any(query.values()) else "No deliveries."
    out.show(found, table(found, _columns(subscription), nothing, keep=NEEDED))


@app.command
def tail(
    *,
    subscription: Annotated[
        str | None, Parameter(help="Only those of this subscription."), Sets("?subscriptionId")
    ] = None,
    status: Annotated[Status | None, Parameter(help="Only changes to this state.")] = None,
    out: Output = TEXT,
) -> None:
    """Follow deliveries live until Ctrl-C: a line when one appears and whenever its state changes.

    Only deliveries of events from now on are shown.

    Example: signalpost deliveries tail --status failed
    """
    client = connect()
    if subscription is not None:
        client.call("GET", path("subscriptions", subscription))
    tail = DeliveryTail(client, subscription)
    columns = _columns(subscription)
    rows = GrowingRows(out, {column: WIDTHS[column] for column in columns}, NEEDED)
    while True:
        for delivery in tail.changes():
            if status in (None, delivery["status"]):
                rows.show(delivery, row_of(delivery, columns))
        time.sleep(POLL)


@app.command
def get(
    subscription: Annotated[
        str, Parameter(name="SUBSCRIPTION", help="The subscription's id. Leave it out to see every subscription.")
    ],
    event: Annotated[str | None, Parameter(name="EVENT", help="The event's id.")] = None,
    /,
    *,
    out: Output = TEXT,
) -> None:
    """Show a delivery with every attempt, or what happened to an event at every subscription.

    Example: signalpost deliveries get 01a20e92-1d5f-76d4-985f-8a63b2c66f94 01a20e92-1d2e-7800-9367-c582ce4230bd
    """
    if event is None:
        # With one id, that is the event's.
        why(subscription, out=out)
        return
    client = connect()
    at, of = meant(client, "subscription", subscription), event_meant(client, event)
    found = client.call("GET", path("subscriptions", at, "deliveries", of)).content
    out.show(found, _told(found))


def _told(found: dict[str, Any]) -> Parts:
    apart = ("attempts", "cause", "retriesAsked", "waitingBehind")
    facts = {name: value for name, value in found.items() if name not in apart}
    yield Facts({**facts, **_behind(found["waitingBehind"]), "why": without_fractions(found["cause"]["detail"])})
    yield ""
    columns: Columns = {
        "attempt": "number", "run": "run", "started": "startedAt", "ms": "durationMs", "status": "statusCode",
        "error": "error", "detail or answer": lambda attempt: attempt["detail"] or attempt["answer"],
    }  # fmt: skip
    yield table(found["attempts"], columns, "Not attempted yet.", cut=("detail or answer",))
    for each in found["retriesAsked"]:
        but = " The attempt under way succeeded, so nothing more was sent." if each["deliveredMeanwhile"] else ""
        yield f"{each['by']} asked at {without_fractions(each['at'])} to have it sent now.{but}"


def _behind(waiting: dict[str, Any] | None) -> dict[str, str]:
    if waiting is None or not (waiting["count"] or waiting["countIsCapped"]):
        return {}
    more = " or more" if waiting["countIsCapped"] else ""
    return {"behind it": f"{waiting['count']}{more} newer of its document"}


@app.command
def evidence(subscription: SubscriptionId, event: EventId, /) -> None:
    """Write signed evidence of a delivery: what was sent and what was answered. `signalpost verify` checks it.

    Example: signalpost deliveries evidence 01a20e92-… 01a20e92-… > evidence.json
    """
    print_json(connect().call("GET", path("subscriptions", subscription, "deliveries", event, "evidence")).content)


@app.command
def evidence_keys() -> None:
    """Write the keys with which this gateway signs evidence, and those with which it did.

    Example: signalpost deliveries evidence-keys > keys.json
    """
    from signalpost.domain.evidence import PATH  # cryptography takes its time to load

    print_json(connect().call("GET", PATH).content)


@app.command
def retry(subscription: SubscriptionId, event: EventId, /) -> None:
    """Make one more attempt now. If it fails, scheduled retries still take place.

    Example: signalpost deliveries retry 01a20e92-1d5f-76d4-985f-8a63b2c66f94 01a20e92-1d2e-7800-9367-c582ce4230bd
    """
    connect().call("POST", path("subscriptions", subscription, "deliveries", event, "retry"))
    say(f"It is being sent again. See how it went: signalpost deliveries get {subscription} {event}")


def _columns(subscription: str | None) -> dict[str, str]:
    """The columns of a list; without the subscription's if all rows have the same one."""
    return {name: shown for name, shown in FIELDS.items() if name != "subscription" or subscription is None}
