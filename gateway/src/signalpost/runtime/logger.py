"""The log for people: what happened, and fields with names.

A program that embeds the gateway gets the lines from Python's `logging`, under the name `signalpost`. The command line
writes them itself (`cli/logs.py`). A line that cannot be written is lost, and never disturbs the work that it is about.
"""

import logging
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Final

Fields = dict[str, object]
Sink = Callable[[int, str, Fields], None]
"""Writes a line: its level, as in `logging`, what happened, and the fields. `exception` is the text of a traceback."""


class Logger:
    """Writes lines for people. None of its methods raises."""

    def __init__(self) -> None:
        self._sink: Sink = to_python
        self._level = logging.DEBUG

    def send_to(self, sink: Sink, level: int = logging.DEBUG) -> tuple[Sink, int]:
        """Write lines of this level and above with `sink`. Returns what was in force before."""
        before = self._sink, self._level
        self._sink, self._level = sink, level
        return before

    def debug(self, message: str, /, **fields: object) -> None:
        self._write(logging.DEBUG, message, fields)

    def info(self, message: str, /, **fields: object) -> None:
        self._write(logging.INFO, message, fields)

    def warning(self, message: str, /, **fields: object) -> None:
        self._write(logging.WARNING, message, fields)

    def error(self, message: str, /, **fields: object) -> None:
        self._write(logging.ERROR, message, fields)

    def exception(self, message: str, /, cause: BaseException | None = None, **fields: object) -> None:
        """Log an error with the traceback of `cause`, or else of the exception that is being handled."""
        cause = cause or sys.exc_info()[1]
        if cause is not None:
            fields["exception"] = "".join(traceback.format_exception(cause)).rstrip()
        self._write(logging.ERROR, message, fields)

    def critical(self, message: str, /, **fields: object) -> None:
        self._write(logging.CRITICAL, message, fields)

    def _write(self, level: int, message: str, fields: Fields) -> None:
        if level >= self._level:
            with suppress(Exception):
                self._sink(level, message, fields)


def to_python(level: int, message: str, fields: Fields) -> None:
    """Hand a line to Python's `logging`. A formatter finds the fields as the record's `fields`."""
    logger = logging.getLogger("signalpost")
    if logger.isEnabledFor(level):
        logger.log(level, "%s", as_text(message, fields), extra={"fields": fields})


def as_text(message: str, fields: Fields) -> str:
    """A line as people read it."""
    texts = {name: str(value) for name, value in fields.items()}
    trace = texts.pop("exception", None)
    shown = [f"{name}={text if _is_plain(text) else repr(text)}" for name, text in texts.items()]
    line = " ".join([message, *shown])
    return line if trace is None else f"{line}\n{trace}"


def _is_plain(text: str) -> bool:
    return text.isprintable() and not any(sign in text for sign in " =\"'")


log: Final = Logger()
