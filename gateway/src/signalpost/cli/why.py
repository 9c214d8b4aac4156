"""`signalpost why`: what became of an event, and why."""

from typing import Annotated, Any

from cyclopts import Parameter

from signalpost.cli.client import Client, CommandError, connect, path
from signalpost.cli.output import Json, print_facts, print_json, print_line, say, without_fractions

MAX_SUBSCRIPTIONS = 100_000


def why(
    event: Annotated[str, Parameter(name="EVENT", help="The event's id.")],
    subscription: Annotated[
        str | None, Parameter(name="SUBSCRIPTION", help="Show only this subscription; every one if left out.")
    ] = None,
    /,
    *,
    as_json: Json = False,
) -> None:
    """Explain what happened to an event at each subscription.

    Example: signalpost why 01a20e92-1d2e-7800-9367-c582ce4230bd
    """
    client = connect()
    found = outcomes(client, event)
    if subscription is not None:
        found = [each for each in found if each["subscriptionId"] == subscription]
        if not found:
            client.call("GET", path("subscriptions", subscription))  # tells that there is no such subscription
            raise CommandError("The subscription was created a moment ago. Repeat the command.")
    if as_json:
        print_json(found)
    elif subscription is not None:
        print_facts(_facts(found[0]))
    else:
        print_outcomes(found)


def outcomes(client: Client, event: str) -> list[dict[str, Any]]:
    """What became of an event at every subscription of the tenant."""
    found = list(client.pages(path("deliveries"), {"eventId": event}, MAX_SUBSCRIPTIONS))
    if not found:
        client.call("GET", path("events", event))  # tells that there is no such event
    return found


def print_outcomes(found: list[dict[str, Any]]) -> None:
    """Print two lines for each subscription: what became of the event there, and why."""
    if not found:
        say("There are no subscriptions.")
    for each in found:
        print_line(each["subscriptionId"], each["status"] or "no delivery", each["subscriptionName"])
        say(f"  {without_fractions(each['cause']['detail'])}")


def _facts(found: dict[str, Any]) -> dict[str, Any]:
    return {
        "subscription": found["subscriptionId"],
        "name": found["subscriptionName"],
        "status": found["status"] or "no delivery",
        "why": without_fractions(found["cause"]["detail"]),
        "next attempt": found["nextAttemptAt"],
    }
