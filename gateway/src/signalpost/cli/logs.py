"""Log lines: structured, to standard error.

A line says what happened in `message`. Ids have the same name wherever they appear: `event`, `subscription`, `request`.
(In the code it is `event_id`: structlog calls the message itself the event.)
"""

import json
import logging
import sys
from contextlib import suppress
from typing import IO, Any, BinaryIO, TextIO, cast

import msgspec
import structlog
from structlog.typing import EventDict, WrappedLogger

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_encode = msgspec.json.Encoder(enc_hook=repr).encode


class _Patient:
    """A stream whose faults are nobody's: a full disk, or a reader that is gone, must not end what lines are about."""

    def __init__(self, stream: IO[Any]) -> None:
        self._stream = stream

    def write(self, line: Any) -> None:
        with suppress(OSError):
            self._stream.write(line)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


def set_up_logs(level: str, layout: str) -> None:
    """`layout` is text, json, or auto: text at a terminal."""
    text = layout == "text" or (layout == "auto" and sys.stderr.isatty())
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _name,
            *(_as_text() if text else _as_json()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=(
            structlog.WriteLoggerFactory(cast(TextIO, _Patient(sys.stderr)))
            if text
            else structlog.BytesLoggerFactory(cast(BinaryIO, _Patient(sys.stderr.buffer)))
        ),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")


def _name(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    line["message"] = line.pop("event")
    if "event_id" in line:
        line["event"] = line.pop("event_id")
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
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(_json)]


def _json(line: Any, **_options: Any) -> bytes:
    try:
        return _encode(line)
    except (TypeError, ValueError):  # such as half of a surrogate pair: a line is worth more than its form
        return json.dumps(line, default=repr).encode()
