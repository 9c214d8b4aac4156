"""`signalpost verify FILE`: what a file of evidence proves. Neither a gateway nor a database is asked."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from signalpost.cli.client import CommandError, Misuse
from signalpost.cli.terminal.output import Output, Parts
from signalpost.cli.terminal.parts import Columns, Facts, table
from signalpost.cli.terminal.plain import without_fractions
from signalpost.domain.evidence import MAX_BYTES, PATH, ProvenEvidence, Unproven, check

_ATTEMPTS: Columns = {
    "attempt": "number", "run": "run", "started": lambda each: without_fractions(each["startedAt"]), "to": "to",
    "status": "statusCode", "error": "error",
}  # fmt: skip


def show_proven(file: Path, keys: Path | None, out: Output) -> None:
    """Show what a file proves. Raises CommandError if that is nothing."""
    try:
        proven = check(_read(file), None if keys is None else _read(keys))
    except Unproven as unproven:
        raise CommandError(f"This proves nothing. {unproven}") from None
    stated = msgspec.to_builtins(proven.statement)
    shown = {"key": proven.key, "isKnownKey": proven.is_known_key, "statement": stated, "body": proven.body}
    out.show(shown, _told(proven, stated))


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise Misuse(f"{file} cannot be read: {error.strerror}") from None


def _told(proven: ProvenEvidence, stated: dict[str, Any]) -> Parts:
    event, subscription = stated["event"], stated["subscription"]
    yield f"Unchanged since {stated['gateway']} stated it at {without_fractions(stated['statedAt'])}."
    yield from _about_key(proven)
    yield ""
    yield Facts(
        {
            "tenant": stated["tenant"], "event": event["id"], "type": event["type"], "sequence": event["sequence"],
            "created": without_fractions(event["createdAt"]), "sha256": event["sha256"] or "its document was erased",
            "the event itself": "in the file, and it is that one" if proven.body is not None else "not in the file",
            "subscription": f"{subscription['id']} ({subscription['name']})", "kind": subscription["kind"],
            "status": stated["status"],
        }
    )  # fmt: skip
    yield ""
    yield table(stated["attempts"], _ATTEMPTS, "No attempt was made, or none is kept.", cut=("to",))


def _about_key(proven: ProvenEvidence) -> Iterator[str]:
    if proven.is_known_key:
        yield f"Its key {proven.key} is among the gateway's."
        return
    yield f"Whether its key {proven.key} is the gateway's was not checked: anybody can sign with a key of their own."
    yield f"Get the keys from the gateway itself, at {PATH}, and name the file: --keys keys.json"
