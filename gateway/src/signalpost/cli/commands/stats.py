"""`signalpost stats`: attempts by outcome, by minute or hour."""

from typing import Annotated, Any, Literal

from cyclopts import Parameter

from signalpost.cli.client import connect, path
from signalpost.cli.terminal.moments import WAYS, Moment
from signalpost.cli.terminal.output import Json, print_json, print_table, say

OPTIONS = {"?subscriptionId": "SUBSCRIPTION", "?step": "--step", "?from": "--from", "?to": "--to"}


def stats(
    subscription: Annotated[
        str | None,
        Parameter(name="SUBSCRIPTION", help="Only this subscription; without it, all subscriptions of the tenant."),
    ] = None,
    /,
    *,
    step: Annotated[
        Literal["minute", "hour"], Parameter(help="Minutes are kept for 48 hours, hours for 90 days.")
    ] = "minute",
    from_: Annotated[
        Moment | None,
        Parameter(name="--from", help=f"Where to begin: {WAYS}. 60 minutes or 48 hours ago if left out."),
    ] = None,
    to: Annotated[Moment | None, Parameter(help="Where to end; now if left out.")] = None,
    as_json: Json = False,
) -> None:
    """Count attempts by outcome, by minute or hour. Minutes without an attempt are left out."""
    asked = {"subscriptionId": subscription, "step": step, "from": from_, "to": to}
    found = connect(OPTIONS).call("GET", path("stats"), asked).content
    if as_json:
        print_json(found)
        return
    rows = [(each["at"][:16].replace("T", " "), *_counts(each)) for each in found["data"]]
    print_table((step, "delivered", "first try", "retried", "failed", "median ms", "p99 ms"), rows, "No attempts then.")
    if rows:
        total = found["total"]
        say(f"In all {total['delivered']:,} delivered, {total['retried']:,} retried, {total['failed']:,} failed.")


def _counts(each: dict[str, Any]) -> tuple[str, ...]:
    counts = (f"{each[name]:,}" for name in ("delivered", "firstTry", "retried", "failed"))
    times = ("-" if each[name] is None else f"{each[name]:g}" for name in ("medianMs", "p99Ms"))
    return (*counts, *times)
