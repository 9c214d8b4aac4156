"""`signalpost documents`: create, read, change, delete, import."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from signalpost.cli.client import CommandError, connect
from signalpost.cli.output import Json, print_facts, print_json, say

app = App(name="documents", help="Create, read, change, delete and import documents.")

Fields = Annotated[
    list[str] | None, Parameter(name="--set", help="field=value, as often as needed; JSON values are read.")
]


@app.command
def create(
    *,
    type_: Annotated[str, Parameter(name="--type", help="What kind of document it is.")],
    title: str,
    owner: Annotated[str, Parameter(help="The owner's e-mail address.")],
    author: Annotated[str | None, Parameter(help="The author's; the owner's if left out.")] = None,
    set_: Fields = None,
    as_json: Json = False,
) -> None:
    """Create a document.

    Example: signalpost documents create --type NDA --title "Mutual NDA" --owner me@example.com
    """
    body = {"type": type_, "title": title, "ownerEmail": owner, "authorEmail": author or owner, **_fields(set_)}
    _show(connect().call("POST", "/v1/documents", body=body).content, as_json)


@app.command
def get(external_id: str, /, *, as_json: Json = False) -> None:
    """Show a document.

    Example: signalpost documents get d24c0644-1d31-47fa-960e-b0cc8b4f136c
    """
    _show(connect().call("GET", f"/v1/documents/{external_id}").content, as_json)


@app.command
def update(external_id: str, /, *, set_: Fields = None, as_json: Json = False) -> None:
    """Change fields of a document; null removes one.

    Example: signalpost documents update d24c0644-1d31-47fa-960e-b0cc8b4f136c --set contractValue=1500.0
    """
    if not set_:
        raise CommandError("Say what to change: --set field=value.")
    _show(connect().call("PATCH", f"/v1/documents/{external_id}", body=_fields(set_)).content, as_json)


@app.command
def delete(external_id: str, /) -> None:
    """Delete a document.

    Example: signalpost documents delete d24c0644-1d31-47fa-960e-b0cc8b4f136c
    """
    connect().call("DELETE", f"/v1/documents/{external_id}")
    say(f"Deleted {external_id}.")


@app.command(name="import")
def import_(
    file: Annotated[
        Path, Parameter(allow_leading_hyphen=True, help="A JSON file with one snapshot; - is standard input.")
    ],
    /,
    *,
    source_version: Annotated[
        int | None, Parameter(help="The source's own number of this state; newer ones win.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Import a whole snapshot of a document that another system keeps.

    Example: signalpost documents import contract.json --source-version 7
    """
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
        snapshot = json.loads(text)
        external_id = snapshot["externalId"]
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError):
        raise CommandError(f"{file} must be a JSON object with an externalId.") from None
    answer = connect().call("PUT", f"/v1/documents/{external_id}", {"sourceVersion": source_version}, snapshot)
    if not as_json:
        say("Imported." if answer.headers.get("signalpost-changed") == "true" else "Nothing changed.")
    _show(answer.content, as_json)


def _fields(pairs: list[str] | None) -> dict[str, Any]:
    fields = {}
    for pair in pairs or []:
        name, separator, value = pair.partition("=")
        if not separator:
            raise CommandError(f"Write --set field=value, not {pair}.")
        try:
            fields[name] = json.loads(value)
        except ValueError:
            fields[name] = value
    return fields


def _show(document: dict[str, Any], as_json: bool) -> None:  # noqa: FBT001 - the command's own option
    if as_json:
        print_json(document)
    else:
        print_facts(document)
