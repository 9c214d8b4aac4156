"""`signalpost status`: what needs attention, the worst first."""

from collections import Counter
from typing import Any

from signalpost.cli.client import connect, path
from signalpost.cli.terminal.output import Json, print_json, print_table, say, warn

MAX_SUBSCRIPTIONS = 100_000
WORST_FIRST = ("disabled", "failing", "paused", "unknown", "healthy")


def status(*, as_json: Json = False) -> None:
    """Show whether the gateway is ready, and the state of its subscriptions, worst first."""
    client = connect()
    ready = client.readiness()
    subscriptions = sorted(client.pages(path("subscriptions"), {}, MAX_SUBSCRIPTIONS), key=_rank)
    if as_json:
        print_json({"gateway": ready, "subscriptions": [_shown(each) for each in subscriptions]})
        return
    say(f"The gateway is {ready['status']}.")
    for sentence in (ready["trouble"], *ready["warnings"]):
        if sentence:
            warn(sentence)
    _print_subscriptions(subscriptions)


def _print_subscriptions(subscriptions: list[dict[str, Any]]) -> None:
    counts = Counter(each["health"]["state"] for each in subscriptions)
    if subscriptions:
        say(", ".join(f"{counts[state]} {state}" for state in WORST_FIRST if counts[state]) + ".")
        say("")
    rows = [_shown(each) for each in subscriptions if _needs_attention(each["health"])]
    print_table(
        ("subscription", "state", "behind", "waiting", "failed", "next probe", "name", "failing since", "last error"),
        [tuple(row.values()) for row in rows],
        "No subscription needs attention." if subscriptions else "There are no subscriptions.",
        cut=("last error",),
        keep=("next probe", "name", "last error"),
    )


def _needs_attention(health: dict[str, Any]) -> bool:
    return bool(health["state"] != "healthy" or health["failed"])


def _rank(subscription: dict[str, Any]) -> tuple[int, int, int]:
    health = subscription["health"]
    return WORST_FIRST.index(health["state"]), -health["failed"], -health["lag"]


def _shown(subscription: dict[str, Any]) -> dict[str, Any]:
    health = subscription["health"]
    return {
        "subscription": subscription["id"],
        "state": health["state"],
        "behind": health["lag"],
        "waiting": health["waiting"],
        "failed": health["failed"],
        "nextProbeAt": health["nextProbeAt"],
        "name": subscription["name"],
        "failingSince": health["failingSince"],
        "lastError": health["lastError"],
    }
