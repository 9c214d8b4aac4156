"""`signalpost audit`: who changed what, and whether that record was changed."""

import re
from collections.abc import Iterator
from typing import Annotated, Any

from cyclopts import App, Parameter

from signalpost.cli.client import MAX_PAGE, Client, CommandError, Misuse, connect, path
from signalpost.cli.terminal.options import Limit, Sets
from signalpost.cli.terminal.output import TEXT, Output
from signalpost.cli.terminal.parts import Columns, Facts, table
from signalpost.domain.audit import misfit_of_shown

app = App(name="audit", help_format="markdown")

_MARK = re.compile(r"(\d{1,18}):([0-9a-f]{64})", re.ASCII)


@app.command(name="list")
def list_(
    *,
    after: Annotated[
        int | None, Parameter(help="Only entries with a higher number, oldest first."), Sets("?after")
    ] = None,
    actor: Annotated[
        str | None, Parameter(help="Only changes by this actor: a key's id, or `operator`."), Sets("?actor")
    ] = None,
    object_: Annotated[
        str | None,
        Parameter(name="--object", help="Only changes of the object with this id (a tenant's is its name)."),
        Sets("?object"),
    ] = None,
    limit: Limit = 50,
    out: Output = TEXT,
) -> None:
    """List who changed what, newest first. With --json, one entry shows what it was and what it became.

    SIGNALPOST_TENANT names the tenant. Changes of tenants themselves are in that of `default`.

    Example: signalpost audit list --object 01a20e92-1d5f-76d4-985f-8a63b2c66f94
    """
    query = {"actor": actor, "object": object_, "after": after, "newest": None if after is not None else "true"}
    found = list(connect().pages(path("audit"), query, limit))
    columns: Columns = {
        "number": "number", "at": "at", "who": "actor.name", "from": lambda each: each["source"] or "-",
        "what": lambda each: each["action"] + ("" if each["outcome"] == "done" else f" ({each['outcome']})"),
        "object": "object.id", "changed": lambda each: [*each["changes"]],
    }  # fmt: skip
    nothing = "No such entries." if actor or object_ or after else "No entries."
    out.show(found, table(found, columns, nothing, cut=("changed",)))


@app.command
def show(number: Annotated[int, Parameter(name="NUMBER", help="The entry's number, as listed.")], /) -> None:
    """Show an entry, with what every member was and what it became.

    Example: signalpost audit show 17
    """
    found = connect().call("GET", path("audit"), {"after": number - 1, "limit": 1}).content["data"]
    if not found or found[0]["number"] != number:
        raise CommandError(f"There is no entry {number}. List them: signalpost audit list")
    Facts(found[0]).print()


@app.command
def verify(
    *,
    mark: Annotated[
        str | None,
        Parameter(help="NUMBER:HASH of an entry, as this command printed it earlier. The entry must be unchanged."),
    ] = None,
    from_: Annotated[
        str | None,
        Parameter(name="--from", help="The end of all tenants' audits that this command printed earlier."),
    ] = None,
    out: Output = TEXT,
) -> None:
    """Verify that no entry was changed, added, moved or removed.

    The command reads every entry of the tenant (SIGNALPOST_TENANT) and computes its hash again. The gateway checks the
    proofs of all tenants, which only its master key can make. Store the mark and the end that this shows elsewhere:
    with them, a later call finds out whether anyone emptied the audit, or replaced the whole database with an earlier
    copy. The mark is about the tenant, the end about all.

    Example: signalpost audit verify --mark 17:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    """
    noted = _noted(mark)
    client = connect()
    hashes: dict[int, str] = {}
    misfit = misfit_of_shown(_all(client), hashes.__setitem__)
    if misfit is not None:
        raise CommandError(f"Entry {misfit} does not follow from the one before: one of the two was changed.")
    found = client.call("GET", path("audit", "verification"), {"end": from_}).content
    if (fault := found["fault"]) is not None:
        whose = "all tenants" if fault["tenant"] is None else f"the tenant {fault['tenant']}"
        which = f"Entry {fault['number']} of {whose}" if fault["number"] else f"The audit of {whose}"
        raise CommandError(f"{which}: {fault['reason']}")
    if noted is not None and hashes.get(noted[0]) != noted[1]:
        raise CommandError(_missed(noted[0], hashes))
    last = max(hashes, default=None)
    shown = None if last is None else f"{last}:{hashes[last]}"
    out.show(
        {"entries": len(hashes), "entriesOfAllTenants": found["entries"], "mark": shown, "end": found["end"]},
        f"All {len(hashes):,} entries hold, and so do the proofs of {found['entries']:,} of all tenants.",
        None if shown is None else f"Mark: {shown}",
        f"End: {found['end']}",
    )


def _all(client: Client) -> Iterator[dict[str, Any]]:
    cursor = None
    while True:
        page = client.call("GET", path("audit"), {"limit": MAX_PAGE, "cursor": cursor}).content
        yield from page["data"]
        cursor = page["next"]
        if cursor is None:
            return


def _noted(mark: str | None) -> tuple[int, str] | None:
    if mark is None:
        return None
    given = _MARK.fullmatch(mark)
    if given is None:
        raise Misuse("--mark must be NUMBER:HASH, as `signalpost audit verify` shows it.")
    return int(given[1]), given[2]


def _missed(number: int, hashes: dict[int, str]) -> str:
    if number in hashes:
        return f"Entry {number} has changed: the audit up to it was rewritten."
    if hashes and number < min(hashes):
        return f"Entry {number} is no longer kept: the oldest is {min(hashes)}. Use a later mark."
    return f"Entry {number} is gone: the newest entries were removed, or somebody put an earlier copy in place."
