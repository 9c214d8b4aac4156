"""What commands print: tables, lines and facts for people, JSON for scripts.

Colours, and widths that fit, only at a terminal: a pipe gets everything. Whatever a value holds, it is neither markup
nor a control sequence here.
"""

import json
import os
import re
import shutil
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Annotated, Any, NoReturn

from cyclopts import CycloptsError, Parameter, UnusedCliTokensError, validators
from rich.console import Console
from rich.progress import Progress, ProgressColumn
from rich.text import Text

Json = Annotated[bool, Parameter(name="--json", negative="", show_default=False, help="Print JSON, for scripts.")]
Count = Annotated[int, Parameter(validator=validators.Number(gte=1))]
Limit = Annotated[Count, Parameter(help="Show at most this many.")]

_STYLES = {
    "active": "green", "healthy": "green", "delivered": "green", "closed": "green", "finished": "green",
    "approved": "green", "executed": "green", "reviewApproved": "green",
    "paused": "yellow", "retrying": "yellow", "pending": "cyan", "running": "cyan", "cancelled": "yellow",
    "failed": "red", "failing": "red", "disabled": "red", "open": "red", "not delivered": "red",
    "reviewRejected": "red", "approvalRejected": "red", "signatureRejected": "red",
}  # fmt: skip

_FRACTION = re.compile(r"(?<=\d\d:\d\d:\d\d)\.\d{6}\+00:00$")
"""People read seconds; `--json` has it all."""
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters, and those that turn the direction of a text."""
_CUT_TO = 16
"""The least width of a column that may be cut."""
_GAP = 2


class _Console(Console):
    def on_broken_pipe(self) -> NoReturn:
        """`main` deals with it."""
        raise BrokenPipeError


console = _Console(highlight=False, soft_wrap=True, width=10_000)
"""As wide as what it prints: a terminal wraps long lines itself, and ids can be copied whole."""
remarks = _Console(highlight=False, soft_wrap=True, stderr=True)
"""Errors, progress, and what is not part of what was asked for."""


def discard_output() -> None:
    """Nobody takes what is still to be written to standard output: nor shall the end of the process stumble over it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_json(value: object) -> None:
    """One JSON document on a line of its own."""
    print(json.dumps(value, ensure_ascii=False), flush=True)  # noqa: T201


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], nothing: str, cut: Collection[str] = ()
) -> None:
    """A table, or the sentence `nothing` where it has no rows.

    The columns come by weight. Where a terminal is too narrow, those of `cut` are made narrower, and each that finds no
    place beside those before it is left out.
    """
    cells = [[cell(value) for value in row] for row in rows]
    if not cells:
        say(nothing)
        return
    widths = [max(len(name), *(row[at].cell_len for row in cells)) for at, name in enumerate(columns)]
    shown = fitted(columns, widths, cut, _room())
    _print_line([Text(name, style="bold") for name in columns], shown)
    for row in cells:
        _print_line(row, shown)
    if left_out := [name for at, name in enumerate(columns) if at not in shown]:
        remark(f"(For {', '.join(left_out)}: a wider terminal, or --json.)")


class Lines:
    """A table whose rows come one by one, each printed at once."""

    def __init__(self, columns: Mapping[str, int]) -> None:
        """Names and widths, by weight as for `print_table`."""
        self._names = tuple(columns)
        self._shown = fitted(self._names, tuple(columns.values()), (), _room())
        _print_line([Text(name, style="bold") for name in self._names], self._shown)

    def print(self, row: Sequence[object]) -> None:
        _print_line([cell(value) for value in row], self._shown)


def fitted(columns: Sequence[str], widths: Sequence[int], cut: Collection[str], room: int | None) -> dict[int, int]:
    """Which columns are shown, and how wide, where a line has `room` (None: for all)."""
    if room is None:
        return dict(enumerate(widths))
    shown: dict[int, int] = {}
    left = room + _GAP
    for at, (name, width) in enumerate(zip(columns, widths, strict=True)):
        least = min(width, max(_CUT_TO, len(name))) if name in cut else width
        if least + _GAP <= left or not shown:
            shown[at] = least
            left -= least + _GAP
    for at, least in shown.items():
        more = max(0, min(left, widths[at] - least))
        shown[at] += more
        left -= more
    return shown


def _room() -> int | None:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _print_line(cells: Sequence[Text], shown: Mapping[int, int]) -> None:
    line = Text()
    for at, width in shown.items():
        fits = cells[at].copy()
        fits.truncate(width, overflow="ellipsis", pad=True)
        line += fits + " " * _GAP
    line.rstrip()
    console.print(line)


def print_facts(facts: Mapping[str, Any]) -> None:
    """Names and values, one a line; what is in an object by names with a dot."""
    flat = dict(_flat(facts))
    width = max(len(name) for name in flat)
    for name, value in flat.items():
        console.print(Text(f"{_seen(name):<{width}}  ", style="bold") + cell(value))


def _flat(facts: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    for name, value in facts.items():
        if isinstance(value, dict) and value:
            yield from ((f"{name}.{below}", each) for below, each in _flat(value))
        else:
            yield name, value


def say(sentence: str) -> None:
    console.print(sentence, markup=False)


def complain(problem: str) -> None:
    """Why a command could not be done."""
    remarks.print(_complaint(problem))


def misuse(error: CycloptsError) -> Text:
    """What is wrong with a command as it was given. Exit code 2."""
    unused = error.unused_tokens if isinstance(error, UnusedCliTokensError) else None
    said = str(error) if unused is None else f"Not understood: {' '.join(unused)}."
    return _complaint(f"{said}\nSee: {' '.join(('signalpost', *(error.command_chain or ())))} --help")


def _complaint(problem: str) -> Text:
    return Text("signalpost: ", style="bold red") + "\n".join(_seen(line) for line in problem.splitlines())


def remark(sentence: str) -> None:
    """What a person at a terminal may want to know beside the output."""
    if sys.stderr.isatty():
        remarks.print(sentence, style="dim", markup=False)


def warn(sentences: str) -> None:
    """What nobody may miss, also where the output goes elsewhere."""
    remarks.print(Text("\n".join(map(_seen, sentences.splitlines())), style="red"))


def progress(*columns: ProgressColumn) -> Progress:
    """A progress bar beside the output, at a terminal only; it leaves nothing behind."""
    return Progress(
        *columns,
        console=remarks,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
        disable=not sys.stderr.isatty(),
    )


def cell(value: object) -> Text:
    """A value as a person reads it."""
    if value in (None, "", [], {}, ()):
        return Text("–", style="dim")
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, list | tuple):
        return Text(_seen(", ".join(str(part) for part in value)))
    text = _FRACTION.sub("Z", _seen(str(value)))
    return Text(text, style=_STYLES.get(text, ""))


def _seen(text: str) -> str:
    """Every character that would act instead of being seen, as its escape."""
    return _UNSEEN.sub(lambda match: match[0].encode("unicode_escape").decode(), text)
