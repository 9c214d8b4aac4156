"""Prints what a command has to say: as JSON with `--json`, otherwise for people.

A command hands over its result in both forms, and never asks which one is wanted:

    out.show(found, Facts(found), "The key is shown only this once.")

What people see is made of the parts of `parts.py`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Protocol

from cyclopts import Parameter

from signalpost.cli.terminal.plain import print_json, say


class Printable(Protocol):
    def print(self) -> None: ...


Part = str | Printable
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


TEXT = Output()
"""What a command's output is without `--json`."""


def _print(parts: Iterable[Part | Parts | None]) -> None:
    for part in parts:
        match part:
            case None:
                pass
            case str():
                say(part)
            case Iterator():
                _print(part)
            case _:
                part.print()
