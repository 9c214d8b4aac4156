"""The commands `subscriptions apply` and `subscriptions export`."""

import json
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.text import Text

from signalpost.cli.client import Client, CommandError, connect, path
from signalpost.cli.commands.declared.exported import exported
from signalpost.cli.commands.declared.plan import Existing, PlannedAction, PlannedChange, plan
from signalpost.cli.commands.declared.reading import SECTIONS, plain, read
from signalpost.cli.commands.declared.toml_writer import write_tables
from signalpost.cli.terminal.options import EVERY_TYPE, flag
from signalpost.cli.terminal.output import TEXT, Output, Parts
from signalpost.cli.terminal.parts import Line

MAX_ENTRIES = 100_000
MARKS = {
    PlannedAction.CREATE: ("+", "green"),
    PlannedAction.UPDATE: ("~", "yellow"),
    PlannedAction.DELETE: ("-", "red"),
}


def apply(
    file: Annotated[Path, Parameter(name="FILE", help="A TOML file, as `subscriptions export` writes it.")],
    /,
    *,
    dry_run: Annotated[bool, flag("Only show what would be changed.")] = False,
    prune: Annotated[bool, flag("Delete what the file does not name.")] = False,
    resend_secrets: Annotated[
        bool,
        flag("Send headers and connections' secrets again: the gateway hides them, so they cannot be compared."),
    ] = False,
    out: Output = TEXT,
) -> None:
    """Bring subscriptions and connections to what a file says, and show each difference. Once more changes nothing.

    Entries are known by their names. Secrets are { env = "NAME" } or { file = "PATH" } in the file; that of a
    subscription counts when it is created.

    Example: signalpost subscriptions apply signalpost.toml --dry-run
    """
    entries = read(file)
    client = connect()
    changes = plan(entries, existing(client), prune=prune, resend_secrets=resend_secrets)
    if not dry_run:
        _perform(client, changes)
    out.show([_plain(change) for change in changes], _told(changes, dry_run=dry_run))


def export(*, out: Output = TEXT) -> None:
    """Write subscriptions and connections as a file that `subscriptions apply` takes, with variables for secrets.

    Example: signalpost subscriptions export > signalpost.toml
    """
    client = connect()
    found = existing(client)
    for section in SECTIONS:
        twice = [name for name, count in Counter(each["name"] for each in found[section]).items() if count > 1]
        if twice:
            raise CommandError(f"Several {section}s are named {twice[0]}. Rename all but one: names identify them.")
    kinds = client.call("GET", path("destinations")).content["data"]
    tables = exported(found, {each["kind"]: each["connection"] for each in kinds})
    out.show(tables, *(line for section in SECTIONS for line in write_tables(section, tables[section])))


def existing(client: Client) -> Existing:
    """What the gateway has, each section in the order of names."""
    return {
        section: sorted(client.pages(path(f"{section}s"), {}, MAX_ENTRIES), key=lambda each: str(each["name"]))
        for section in SECTIONS
    }


def _perform(client: Client, changes: list[PlannedChange]) -> None:
    """Make the changes. Those before one that fails stay made; to apply the file again goes on there."""
    ids = {each["name"]: each["id"] for each in client.pages(path("connections"), {}, MAX_ENTRIES)}
    originals: dict[str, str] = {}
    if any("shadowOf" in change.members for change in changes):
        originals = {each["name"]: each["id"] for each in client.pages(path("subscriptions"), {}, MAX_ENTRIES)}
    for change in changes:
        collection = f"{change.section}s"
        body = plain(dict(change.members))
        if "connection" in body:
            if body["connection"] not in ids:
                raise CommandError(f"{change.name}: there is no connection named {body['connection']}.")
            body["connection"] = ids[body["connection"]]
        if "shadowOf" in body:
            if body["shadowOf"] not in originals:
                raise CommandError(f"{change.name}: there is no subscription named {body['shadowOf']}.")
            body["shadowOf"] = originals[body["shadowOf"]]
        if change.action is PlannedAction.CREATE:
            has_types = change.section == "subscription" and "shadowOf" not in body
            defaults = {"eventTypes": [*EVERY_TYPE]} if has_types else {}
            made = client.call("POST", path(collection), body={**defaults, **body}).content
            (ids if change.section == "connection" else originals)[change.name] = made["id"]
        elif change.action is PlannedAction.UPDATE:
            client.call("PATCH", path(collection, str(change.id)), body=body)
        elif change.action is PlannedAction.DELETE:
            client.call("DELETE", path(collection, str(change.id)))


def _plain(change: PlannedChange) -> dict[str, Any]:
    differences = [{"member": d.member, "before": d.before, "after": d.after} for d in change.differences]
    return {
        "section": change.section, "name": change.name, "action": change.action, "id": change.id,
        "differences": differences,
    }  # fmt: skip


def _told(changes: list[PlannedChange], *, dry_run: bool) -> Parts:
    for change in changes:
        if change.action is PlannedAction.KEEP:
            continue
        mark, style = MARKS[change.action]
        yield Line(Text(f"{mark} {change.section} {change.name}", style=style))
        for each in change.differences:
            if each.member == "name":
                continue
            line = Text(f"    {each.member}: ")
            if change.action is PlannedAction.UPDATE:
                line.append(_text(each.before), "red").append(" → ")
            yield Line(line.append(_text(each.after), "green"))
        if change.action is PlannedAction.CREATE and "url" in change.members and "secret" not in change.members:
            yield "    secret: made by the gateway; `signalpost subscriptions rotate` makes and shows another"
    counts = Counter(change.action for change in changes)
    verb = "would be " if dry_run else ""
    words = {
        PlannedAction.CREATE: "created",
        PlannedAction.UPDATE: "updated",
        PlannedAction.DELETE: "deleted",
        PlannedAction.KEEP: "unchanged",
    }
    done = [
        f"{counts[action]} {'' if action is PlannedAction.KEEP else verb}{words[action]}"
        for action in PlannedAction
        if counts[action]
    ]
    yield f"{', '.join(done) or 'Nothing to do'}."


def _text(value: Any) -> str:
    match value:
        case None:
            return "none"
        case str():
            return value
        case list():
            return ", ".join(map(_text, value)) or "none"
    return json.dumps(value, ensure_ascii=False)
