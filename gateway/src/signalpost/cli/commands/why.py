"""`signalpost why`: what happened to an event, and why."""

from collections.abc import Mapping
from typing import Annotated, Any

from cyclopts import Parameter

from signalpost.cli.client import Client, CommandError, connect, path
from signalpost.cli.meant import event_meant, meant
from signalpost.cli.terminal.output import TEXT, Output, Parts
from signalpost.cli.terminal.parts import Facts, Line
from signalpost.cli.terminal.plain import without_fractions

MAX_SUBSCRIPTIONS = 100_000
MAX_DIAGNOSED = 20
"""For how many subscriptions the likely cause is asked: each costs a request."""


def why(
    event: Annotated[
        str, Parameter(name="EVENT", help="The event's id, its beginning, or a part of its document's title.")
    ],
    subscription: Annotated[
        str | None, Parameter(name="SUBSCRIPTION", help="Show only this subscription; all if left out.")
    ] = None,
    /,
    *,
    out: Output = TEXT,
) -> None:
    client = connect()
    event = event_meant(client, event)
    if subscription is not None:
        subscription = meant(client, "subscription", subscription)
    found = outcomes(client, event)
    if subscription is not None:
        found = [each for each in found if each["subscriptionId"] == subscription]
        if not found:
            client.call("GET", path("subscriptions", subscription))  # tells that there is no such subscription
            raise CommandError("The subscription was created a moment ago. Repeat the command.")
    diagnoses = _diagnoses(client, event, found)
    if subscription is None:
        told = _outcomes(found, diagnoses)
    else:
        told = iter([Facts({**_facts(found[0]), **_diagnosed(diagnoses.get(subscription))})])
    out.show([{**each, "diagnosis": diagnoses.get(each["subscriptionId"])} for each in found], told)


def outcomes(client: Client, event: str) -> list[dict[str, Any]]:
    """What happened to an event at every subscription of the tenant."""
    found = list(client.pages(path("deliveries"), {"eventId": event}, MAX_SUBSCRIPTIONS))
    if not found:
        client.call("GET", path("events", event))  # tells that there is no such event
    return found


def _diagnoses(client: Client, event: str, found: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The likely cause at each subscription at which the event failed."""
    failed = [each["subscriptionId"] for each in found if each["status"] in ("failed", "retrying")]
    read = (
        client.call("GET", path("subscriptions", each, "deliveries", event)).content for each in failed[:MAX_DIAGNOSED]
    )
    return {each["subscriptionId"]: each["diagnosis"] for each in read if each["diagnosis"] is not None}


def _diagnosed(diagnosis: dict[str, Any] | None) -> dict[str, Any]:
    if diagnosis is None:
        return {}
    return {
        "diagnosis": diagnosis["title"],
        "what was seen": diagnosis["forUs"],
        "tell the customer": diagnosis["forCustomer"],
        "what helps": diagnosis["remedy"].replace("_", " "),
    }


def _outcomes(found: list[dict[str, Any]], diagnoses: Mapping[str, dict[str, Any]]) -> Parts:
    """What happened to the event at each subscription, and why; if it failed, the likely cause too."""
    if not found:
        yield "There are no subscriptions."
    for each in found:
        yield Line(each["subscriptionId"], each["status"] or "no delivery", each["subscriptionName"])
        yield f"  {without_fractions(each['cause']['detail'])}"
        if (diagnosis := diagnoses.get(each["subscriptionId"])) is not None:
            yield f"  {diagnosis['title']} {diagnosis['forUs']}"


def _facts(found: dict[str, Any]) -> dict[str, Any]:
    return {
        "subscription": found["subscriptionId"],
        "name": found["subscriptionName"],
        "status": found["status"] or "no delivery",
        "why": without_fractions(found["cause"]["detail"]),
        "next attempt": found["nextAttemptAt"],
    }
