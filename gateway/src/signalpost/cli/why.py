"""`signalpost why`: what became of an event, and why."""

from typing import Annotated, Any

from cyclopts import Parameter

from signalpost.cli.client import Client, CommandError, connect, path
from signalpost.cli.output import Json, print_facts, print_json, print_table

MAX_SUBSCRIPTIONS = 100_000


def why(
    event: Annotated[str, Parameter(name="EVENT", help="The event's id.")],
    subscription: Annotated[
        str | None, Parameter(name="SUBSCRIPTION", help="Only this subscription's id; every subscription if left out.")
    ] = None,
    /,
    *,
    as_json: Json = False,
) -> None:
    """Say what became of an event at each subscription, and why.

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
    return list(client.pages(path("events", event, "deliveries"), {}, MAX_SUBSCRIPTIONS))


def print_outcomes(found: list[dict[str, Any]]) -> None:
    """Print a line for each subscription."""
    print_table(
        ("subscription", "status", "why", "name", "next attempt"),
        [
            (
                each["subscriptionId"], each["status"], each["cause"]["detail"], each["subscriptionName"],
                each["nextAttemptAt"],
            )
            for each in found
        ],
        "There are no subscriptions.",
        cut=("why",),
    )  # fmt: skip


def _facts(found: dict[str, Any]) -> dict[str, Any]:
    return {
        "subscription": found["subscriptionId"],
        "name": found["subscriptionName"],
        "status": found["status"],
        "why": found["cause"]["detail"],
        "next attempt": found["nextAttemptAt"],
    }
