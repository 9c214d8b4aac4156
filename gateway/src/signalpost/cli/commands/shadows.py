"""`signalpost subscriptions compare` and `promote-shadow`: how a shadow answers beside its original, and its
promotion."""

from typing import Annotated, Any

from signalpost.cli.client import connect, path
from signalpost.cli.terminal.options import Limit, SubscriptionId, flag
from signalpost.cli.terminal.output import TEXT, Output, Parts
from signalpost.cli.terminal.parts import Columns, table
from signalpost.cli.terminal.plain import without_fractions

_DIFFERENT: Columns = {
    "event": "eventId", "type": "eventType", "created": lambda each: without_fractions(each["createdAt"]),
    "original": lambda each: _answered(each["original"]), "shadow": lambda each: _answered(each["shadow"]),
    "title": "title",
}  # fmt: skip


def compare(shadow: SubscriptionId, /, *, limit: Limit = 50, out: Output = TEXT) -> None:
    """Show what a shadow and its original answered to the same events: how many alike, and those that differ.

    The newest 10,000 events count. With --json, each answer is shown.

    Example: signalpost subscriptions compare 01a20e92-1d5f-76d4-985f-8a63b2c66f94
    """
    found = connect().call("GET", path("subscriptions", shadow, "comparison"), query={"limit": limit}).content
    out.show(found, _told(found))


def promote_shadow(
    shadow: SubscriptionId,
    /,
    *,
    anyway: Annotated[bool, flag("Promote it even if its endpoint fails, or has not taken an event yet.")] = False,
    out: Output = TEXT,
) -> None:
    """Swap the endpoints of a shadow and its original, with their secrets and headers.

    What waits goes to the new endpoint. The former one is the shadow from then on: promote it to go back.

    Example: signalpost subscriptions promote-shadow 01a20e92-1d5f-76d4-985f-8a63b2c66f94
    """
    promoted = connect().call("POST", path("subscriptions", shadow, "promote"), body={"anyway": anyway}).content
    out.show(promoted, f"Promoted. {promoted['name']} sends to {promoted['url']} from now on.")


def _told(found: dict[str, Any]) -> Parts:
    if not found["compared"]:
        yield f"Nothing to compare yet: no event was sent to both since {without_fractions(found['since'])}."
        return
    yield f"{found['agree']:,} of {found['compared']:,} agree, since {without_fractions(found['since'])}."
    for name in ("original", "shadow"):
        took = found[name]
        yield f"The {name} took {took['medianMs']:.1f} ms, and at most {took['p95Ms']:.1f} ms in 95 of 100 cases."
    if found["data"]:
        yield f"{found['statusDiffers']:,} differ in the status, {found['answerDiffers']:,} in the answer:"
        yield table(found["data"], _DIFFERENT, "", cut=("title",))
    if found["next"] is not None:
        yield "There are older ones. --limit shows more."


def _answered(attempt: dict[str, Any]) -> str:
    said = attempt["answer"].strip().splitlines()
    return f"{attempt['statusCode'] or attempt['error']} {said[0][:40] if said else ''}".strip()
