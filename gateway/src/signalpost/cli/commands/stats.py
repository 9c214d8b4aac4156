"""`signalpost stats`: attempts by outcome, by minute or hour."""

from typing import Annotated, Any, Literal

from cyclopts import Parameter

from signalpost.cli.client import connect, path
from signalpost.cli.terminal.moments import WAYS, Moment
from signalpost.cli.terminal.options import Sets
from signalpost.cli.terminal.output import TEXT, Output, Parts
from signalpost.cli.terminal.parts import ShownTable


def stats(
    subscription: Annotated[
        str | None,
        Parameter(name="SUBSCRIPTION", help="Only this subscription; without it, all subscriptions of the tenant."),
        Sets("?subscriptionId"),
    ] = None,
    /,
    *,
    step: Annotated[
        Literal["minute", "hour"], Parameter(help="Minutes are kept for 48 hours, hours for 90 days."), Sets("?step")
    ] = "minute",
    from_: Annotated[
        Moment | None,
        Parameter(name="--from", help=f"Where to begin: {WAYS}. 60 minutes or 48 hours ago if left out."),
        Sets("?from"),
    ] = None,
    to: Annotated[Moment | None, Parameter(help="Where to end; now if left out."), Sets("?to")] = None,
    out: Output = TEXT,
) -> None:
    asked = {"subscriptionId": subscription, "step": step, "from": from_, "to": to}
    found = connect().call("GET", path("stats"), asked).content
    out.show(found, _told(found, step))


def _told(found: dict[str, Any], step: str) -> Parts:
    rows = [(each["at"][:16].replace("T", " "), *_counts(each)) for each in found["data"]]
    columns = (step, "delivered", "first try", "retried", "failed", "median ms", "p99 ms")
    yield ShownTable(columns, rows, "No attempts then.")
    if rows:
        total = found["total"]
        yield f"In all {total['delivered']:,} delivered, {total['retried']:,} retried, {total['failed']:,} failed."


def _counts(each: dict[str, Any]) -> tuple[str, ...]:
    counts = (f"{each[name]:,}" for name in ("delivered", "firstTry", "retried", "failed"))
    times = ("-" if each[name] is None else f"{each[name]:g}" for name in ("medianMs", "p99Ms"))
    return (*counts, *times)
