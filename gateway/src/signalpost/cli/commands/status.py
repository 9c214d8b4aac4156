"""`signalpost status`: what needs attention, the worst first."""

from collections import Counter
from typing import Any

from signalpost.cli.client import connect, path
from signalpost.cli.terminal.output import TEXT, Output, Parts
from signalpost.cli.terminal.parts import ShownTable, Warn

MAX_SUBSCRIPTIONS = 100_000
WORST_FIRST = ("disabled", "failing", "paused", "unknown", "healthy")


def status(*, out: Output = TEXT) -> None:
    client = connect()
    ready = client.readiness()
    every = client.pages(path("subscriptions"), {}, MAX_SUBSCRIPTIONS)
    subscriptions = sorted((each for each in every if "shadowOf" not in each), key=_rank)
    found = {"gateway": ready, "subscriptions": [_shown(each) for each in subscriptions]}
    out.show(found, _readiness(ready), _states(subscriptions))


def _readiness(ready: dict[str, Any]) -> Parts:
    yield f"The gateway is {ready['status']}."
    for sentence in (ready["trouble"], *ready["warnings"]):
        if sentence:
            yield Warn(sentence)


def _states(subscriptions: list[dict[str, Any]]) -> Parts:
    counts = Counter(each["health"]["state"] for each in subscriptions)
    if subscriptions:
        yield ", ".join(f"{counts[state]} {state}" for state in WORST_FIRST if counts[state]) + "."
        yield ""
    rows = [_shown(each) for each in subscriptions if _needs_attention(each["health"])]
    yield ShownTable(
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
