"""The log for people: what happened, and fields with names.

Lines go to Python's `logging`, under the name `signalpost`, so a program that embeds the gateway configures them like
its own. The command line shows them in its own way (`cli/serving/logs.py`). A line that cannot be written is lost, and
never disturbs the work that it is about.
"""

import logging
import sys
import time
from typing import Final

from msgspec import Struct

Fields = dict[str, object]
_format_exception: Final = logging.Formatter().formatException


class LogLine(Struct, frozen=True, gc=False):
    """What a line says: the `msg` of its record. Every formatter shows it as text, and may use the fields instead."""

    message: str
    fields: Fields

    def __str__(self) -> str:
        return as_text(self.message, self.fields)


class Logger:
    """Writes lines for people. None of its methods raises."""

    def __init__(self) -> None:
        self._to = logging.getLogger("signalpost")

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
        self._write(logging.ERROR, message, fields, cause or sys.exc_info()[1])

    def critical(self, message: str, /, **fields: object) -> None:
        self._write(logging.CRITICAL, message, fields)

    def relay(self, level: int, message: str, fields: Fields) -> None:
        """Log a line of another process."""
        self._write(level, message, fields)

    def _write(self, level: int, message: str, fields: Fields, cause: BaseException | None = None) -> None:
        to = self._to
        if not to.isEnabledFor(level):
            return
        try:
            # `to.log` would look for the line that called it, which takes as long as everything else together.
            record = _record(to.name, level)
            record.msg = LogLine(message, fields)
            if cause is not None:
                record.exc_info = (type(cause), cause, cause.__traceback__)
            if to.filters:
                to.handle(record)
            else:  # what `handle` does then
                to.callHandlers(record)
        except Exception:
            return


def _record(name: str, level: int) -> logging.LogRecord:
    """A record made now. Unless an operator wants to know the thread or the process, all else is the same in each."""
    if logging.logThreads or logging.logProcesses or logging.logMultiprocessing:
        return logging.LogRecord(name, level, "", 0, "", (), None)
    if (first := _FIRST.get(level)) is None:
        first = _FIRST[level] = logging.LogRecord(name, level, "", 0, "", (), None)
    record = logging.LogRecord.__new__(logging.LogRecord)
    record.__dict__ = first.__dict__.copy()
    record.created = now = time.time()
    record.msecs = now % 1 * 1_000
    record.relativeCreated = first.relativeCreated + (now - first.created) * 1_000
    return record


_FIRST: Final[dict[int, logging.LogRecord]] = {}
"""The first record of each level."""


def read_record(record: logging.LogRecord) -> tuple[str, Fields]:
    """The message and the fields of a record, from our own log or a library's, with its traceback as the field
    `exception`."""
    if isinstance(record.msg, LogLine):
        message, fields = record.msg.message, record.msg.fields.copy()
    else:
        message, fields = record.getMessage(), {"logger": record.name}
    if record.exc_info:
        fields["exception"] = _format_exception(record.exc_info)
    return message, fields


def as_text(message: str, fields: Fields) -> str:
    """A line as people read it."""
    return " ".join([message, *(f"{name}={_shown(str(value))}" for name, value in fields.items())])


def _shown(text: str) -> str:
    return text if text.isprintable() and not any(sign in text for sign in " =\"'") else repr(text)


log: Final = Logger()
