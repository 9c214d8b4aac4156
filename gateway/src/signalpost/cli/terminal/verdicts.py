"""Prints what an examination found: a line for each verdict, with sentences below it."""

import shutil
import sys
import textwrap
from typing import Final

from rich.text import Text

from signalpost.cli.terminal.output import Parts
from signalpost.cli.terminal.parts import Line

_MAX_WIDTH: Final = 1_000
Mark = tuple[str, str]
"""A sign that stands for a verdict, and its style."""
WELL: Final[Mark] = ("✔", "green")
FAULT: Final[Mark] = ("✘", "bold red")
WARNING: Final[Mark] = ("!", "yellow")
UNKNOWN: Final[Mark] = ("–", "dim")


def verdict(mark: Mark, name: str, width: int, title: str, *paragraphs: str) -> Parts:
    """A verdict; names take up to `width` characters."""
    yield Line(Text.assemble(mark, f" {name:<{width}}  {title}"))
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else _MAX_WIDTH
    for each in filter(None, paragraphs):
        yield textwrap.fill(each, columns, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)
