"""Text on the terminal: values in the form that people read, sentences, and what went wrong.

A terminal gets colours; a pipe gets none. Values are never interpreted as markup or as control sequences.
"""

import os
import re
import sys
from typing import NoReturn

from cyclopts import CycloptsError, UnusedCliTokensError
from rich.console import Console
from rich.text import Text

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
    return Text("signalpost: ", style="bold red") + "\n".join(escaped(line) for line in problem.splitlines())


def remark(sentence: str) -> None:
    """Print a hint to standard error, if that is a terminal."""
    if sys.stderr.isatty():
        remarks.print(sentence, style="dim", markup=False)


def warn(sentences: str) -> None:
    """Print a warning to standard error, whether or not that is a terminal."""
    remarks.print(Text("\n".join(map(escaped, sentences.splitlines())), style="red"))


def cell(value: object) -> Text:
    """A value in the form that people read."""
    if value in (None, "", [], {}, ()):
        return Text("–", style="dim")
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, list | tuple):
        return Text(escaped(", ".join(str(part) for part in value)))
    text = str(value)
    text = without_fractions(text) if _TIMESTAMP.fullmatch(text) else escaped(text)
    return Text(text, style=_STYLES.get(text, ""))


def without_fractions(text: str) -> str:
    """The text with every timestamp in it as people read it."""
    return _FRACTION.sub("Z", escaped(text))


def escaped(text: str) -> str:
    """The text with every invisible or control character escaped."""
    return _INVISIBLE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)
