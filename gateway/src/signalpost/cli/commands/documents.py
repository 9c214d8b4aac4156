"""`signalpost documents`: list, create, read, change, delete, import; their versions, files and workflow."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, BinaryIO

from cyclopts import App, Parameter
from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn

from signalpost.cli.client import ANY_MEMBER, Client, CommandError, Misuse, connect, path, reasons
from signalpost.cli.commands.document_files import FileThatTells, newest
from signalpost.cli.commands.document_files import download as fetch_file
from signalpost.cli.commands.document_import import MAX_LINE, FileLine, ImportTally, import_lines, read_lines
from signalpost.cli.commands.document_workflow import ExternalId, act, actions, history
from signalpost.cli.meant import meant
from signalpost.cli.terminal.moments import WAYS, Moment
from signalpost.cli.terminal.options import Limit, Sets, flag, parts_of, repeatable
from signalpost.cli.terminal.output import TEXT, Output
from signalpost.cli.terminal.parts import Facts, Remark, table
from signalpost.cli.terminal.plain import say
from signalpost.cli.terminal.progress import progress
from signalpost.cli.terminal.text import remarks
from signalpost.domain.documents.workflow import STATUSES

app = App(name="documents", help_format="markdown")
for command in (act, actions, history):
    app.command(command)

Meant = Annotated[
    str, Parameter(name="DOCUMENT", help="The document's externalId, its beginning, or a part of its title.")
]
Number = Annotated[str, Parameter(name="NUMBER", help="Number of the version, such as 0.2.")]
Fields = Annotated[
    list[str] | None,
    repeatable("field=value, repeatable; the value may be JSON.", "--set"),
    Sets(ANY_MEMBER),
]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class DocumentOptions:
    """Which documents are listed."""

    status: Annotated[
        str | None, Parameter(help=f"Only documents with this status: {', '.join(STATUSES)}."), Sets("?status")
    ] = None
    type: Annotated[str | None, Parameter(help="Only documents of this type."), Sets("?type")] = None
    reference_id: Annotated[
        str | None, Parameter(help="Only documents with this referenceId."), Sets("?referenceId")
    ] = None
    owner: Annotated[
        str | None, Parameter(help="Only documents of the owner with this e-mail address."), Sets("?ownerEmail")
    ] = None
    updated_after: Annotated[
        Moment | None, Parameter(help=f"Only documents changed after this moment: {WAYS}."), Sets("?updatedAfter")
    ] = None


UNFILTERED = DocumentOptions()


@app.command(name="list")
def list_(
    *,
    only: DocumentOptions = UNFILTERED,
    limit: Limit = 50,
    out: Output = TEXT,
) -> None:
    """List documents, newest first.

    Example: signalpost documents list --status approved --updated-after 7d
    """
    query = parts_of(only)
    found = list(connect().pages(path("documents"), query, limit))
    columns = {
        "document": "externalId", "status": "status", "updated": "updatedAt", "title": "title", "type": "type",
        "owner": "ownerEmail", "reference": "referenceId",
    }  # fmt: skip
    none_yet = "No documents yet. Create one: signalpost documents create …"
    nothing = "No such documents." if any(query.values()) else none_yet
    out.show(found, table(found, columns, nothing, cut=("title", "type", "owner", "reference")))


@app.command
def create(
    *,
    type_: Annotated[str, Parameter(name="--type", help="The document's type, such as NDA."), Sets("/type")],
    title: Annotated[str, Parameter(help="The document's title."), Sets("/title")],
    owner: Annotated[str, Parameter(help="The owner's e-mail address."), Sets("/ownerEmail")],
    author: Annotated[
        str | None, Parameter(help="The author's e-mail address; the owner's if left out."), Sets("/authorEmail")
    ] = None,
    set_: Fields = None,
    out: Output = TEXT,
) -> None:
    """Create a document.

    Example: signalpost documents create --type NDA --title "Mutual NDA" --owner me@example.com
    """
    body = {"type": type_, "title": title, "ownerEmail": owner, "authorEmail": author or owner, **_fields(set_)}
    created = connect().call("POST", path("documents"), body=body).content
    out.show(created, Facts(created))


@app.command
def get(document: Meant, /, *, out: Output = TEXT) -> None:
    """Show a document.

    Example: signalpost documents get d24c0644-1d31-47fa-960e-b0cc8b4f136c
    """
    client = connect()
    found = client.call("GET", path("documents", meant(client, "document", document))).content
    out.show(found, Facts(found))


@app.command
def update(external_id: ExternalId, /, *, set_: Fields = None, out: Output = TEXT) -> None:
    """Change fields of a document. The value null removes a field.

    Example: signalpost documents update d24c0644-1d31-47fa-960e-b0cc8b4f136c --set contractValue=1500.0
    """
    fields = _fields(set_)
    if not fields:
        raise Misuse("Nothing to change: add --set field=value")
    changed = connect().call("PATCH", path("documents", external_id), body=fields).content
    out.show(changed, Facts(changed))


@app.command
def delete(
    external_id: ExternalId,
    /,
    *,
    source_version: Annotated[
        int | None,
        Parameter(help="The source system's version number of the deletion. An older one changes nothing."),
        Sets("?sourceVersion"),
    ] = None,
) -> None:
    """Delete a document.

    Example: signalpost documents delete d24c0644-1d31-47fa-960e-b0cc8b4f136c
    """
    query = {"sourceVersion": source_version}
    answer = connect().call("DELETE", path("documents", external_id), query)
    is_changed = answer.headers.get("signalpost-changed") == "true"
    say(f"Deleted {external_id}." if is_changed else f"Nothing changed: {external_id} was not there, or is newer.")


@app.command
def upload(
    external_id: ExternalId,
    file: Annotated[Path, Parameter(allow_leading_hyphen=True, help="The file to upload.")],
    /,
    *,
    publish: Annotated[bool, flag("Publish the version at once.")] = False,
    out: Output = TEXT,
) -> None:
    """Upload a file as the next version of a document: 0.1, 0.2, … or, with --publish, 1.0.

    Example: signalpost documents upload d24c0644-1d31-47fa-960e-b0cc8b4f136c contract.pdf --publish
    """
    with _opened(file) as opened, progress(BarColumn(), DownloadColumn(), TimeRemainingColumn()) as bar:
        task = bar.add_task("", total=_size(opened))
        told = FileThatTells(opened, lambda size: bar.advance(task, size))
        sent = connect().upload(external_id, told, publish=publish)
    out.show(sent, f"Uploaded {file} as version {sent['number']}.")


@app.command
def versions(external_id: ExternalId, /, *, limit: Limit = 50, out: Output = TEXT) -> None:
    """List the versions of a document that the gateway keeps, highest first.

    Example: signalpost documents versions d24c0644-1d31-47fa-960e-b0cc8b4f136c
    """
    found = list(connect().pages(path("documents", external_id, "versions"), {}, limit))
    columns = {
        "version": "number", "published as": "publishedAs", "made": "createdAt", "by": "createdBy", "bytes": "size",
        "type": "contentType",
    }  # fmt: skip
    nothing = f"No versions yet. Upload a file: signalpost documents upload {external_id} FILE"
    out.show(found, table(found, columns, nothing, cut=("by", "type")))


@app.command
def publish(external_id: ExternalId, number: Number, /, *, out: Output = TEXT) -> None:
    """Publish a draft. Its file becomes version 1.0, 2.0, … too.

    Example: signalpost documents publish d24c0644-1d31-47fa-960e-b0cc8b4f136c 0.2
    """
    made = connect().call("POST", path("documents", external_id, "versions", number, "publish")).content
    out.show(made, f"Published {number} as {made['number']}.")


@app.command
def download(
    external_id: ExternalId,
    number: Number | None = None,
    /,
    *,
    to: Annotated[Path | None, Parameter(help="The file to write. [the document's title, in this folder]")] = None,
    out: Output = TEXT,
) -> None:
    """Download the file of a version, by default the latest.

    Example: signalpost documents download d24c0644-1d31-47fa-960e-b0cc8b4f136c 1.0 --to contract.pdf
    """
    client = connect()
    if number is None:
        number = newest(client.call("GET", path("documents", external_id)).content)
    with progress(BarColumn(), DownloadColumn(), TimeRemainingColumn()) as bar:

        def begun(size: int) -> Callable[[int], None]:
            task = bar.add_task("", total=size)
            return lambda more: bar.advance(task, more)

        written = fetch_file(client, external_id, number, to, begun)
    out.show(
        {"file": str(written), "number": number, "bytes": written.stat().st_size},
        f"Wrote version {number} to {written}.",
    )


@app.command(name="import")
def import_(
    file: Annotated[Path, Parameter(allow_leading_hyphen=True, help="The file to import; - is standard input.")],
    /,
    *,
    source_version: Annotated[
        int | None,
        Parameter(
            help="For a single snapshot: its version number in the source system; an older one changes nothing. Lines "
            "of NDJSON carry their own."
        ),
        Sets("?sourceVersion"),
    ] = None,
    out: Output = TEXT,
) -> None:
    """Import snapshots of documents that another system keeps.

    The file has one JSON object per line (NDJSON) and any number of lines, or a single JSON object over several lines.
    A line such as {"externalId": "…", "sourceVersion": 8, "deleted": true} deletes. Importing the same again changes
    nothing.

    Example: signalpost documents import archive.ndjson
    """
    with _opened(file) as opened:
        lines = (line for line in read_lines(opened) if line.content)
        first = next(lines, None)
        if first is None:
            remarks.print(f"{_name(file)} is empty: there is nothing to import.", markup=False)
        elif source_version is None and (_is_json(first.content) or len(first.content) == MAX_LINE):
            _import_lines(connect(), opened, chain([first], lines), out)
        else:
            _import_one(_name(file), first.content + b"\n" + opened.read(MAX_LINE), source_version, out)


def _import_lines(client: Client, file: BinaryIO, lines: Iterator[FileLine], out: Output) -> None:
    def show(answer: dict[str, Any]) -> None:
        document = answer.get("externalId") or "no externalId"
        why = reasons(answer["problem"]) if "problem" in answer else []
        out.show(answer, *(Remark(f"line {answer['line']} ({document}): {reason}") for reason in why))

    tally = ImportTally()
    with progress(BarColumn(), DownloadColumn(), TextColumn("{task.fields[tally]}"), TimeRemainingColumn()) as bar:
        task = bar.add_task("", total=_size(file), tally=tally)
        try:
            import_lines(client, lines, tally, show, lambda size: bar.advance(task, size))
        except CommandError as error:
            raise CommandError(f"{error}\n{_so_far(tally)}") from None
        except BrokenPipeError:
            raise CommandError(f"The output was closed before the import ended.\n{_so_far(tally)}") from None
        except KeyboardInterrupt:
            remarks.print(_so_far(tally), markup=False)
            raise
    out.tell(f"{tally}.")
    if tally.refused:
        raise CommandError(f"{tally.refused:,} of {tally.lines:,} lines were refused.")


def _so_far(tally: ImportTally) -> str:
    if not tally.through:
        return "No line is known to be imported. Import the same file again: lines imported already change nothing."
    return (
        f"Every line up to {tally.through:,} is done; {tally}. Import the same file again: lines imported already "
        "change nothing."
    )


def _import_one(name: str, content: bytes, source_version: int | None, out: Output) -> None:
    if len(content) > MAX_LINE:
        raise CommandError(f"{name} has neither one JSON object per line nor a single one of at most 1 MiB.")
    try:
        snapshot = json.loads(content)
    except ValueError as error:
        case = "With --source-version" if source_version is not None else "Without one on each line"
        raise CommandError(f"{case}, {name} must have a single JSON object: {error}.") from None
    if isinstance(snapshot, list):
        raise CommandError(f"{name} has a list. Give one object per line: `jq -c '.[]'` converts it.")
    if not isinstance(snapshot, dict) or not isinstance(snapshot.get("externalId"), str):
        raise CommandError(f"{name} must be a JSON object with an externalId.")
    answer = connect().call(
        "PUT", path("documents", snapshot["externalId"]), {"sourceVersion": source_version}, snapshot
    )
    is_changed = answer.headers.get("signalpost-changed") == "true"
    out.show(answer.content, "Imported." if is_changed else "Nothing changed.", Facts(answer.content))


def _name(file: Path) -> str:
    return "standard input" if str(file) == "-" else str(file)


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    if str(file) == "-":
        yield sys.stdin.buffer
        return
    try:
        opened = file.open("rb")
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}.") from None
    with opened:
        yield opened


def _size(file: BinaryIO) -> int | None:
    """The file's size in bytes; None for a pipe."""
    return os.fstat(file.fileno()).st_size or None


def _is_json(content: bytes) -> bool:
    try:
        json.loads(content)
    except (ValueError, RecursionError):
        return False
    return True


def _fields(pairs: list[str] | None) -> dict[str, Any]:
    fields = {}
    for pair in pairs or []:
        name, separator, value = pair.partition("=")
        if not separator:
            raise Misuse(f"Write --set field=value, not {pair}")
        try:
            fields[name] = json.loads(value)
        except ValueError:
            fields[name] = value
    return fields
