"""Text in colours on the terminal: values in the form that people read, hints, and what went wrong.

A terminal gets colours; a pipe gets none. Values are never interpreted as markup or as control sequences.
"""

import re
import sys
from collections.abc import Iterator
from typing import NoReturn

from cyclopts import CycloptsError, UnusedCliTokensError
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from signalpost.cli.terminal.plain import escaped, escaped_lines, without_fractions

_STYLES = {
    "active": "green", "healthy": "green", "delivered": "green", "closed": "green", "finished": "green",
    "approved": "green", "executed": "green", "reviewApproved": "green",
    "paused": "yellow", "retrying": "yellow", "pending": "cyan", "running": "cyan", "cancelled": "yellow",
    "failed": "red", "failing": "red", "disabled": "red", "open": "red", "not delivered": "red",
    "fits": "green", "does not fit": "red",
    "reviewRejected": "red", "approvalRejected": "red", "signatureRejected": "red",
}  # fmt: skip

_TIMESTAMP = re.compile(r"[-\d]+T[:.\d]+\+00:00")


class _Console(Console):
    """Whatever it prints, the terminal takes only what Rich makes of styles for a command."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=escaped_lines(segment.text))

    def on_broken_pipe(self) -> NoReturn:
        """Let `main` handle the broken pipe."""
        raise BrokenPipeError


console = _Console(highlight=False, soft_wrap=True, width=10_000)
"""Prints to standard output without wrapping: the terminal wraps long lines itself, so that ids can be copied whole."""
remarks = _Console(highlight=False, soft_wrap=True, stderr=True)
"""Prints errors, progress and hints to standard error, apart from the output."""


def complain(problem: str) -> None:
    """Print to standard error why a command failed."""
    remarks.print(Text("signalpost: ", style="bold red") + problem)


def complain_of_misuse(error: CycloptsError) -> None:
    """Print to standard error why a command line was not understood."""
    unused = error.unused_tokens if isinstance(error, UnusedCliTokensError) else None
    said = str(error) if unused is None else f"Not understood: {' '.join(unused)}."
    complain(f"{said}\nSee: {' '.join(('signalpost', *(error.command_chain or ())))} --help")


def remark(sentence: str) -> None:
    """Print a hint to standard error, if that is a terminal."""
    if sys.stderr.isatty():
        remarks.print(sentence, style="dim", markup=False)


def warn(sentences: str) -> None:
    """Print a warning to standard error, whether or not that is a terminal."""
    remarks.print(Text(sentences, style="red"))


def cell(value: object) -> Text:
    """A value in the form that people read. A text stays as it is."""
    if isinstance(value, Text):
        return value
    if value in (None, "", [], {}, ()):
        return Text("–", style="dim")
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, list | tuple):
        return Text(escaped(", ".join(str(part) for part in value)))
    text = str(value)
    text = without_fractions(text) if _TIMESTAMP.fullmatch(text) else escaped(text)
    return Text(text, style=_STYLES.get(text, ""))
