"""`signalpost why`: what happened to an event, and why."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any

from cyclopts import Parameter

from signalpost.cli.client import Client, CommandError, connect, path
from signalpost.cli.terminal.output import Json, print_facts, print_json, print_line, say, without_fractions

MAX_SUBSCRIPTIONS = 100_000
MAX_DIAGNOSED = 20
"""For how many subscriptions the likely cause is asked: each costs a request."""
NO_DIAGNOSES: Mapping[str, dict[str, Any]] = MappingProxyType({})


def why(
    event: Annotated[str, Parameter(name="EVENT", help="The event's id.")],
    subscription: Annotated[
        str | None, Parameter(name="SUBSCRIPTION", help="Show only this subscription; all if left out.")
    ] = None,
    /,
    *,
    as_json: Json = False,
) -> None:
    """Explain what happened to an event at each subscription."""
    client = connect()
    found = outcomes(client, event)
    if subscription is not None:
        found = [each for each in found if each["subscriptionId"] == subscription]
        if not found:
            client.call("GET", path("subscriptions", subscription))  # tells that there is no such subscription
            raise CommandError("The subscription was created a moment ago. Repeat the command.")
    diagnoses = _diagnoses(client, event, found)
    if as_json:
        print_json([{**each, "diagnosis": diagnoses.get(each["subscriptionId"])} for each in found])
    elif subscription is not None:
        print_facts({**_facts(found[0]), **_diagnosed(diagnoses.get(subscription))})
    else:
        print_outcomes(found, diagnoses)


def outcomes(client: Client, event: str) -> list[dict[str, Any]]:
    """What happened to an event at every subscription of the tenant."""
    found = list(client.pages(path("deliveries"), {"eventId": event}, MAX_SUBSCRIPTIONS))
    if not found:
        client.call("GET", path("events", event))  # tells that there is no such event
    return found


def _diagnoses(client: Client, event: str, found: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The likely causes, by subscription, where the event failed."""
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


def print_outcomes(found: list[dict[str, Any]], diagnoses: Mapping[str, dict[str, Any]] = NO_DIAGNOSES) -> None:
    """Print for each subscription what happened to the event there, and why; where it failed, the likely cause too."""
    if not found:
        say("There are no subscriptions.")
    for each in found:
        print_line(each["subscriptionId"], each["status"] or "no delivery", each["subscriptionName"])
        say(f"  {without_fractions(each['cause']['detail'])}")
        if (diagnosis := diagnoses.get(each["subscriptionId"])) is not None:
            say(f"  {diagnosis['title']} {diagnosis['forUs']}")


def _facts(found: dict[str, Any]) -> dict[str, Any]:
    return {
        "subscription": found["subscriptionId"],
        "name": found["subscriptionName"],
        "status": found["status"] or "no delivery",
        "why": without_fractions(found["cause"]["detail"]),
        "next attempt": found["nextAttemptAt"],
    }
