"""The commands `subscriptions import svix`, `convoy` and `outpost`."""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final, NamedTuple
from urllib.parse import urlsplit

from cyclopts import App, Parameter

from signalpost.cli.client import CommandError, Misuse
from signalpost.cli.commands.declared.toml_writer import write_tables
from signalpost.cli.commands.imported import answers as sources
from signalpost.cli.commands.imported import convoy as of_convoy
from signalpost.cli.commands.imported import outpost as of_outpost
from signalpost.cli.commands.imported import svix as of_svix
from signalpost.cli.commands.imported.answers import Answers
from signalpost.cli.commands.imported.former import FormerEndpoint
from signalpost.cli.commands.imported.moved import SECRETS, Move, MovedEndpoint, moved, printable
from signalpost.cli.terminal.assignments import assignments
from signalpost.cli.terminal.options import EVERY_TYPE, repeatable
from signalpost.cli.terminal.output import TEXT, Output, Parts
from signalpost.cli.terminal.parts import Warn

FILE: Final = "signalpost.toml"

app = App(name="import", help_format="markdown")

Source = Annotated[
    str, Parameter(name="SOURCE", help="The address of its API, or a file of answers that --save wrote.")
]
Target = Annotated[Path, Parameter(name="FOLDER", help="A new folder for the file, and for the secrets beside it.")]
EventTypes = Annotated[
    list[str] | None,
    repeatable(
        "A type of events there, and the one here that takes its place: contract.signed=documentUpdated; repeatable.",
        "--event-type",
    ),
]
Save = Annotated[
    Path | None, Parameter(help="Also save the API's answers, with their secrets, to be SOURCE elsewhere.")
]


class _ImportOptions(NamedTuple):
    """The options that all three commands have."""

    source: str
    folder: Path
    event_types: Sequence[str]
    save: Path | None


@app.command
def svix(
    source: Source,
    folder: Target,
    /,
    *,
    application: Annotated[
        list[str] | None, repeatable("Only the endpoints of this application, by its id or uid; repeatable.")
    ] = None,
    event_type: EventTypes = None,
    save: Save = None,
    out: Output = TEXT,
) -> None:
    """Import the endpoints of Svix, with their secrets and headers. Its token is in SVIX_AUTH_TOKEN.

    Example: signalpost subscriptions import svix https://api.eu.svix.com moved
    """
    options = _ImportOptions(source, folder, event_type or (), save)
    _import(options, "SVIX_AUTH_TOKEN", lambda answers: of_svix.endpoints(answers, application or ()), out)


@app.command
def convoy(
    source: Source,
    folder: Target,
    /,
    *,
    project: Annotated[str, Parameter(help="The id of the project.")],
    event_type: EventTypes = None,
    save: Save = None,
    out: Output = TEXT,
) -> None:
    """Import the endpoints and subscriptions of a project of Convoy. Its API key is in CONVOY_API_KEY.

    Example: signalpost subscriptions import convoy https://eu.getconvoy.cloud/api moved --project 01HQ3GZ8
    """
    options = _ImportOptions(source, folder, event_type or (), save)
    _import(options, "CONVOY_API_KEY", lambda answers: of_convoy.endpoints(answers, project), out)


@app.command
def outpost(
    source: Source,
    folder: Target,
    /,
    *,
    tenant: Annotated[list[str] | None, repeatable("Only the destinations of this tenant; repeatable.")] = None,
    settings: Annotated[
        Path | None,
        Parameter(help="Its settings, a NAME=value a line; if it is not managed and does not sign as it does usually."),
    ] = None,
    event_type: EventTypes = None,
    save: Save = None,
    out: Output = TEXT,
) -> None:
    """Import the webhooks of Outpost. Its API key is in OUTPOST_API_KEY.

    Example: signalpost subscriptions import outpost http://outpost.internal:3333/api/v1 moved
    """
    said = None if settings is None else _settings(settings)

    def read(answers: Answers) -> Iterable[FormerEndpoint]:
        found = of_outpost.managed_settings(answers) if said is None else said
        if found is None:
            out.tell(
                Warn("This Outpost does not tell how it signs. Taken to sign as it does usually; else: --settings")
            )
        return of_outpost.endpoints(answers, tenant or (), of_outpost.signing(found or {}))

    _import(_ImportOptions(source, folder, event_type or (), save), "OUTPOST_API_KEY", read, out)


def _import(
    options: _ImportOptions, key_in: str, read: Callable[[Answers], Iterable[FormerEndpoint]], out: Output
) -> None:
    """Read the endpoints, write the folder, and say what is in it."""
    counterparts = _counterparts(options.event_types)
    _check_new(options.folder)
    answers, found = _read(options.source, key_in, read)
    if not found:
        raise CommandError(f"There is no endpoint at {options.source}.")
    move = moved(found, counterparts)
    if options.save is not None:
        _write(options.save, sources.as_text(answers))
    _write_folder(options.folder, move)
    file = options.folder / FILE
    shown = [
        {"id": each.id, "name": each.name, "leftOut": each.table is None, "lost": [*each.lost]}
        for each in move.endpoints
    ]
    out.show({"file": str(file), "secrets": len(move.secrets), "endpoints": shown}, _told(move, file))


def _read(
    source: str, key_in: str, read: Callable[[Answers], Iterable[FormerEndpoint]]
) -> tuple[Answers, list[FormerEndpoint]]:
    """All endpoints, and the answers that they were read from."""
    if not source.startswith(("http://", "https://")):
        answers = Answers(sources.from_file(Path(source)))
        return answers, list(read(answers))
    key = _key(source, key_in)
    with sources.client() as client:
        answers = Answers(sources.from_api(source, key, client, time.sleep))
        return answers, list(read(answers))


def _key(source: str, key_in: str) -> str:
    """The key of the other system. Raises Misuse, which does not show it."""
    if "@" in urlsplit(source).netloc:
        raise Misuse(f"Leave user name and password out of the address of the API. Its key is in {key_in}.")
    key = os.environ.get(key_in, "").strip()
    if not key:
        raise Misuse(f"Set {key_in} to the key with which {source} may be read.")
    if not (key.isascii() and key.isprintable()):
        raise Misuse(f"{key_in} has characters that no key has.")
    return key


def _counterparts(pairs: Sequence[str]) -> Mapping[str, str]:
    found = assignments(pairs, "--event-type")
    for theirs, ours in found.items():
        if ours not in EVERY_TYPE:
            raise Misuse(f"--event-type {theirs}={ours}: there is {', '.join(EVERY_TYPE)}.")
    return found


def _settings(file: Path) -> dict[str, str | None]:
    """What a file says, as the environment of a service does. Raises Misuse."""
    try:
        lines = [each.strip() for each in file.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise Misuse(f"{file} cannot be read: {error}") from None
    pairs = (each.partition("=") for each in lines if "=" in each and not each.startswith("#"))
    return {name.strip(): _unquoted(value.strip()) for name, _, value in pairs}


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


# --- What is written --------------------------------------------------------------------------------------------------


def _check_new(folder: Path) -> None:
    """Refuse a folder with something in it."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Misuse(f"{folder} is there already. Name a new folder, so that nothing in it is lost.")


def _write_folder(folder: Path, move: Move) -> None:
    for each in (folder, folder / SECRETS):
        each.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, secret in move.secrets.items():
        _write(folder / SECRETS / name, secret)
    _write(folder / FILE, "\n".join(line for each in move.endpoints for line in file_lines(each)))


def _write(file: Path, text: str) -> None:
    """Make a file that no other user can read. Raises CommandError."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as writing:
            writing.write(text)
    except OSError as error:
        raise CommandError(f"{file} cannot be written: {error.strerror}.") from None
    except UnicodeEncodeError:
        raise CommandError(f"{file} cannot be written: its text has half a character.") from None


def file_lines(endpoint: MovedEndpoint) -> Iterator[str]:
    """An endpoint in the file: with its id there, and with what of it was lost."""
    said = [f"{endpoint.id}: {endpoint.name}", *endpoint.lost]
    if endpoint.table is None:
        said[0] += " is left out."
    for each in said:
        yield f"# {printable(each)}"
    yield from ("",) if endpoint.table is None else write_tables("subscription", [endpoint.table])


def _told(move: Move, file: Path) -> Parts:
    for each in move.endpoints:
        yield f"{'-' if each.table is None else '+'} {each.name} ({each.id})"
        for sentence in each.lost:
            yield f"    {printable(sentence)}"
    written = sum(each.table is not None for each in move.endpoints)
    yield f"{written} of {len(move.endpoints)} endpoints are in {file}, each paused."
    if move.secrets:
        yield f"What is secret of them is in {file.parent / SECRETS}: keep it from others."
    yield f"See what it would make: signalpost subscriptions apply {file} --dry-run"
