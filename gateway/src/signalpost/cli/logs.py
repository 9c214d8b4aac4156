"""Structured log lines on standard error.

`message` says what happened. Ids have the same name in every line: `event`, `subscription`, `request`. (The code passes
`event_id`, because structlog calls the message itself the event.)
"""

import json
import logging
import os
import select
import sys
import time
from typing import BinaryIO, TextIO, cast

import msgspec
import structlog
from structlog.typing import EventDict, WrappedLogger

from signalpost.domain.timestamps import format_timestamp

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
WAIT_MILLISECONDS = 100
_encode = msgspec.json.Encoder(enc_hook=repr).encode


class _LossyStream:
    """Writes lines to standard error, and drops lines that cannot be written soon.

    A full disk, or a reader that is gone or has stopped reading, must not hold up the gateway. The first line that can
    be written again says how many were lost before it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)
        self._lost = 0
        self._told = 0

    def tell(self, _logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
        """Add to a line the number of lines that were lost before it."""
        self._told = self._lost
        if self._told:
            line["lines_lost"] = self._told
        return line

    def write(self, line: str | bytes) -> None:
        if self._takes(line if isinstance(line, bytes) else line.encode(errors="backslashreplace")):
            self._lost = max(0, self._lost - self._told)
        else:
            self._lost += 1

    def _takes(self, line: bytes) -> bool:
        # A pipe that is ready has room for one piece. A reader that is merely slow gets one wait.
        milliseconds = 0 if self._lost else WAIT_MILLISECONDS
        try:
            for begin in range(0, len(line), select.PIPE_BUF):
                if not self._poll.poll(milliseconds):
                    return False
                os.write(self._descriptor, line[begin : begin + select.PIPE_BUF])
        except OSError:
            return False
        return True

    def flush(self) -> None:
        """Do nothing: every line is written at once."""


def set_up_logs(level: str, layout: str, *, with_pid: bool = False) -> None:
    """Configure logging. `layout` is text, json, or auto: text on a terminal and json elsewhere. With `with_pid`, each
    line says which process wrote it."""
    text = layout == "text" or (layout == "auto" and sys.stderr.isatty())
    stream = _LossyStream(sys.stderr.fileno())
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            _complete,
            *([_add_pid] if with_pid else []),
            stream.tell,
            *(_as_text() if text else _as_json()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=(
            structlog.WriteLoggerFactory(cast(TextIO, stream))
            if text
            else structlog.BytesLoggerFactory(cast(BinaryIO, stream))
        ),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")


def _complete(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    line["timestamp"] = format_timestamp(time.time_ns() // 1000).replace("+00:00", "Z")
    line["message"] = line.pop("event")
    if "event_id" in line:
        line["event"] = line.pop("event_id")
    return line


def _add_pid(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    line["pid"] = os.getpid()
    return line


def _as_text() -> list[structlog.typing.Processor]:
    return [
        structlog.processors.StackInfoRenderer(),
        # Tracebacks without local variables: those may hold a secret.
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback, event_key="message"
        ),
    ]


def _as_json() -> list[structlog.typing.Processor]:
    return [structlog.processors.format_exc_info, _json]


def _json(_logger: WrappedLogger, _method: str, line: EventDict) -> bytes:
    try:
        return _encode(line)
    except (TypeError, ValueError):  # such as half of a surrogate pair: an escaped line is better than none
        return json.dumps(line, default=repr).encode()
