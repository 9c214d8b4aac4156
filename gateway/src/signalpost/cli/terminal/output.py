"""Prints what a command has to say: as JSON with `--json`, otherwise for people.

A command hands over its result in both forms, and never asks which one is wanted:

    out.show(found, Facts(found), "The key is shown only this once.")
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from cyclopts import Parameter
from rich.text import Text

from signalpost.cli.terminal.tables import GAP, GrowingTable, Table
from signalpost.cli.terminal.text import cell, console, escaped, remarks, say, warn


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


Part = str | Text | Table | Facts | Line | Warn | Remark
"""What people see of a result; a `str` is a sentence."""
Parts = Iterator[Part]
"""Parts that are made only if they are printed."""


@Parameter(name="*")
@dataclass(frozen=True)
class Output:
    """Where a command's result goes. As a parameter of a command it is the option `--json`."""

    as_json: Annotated[
        bool, Parameter(name="--json", negative="", show_default=False, help="Print JSON, for scripts.")
    ] = False

    def show(self, value: object, *parts: Part | Parts | None) -> None:
        """Print a result: `value` as JSON, or its parts for people; None is no part."""
        if self.as_json:
            print_json(value)
        else:
            _print(parts)

    def tell(self, *parts: Part | Parts | None) -> None:
        """Print what only people want to see, such as how far something is."""
        if not self.as_json:
            _print(parts)

    def rows(self, columns: Mapping[str, int], keep: Collection[str] = ()) -> "Rows":
        """Begin a list that grows; `columns` and `keep` as for `GrowingTable`."""
        return Rows(None if self.as_json else GrowingTable(columns, keep))


TEXT = Output()
"""What a command's output is without `--json`."""


class Rows:
    """A list that grows: each entry is printed as soon as it is known."""

    def __init__(self, table: GrowingTable | None) -> None:
        """Without a table, each entry is a line of JSON."""
        self._table = table

    def show(self, value: object, row: Sequence[object]) -> None:
        """Print the next entry: `value` as JSON, or its row of the table."""
        if self._table is None:
            print_json(value)
        else:
            self._table.print(row)


def print_json(value: object) -> None:
    """Print one JSON document on a line of its own."""
    print(json.dumps(value, ensure_ascii=False), flush=True)  # noqa: T201


def _print(parts: Iterable[Part | Parts | None]) -> None:
    for part in parts:
        match part:
            case None:
                pass
            case str():
                say(part)
            case Text():
                console.print(part)
            case Iterator():
                _print(part)
            case _:
                part.print()


def _flat(facts: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in facts.items():
        if isinstance(value, dict) and value:
            yield from ((f"{name}.{below}", each) for below, each in _flat(value))
        else:
            yield name, value
