"""The command `subscriptions rehearse`: what changed or new subscriptions would have sent of past events."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

from cyclopts import Parameter

from signalpost.cli.client import CallRefused, Client, CommandError, Misuse, connect, path
from signalpost.cli.commands.declared.command import MAX_ENTRIES, existing
from signalpost.cli.commands.declared.plan import PlannedAction, PlannedChange, plan
from signalpost.cli.commands.declared.reading import plain, read
from signalpost.cli.commands.subscription_options import UNSAID, SubscriptionOptions
from signalpost.cli.terminal.moments import WAYS, Moment
from signalpost.cli.terminal.options import EVERY_TYPE, Sets, given, options_of, parts_of
from signalpost.cli.terminal.output import TEXT, Output, Parts
from signalpost.cli.terminal.parts import Columns, table
from signalpost.cli.terminal.plain import without_fractions

_is_id = re.compile(r"[0-9a-fA-F-]{36}").fullmatch
_SHOWN: Final = 5
"""How many examples of each kind people see."""
_WORDS: Final = {
    "more": "would be sent, and are not now",
    "less": "are sent now, and would not be",
    "cannot": "would be wanted, and nothing could be made of them",
}
_EXAMPLES: Final[Columns] = {
    "event": "eventId", "type": "eventType", "created": lambda each: without_fractions(each["createdAt"]),
    "title": "title", "why": "why",
}  # fmt: skip


def rehearse(
    what: Annotated[
        str, Parameter(name="WHAT", help="A TOML file, as `subscriptions apply` takes it, or a subscription's id.")
    ],
    /,
    *,
    since: Annotated[Moment | None, Parameter(help=f"Events from this moment on: {WAYS}. [7d]"), Sets("/from")] = None,
    until: Annotated[
        Moment | None, Parameter(help="Events before this moment; up to now if left out."), Sets("/to")
    ] = None,
    options: SubscriptionOptions = UNSAID,
    out: Output = TEXT,
) -> None:
    """Show what changed or new subscriptions would have sent of past events, beside what is sent now. Nothing is stored
    or sent.

    Of a file, everything is rehearsed that `subscriptions apply` would create or update, but for new shadows. Of a
    subscription, the change that the options say is, as `subscriptions update` would make it.

    Example: signalpost subscriptions rehearse signalpost.toml

    Example: signalpost subscriptions rehearse 01a20e92-1d5f-76d4-985f-8a63b2c66f94 --event-type documentUpdated
    """
    period, change, client = given(**{"from": since}, to=until), parts_of(options), connect()
    if _is_id(what):
        try:
            shown = client.call(
                "POST", path("subscriptions", what, "rehearsals"), body={**period, "change": change}
            ).content
        except CallRefused as refused:
            named = {f"/change{pointer}": option for pointer, option in options_of(rehearse).items()}
            raise refused.naming({**options_of(rehearse), **named}) from None
        out.show(shown, _told(shown, what))
    elif change:
        raise Misuse("A file says itself what is to be. Leave out the options, or name a subscription by its id.")
    else:
        found = [*_of_file(client, Path(what), period)]
        out.show(found, _all_told(found))


def _of_file(client: Client, file: Path, period: dict[str, Any]) -> Iterator[dict[str, Any]]:
    changes = plan(read(file), existing(client), prune=False, resend_secrets=False)
    ids = {each["name"]: each["id"] for each in client.pages(path("connections"), {}, MAX_ENTRIES)}
    for change in changes:
        is_kept = change.action is PlannedAction.KEEP or "shadowOf" in change.members
        if change.section == "subscription" and not is_kept:
            said = {"name": change.name, "action": change.action, "id": change.id}
            yield {**said, "rehearsal": _of_change(client, change, ids, period)}


def _of_change(
    client: Client, change: PlannedChange, connections: dict[str, str], period: dict[str, Any]
) -> dict[str, Any] | None:
    """The rehearsal of a subscription; None if its connection is not there yet."""
    body = plain(dict(change.members))
    if "connection" in body:
        if body["connection"] not in connections:
            return None
        body["connection"] = connections[body["connection"]]
    try:
        if change.id is None:
            wanted = {"eventTypes": [*EVERY_TYPE], **body}
            asked = {**period, "subscription": wanted}
            return client.call("POST", path("subscriptions", "rehearsals"), body=asked).content  # type: ignore[no-any-return]
        asked = {**period, "change": body}
        return client.call("POST", path("subscriptions", change.id, "rehearsals"), body=asked).content  # type: ignore[no-any-return]
    except CallRefused as refused:
        raise CommandError(f"{change.name}: {refused}") from None


def _all_told(found: list[dict[str, Any]]) -> Parts:
    for each in found:
        yield f"{each['name']} ({each['action']})"
        if each["rehearsal"] is None:
            yield "  Its connection is not there yet, so nothing can be said. Make that first."
        else:
            yield from _told(each["rehearsal"], each["id"])
    if not found:
        yield "Nothing to do: every subscription is as the file says."


def _told(shown: dict[str, Any], subscription: str | None) -> Parts:
    """What people read of a rehearsal. `subscription` is its id if it is there already."""
    begins = shown["lookedBackTo"] or shown["from"]
    yield (
        f"{without_fractions(begins)} to {without_fractions(shown['to'])}: {shown['now']:,} are sent as it is, "
        f"{shown['then']:,} would be: {shown['more']:,} more, {shown['less']:,} fewer."
    )
    if shown["lookedBackTo"] is not None:
        yield "It did not look further back: a rehearsal looks at so many events only."
    for name, words in _WORDS.items():
        if examples := shown["examples"][name]:
            yield f"\n{shown[name]:,} {words}, such as:"
            yield table(examples[:_SHOWN], _EXAMPLES, "", cut=("title", "why"), keep=("why",))
    if shown["more"] and subscription is not None and shown["id"] is not None:
        yield (
            f"\nOnce the change is saved, this sends what is missing:\nsignalpost replay {subscription} "
            f"--rehearsal {shown['id']}"
        )
