"""Prints the output of commands: tables, lines and facts for people, JSON for scripts.

A terminal gets colours and columns that fit; a pipe gets everything. Values are never interpreted as markup or as
control sequences.
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
from rich.text import Text

Json = Annotated[bool, Parameter(name="--json", negative="", show_default=False, help="Print JSON, for scripts.")]
Count = Annotated[int, Parameter(validator=validators.Number(gte=1))]
Limit = Annotated[Count, Parameter(help="Show at most this many.")]

_STYLES = {
    "active": "green", "healthy": "green", "delivered": "green", "closed": "green", "finished": "green",
    "approved": "green", "executed": "green", "reviewApproved": "green",
    "paused": "yellow", "retrying": "yellow", "pending": "cyan", "running": "cyan", "cancelled": "yellow",
    "failed": "red", "failing": "red", "disabled": "red", "open": "red", "not delivered": "red",
    "fits": "green", "does not fit": "red",
    "reviewRejected": "red", "approvalRejected": "red", "signatureRejected": "red",
}  # fmt: skip

_FRACTION = re.compile(r"(?<=\d\d:\d\d:\d\d)\.\d{6}\+00:00")
"""The part of a timestamp that people need not see; `--json` shows it."""
_TIMESTAMP = re.compile(r"[-\d]+T[:.\d]+\+00:00")
_INVISIBLE = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters, and characters that change the direction of a text."""
_CUT_TO = 16
"""Minimum width of a column that may be cut."""
_GAP = 2


class _Console(Console):
    def on_broken_pipe(self) -> NoReturn:
        """Let `main` handle the broken pipe."""
        raise BrokenPipeError


console = _Console(highlight=False, soft_wrap=True, width=10_000)
"""Prints to standard output without wrapping: the terminal wraps long lines itself, so that ids can be copied whole."""
remarks = _Console(highlight=False, soft_wrap=True, stderr=True)
"""Prints errors, progress and hints to standard error, apart from the output."""


def discard_output() -> None:
    """Redirect standard output to /dev/null, so that unread output raises no error when the process ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_json(value: object) -> None:
    """Print one JSON document on a line of its own."""
    print(json.dumps(value, ensure_ascii=False), flush=True)  # noqa: T201


def print_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    nothing: str,
    cut: Collection[str] = (),
    keep: Collection[str] = (),
) -> None:
    """Print a table, or the sentence `nothing` if it has no rows.

    Columns come in order of importance. On a narrow terminal the columns in `cut` are made narrower, and columns that
    still do not fit beside those before them are left out, or put on a second line if one in `keep` is among them.
    """
    cells = [[cell(value) for value in row] for row in rows]
    if not cells:
        say(nothing)
        return
    widths = [max(len(name), *(row[at].cell_len for row in cells)) for at, name in enumerate(columns)]
    layout = Layout(columns, widths, cut, keep, _room())
    layout.print([Text(name, style="bold") for name in columns])
    for row in cells:
        layout.print(row)
    if layout.left_out:
        remark(f"(Use a wider terminal or --json to see {', '.join(layout.left_out)}.)")


class Lines:
    """A table that prints each row as soon as it is known."""

    def __init__(self, columns: Mapping[str, int], keep: Collection[str] = ()) -> None:
        """`columns` maps names to widths, in order of importance as for `print_table`; `keep` as there."""
        self._layout = Layout(tuple(columns), tuple(columns.values()), (), keep, _room())
        self._layout.print([Text(name, style="bold") for name in columns])

    def print(self, row: Sequence[object]) -> None:
        self._layout.print([cell(value) for value in row])


class Layout:
    """Which columns of a table are on the line of a row, and which on a second one below it."""

    def __init__(
        self,
        columns: Sequence[str],
        widths: Sequence[int],
        cut: Collection[str],
        keep: Collection[str],
        room: int | None,
    ) -> None:
        """`room` is how many characters a line has (None: no limit)."""
        self._first = fitted(columns, widths, cut, room)
        self._second: dict[int, int] = {}
        self._indent = self._first[0] + _GAP
        left = [at for at in range(len(columns)) if at not in self._first]
        if room is not None and any(columns[at] in keep for at in left):
            below = fitted([columns[at] for at in left], [widths[at] for at in left], cut, room - self._indent)
            self._second = {left[at]: width for at, width in below.items()}
        self.left_out = [columns[at] for at in left if at not in self._second]

    def print(self, row: Sequence[Text]) -> None:
        _print_line(row, self._first)
        if self._second:
            _print_line(row, self._second, self._indent)


def fitted(columns: Sequence[str], widths: Sequence[int], cut: Collection[str], room: int | None) -> dict[int, int]:
    """The widths of the columns that are shown, by position, if a line has `room` characters (None: no limit)."""
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


def _print_line(cells: Sequence[Text], shown: Mapping[int, int], indent: int = 0) -> None:
    line = Text(" " * indent)
    for at, width in shown.items():
        fits = cells[at].copy()
        fits.truncate(width, overflow="ellipsis", pad=True)
        line += fits + " " * _GAP
    line.rstrip()
    console.print(line)


def print_facts(facts: Mapping[str, Any]) -> None:
    """Print names and values, one per line. Members of nested objects have dotted names."""
    flat = dict(_flat(facts))
    width = max(len(name) for name in flat)
    for name, value in flat.items():
        console.print(Text(f"{_escaped(name):<{width}}  ", style="bold") + cell(value))


def _flat(facts: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    for name, value in facts.items():
        if isinstance(value, dict) and value:
            yield from ((f"{name}.{below}", each) for below, each in _flat(value))
        else:
            yield name, value


def print_line(*values: object) -> None:
    """Print values beside each other."""
    console.print(Text(" " * _GAP).join(cell(value) for value in values))


def say(sentence: str) -> None:
    console.print(sentence, markup=False)


def complain(problem: str) -> None:
    """Print to standard error why a command failed."""
    remarks.print(_complaint(problem))


def misuse(error: CycloptsError) -> Text:
    """The message for a command line that was not understood (exit code 2)."""
    unused = error.unused_tokens if isinstance(error, UnusedCliTokensError) else None
    said = str(error) if unused is None else f"Not understood: {' '.join(unused)}."
    return _complaint(f"{said}\nSee: {' '.join(('signalpost', *(error.command_chain or ())))} --help")


def _complaint(problem: str) -> Text:
    return Text("signalpost: ", style="bold red") + "\n".join(_escaped(line) for line in problem.splitlines())


def remark(sentence: str) -> None:
    """Print a hint to standard error, if that is a terminal."""
    if sys.stderr.isatty():
        remarks.print(sentence, style="dim", markup=False)


def warn(sentences: str) -> None:
    """Print a warning to standard error, whether or not that is a terminal."""
    remarks.print(Text("\n".join(map(_escaped, sentences.splitlines())), style="red"))


def cell(value: object) -> Text:
    """A value in the form that people read."""
    if value in (None, "", [], {}, ()):
        return Text("–", style="dim")
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, list | tuple):
        return Text(_escaped(", ".join(str(part) for part in value)))
    text = str(value)
    text = without_fractions(text) if _TIMESTAMP.fullmatch(text) else _escaped(text)
    return Text(text, style=_STYLES.get(text, ""))


def without_fractions(text: str) -> str:
    """The text with every timestamp in it as people read it."""
    return _FRACTION.sub("Z", _escaped(text))


def _escaped(text: str) -> str:
    """The text with every invisible or control character escaped."""
    return _INVISIBLE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)
