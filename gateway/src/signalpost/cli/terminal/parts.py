"""What people see of a result: tables, facts, values beside each other, warnings.

The columns of a table come in order of importance. Rich's tables wrap or squeeze what does not fit. Here an id is
always whole, because it is copied into the next command: on a narrow terminal the columns that may be cut are made
narrower, and those that still do not fit beside the ones before them are left out, or put on a second line. A pipe gets
everything.
"""

import shutil
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from rich.text import Text

from signalpost.cli.terminal.output import Output
from signalpost.cli.terminal.plain import escaped, print_json, say
from signalpost.cli.terminal.text import cell, console, remark, remarks, warn

GAP = 2
_CUT_TO = 16
"""Minimum width of a column that may be cut."""


@dataclass(frozen=True)
class ShownTable:
    """Rows of values below the names of their columns, or the sentence `nothing` if there are no rows."""

    columns: Sequence[str]
    rows: Iterable[Sequence[object]]
    nothing: str
    cut: Collection[str] = ()
    """The columns that may be made narrower."""
    keep: Collection[str] = ()
    """The columns that go on a second line if they do not fit; others are left out."""

    def print(self) -> None:
        cells = [[cell(value) for value in row] for row in self.rows]
        if not cells:
            say(self.nothing)
            return
        widths = [max(len(name), *(row[at].cell_len for row in cells)) for at, name in enumerate(self.columns)]
        layout = Layout(self.columns, widths, self.cut, self.keep, _room())
        layout.print_heads()
        for row in cells:
            layout.print(row)
        if layout.left_out:
            remark(f"(Use a wider terminal or --json to see {', '.join(layout.left_out)}.)")


Columns = Mapping[str, str | Callable[[Any], object]]
"""The columns of a table of entries: each name with the member that it shows, such as `health.state`, or with the
function that makes its value of an entry."""


def table(
    entries: Iterable[Any], columns: Columns, nothing: str, cut: Collection[str] = (), keep: Collection[str] = ()
) -> ShownTable:
    """A table of entries, as the API lists them; the rest is as for `ShownTable`."""
    return ShownTable(tuple(columns), (row_of(entry, columns) for entry in entries), nothing, cut, keep)


def row_of(entry: Any, columns: Columns) -> list[object]:
    """The values of an entry in these columns."""
    return [_member(entry, shown) if isinstance(shown, str) else shown(entry) for shown in columns.values()]


def _member(entry: Any, path: str) -> object:
    return reduce(lambda place, name: place.get(name), path.split("."), entry)


class GrowingTable:
    """A table that prints each row as soon as it is known."""

    def __init__(self, columns: Mapping[str, int], keep: Collection[str] = ()) -> None:
        """`columns` maps names to widths; `keep` as for `ShownTable`."""
        self._layout = Layout(tuple(columns), tuple(columns.values()), (), keep, _room())
        self._layout.print_heads()

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
        self._columns = columns
        self._first = fitted(columns, widths, cut, room)
        self._second: dict[int, int] = {}
        self._indent = self._first[0] + GAP
        left = [at for at in range(len(columns)) if at not in self._first]
        if room is not None and any(columns[at] in keep for at in left):
            below = fitted([columns[at] for at in left], [widths[at] for at in left], cut, room - self._indent)
            self._second = {left[at]: width for at, width in below.items()}
        self.left_out = [columns[at] for at in left if at not in self._second]

    def print_heads(self) -> None:
        self.print([Text(name, style="bold") for name in self._columns])

    def print(self, row: Sequence[Text]) -> None:
        _print_line(row, self._first)
        if self._second:
            _print_line(row, self._second, self._indent)


def fitted(columns: Sequence[str], widths: Sequence[int], cut: Collection[str], room: int | None) -> dict[int, int]:
    """The widths of the columns that are shown, by position, if a line has `room` characters (None: no limit)."""
    if room is None:
        return dict(enumerate(widths))
    shown: dict[int, int] = {}
    left = room + GAP
    for at, (name, width) in enumerate(zip(columns, widths, strict=True)):
        least = min(width, max(_CUT_TO, len(name))) if name in cut else width
        if least + GAP <= left or not shown:
            shown[at] = least
            left -= least + GAP
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
        line += fits + " " * GAP
    line.rstrip()
    console.print(line)


@dataclass(frozen=True)
class Facts:
    """Names and values, one per line. Members of nested objects have dotted names."""

    facts: Mapping[str, Any]

    def print(self) -> None:
        flat = dict(_flat(self.facts))
        width = max(len(name) for name in flat)
        for name, value in flat.items():
            console.print(Text(f"{escaped(name):<{width}}  ", style="bold") + cell(value))


class Line:
    """Values beside each other."""

    def __init__(self, *values: object) -> None:
        self._values = values

    def print(self) -> None:
        console.print(Text(" " * GAP).join(cell(value) for value in self._values))


@dataclass(frozen=True)
class Warn:
    """Sentences on standard error, apart from the output, in red."""

    sentences: str

    def print(self) -> None:
        warn(self.sentences)


@dataclass(frozen=True)
class Remark:
    """A value on standard error, apart from the output."""

    value: object

    def print(self) -> None:
        remarks.print(cell(self.value))


class GrowingRows:
    """A list that grows: each entry is printed as soon as it is known."""

    def __init__(self, out: Output, columns: Mapping[str, int], keep: Collection[str] = ()) -> None:
        """`columns` and `keep` as for `GrowingTable`. As JSON, each entry is a line."""
        self._table = None if out.as_json else GrowingTable(columns, keep)

    def show(self, value: object, row: Sequence[object]) -> None:
        """Print the next entry: `value` as JSON, or its row of the table."""
        if self._table is None:
            print_json(value)
        else:
            self._table.print(row)


def _flat(facts: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in facts.items():
        if isinstance(value, dict) and value:
            yield from ((f"{name}.{below}", each) for below, each in _flat(value))
        else:
            yield name, value
