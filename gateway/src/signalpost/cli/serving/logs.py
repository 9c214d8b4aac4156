"""Structured log lines on standard error.

`message` says what happened. Ids have the same name in every line: `event`, `subscription`, `request`. What libraries
log comes out in the same form, with the name of its logger.
"""

import json
import logging
import os
import select
import sys
from collections.abc import Callable

import msgspec

from signalpost.domain.timestamps import format_timestamp
from signalpost.runtime.logger import Fields, LogLine, as_text

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
WAIT_MILLISECONDS = 100
_encode = msgspec.json.Encoder(enc_hook=repr).encode
_format_exception = logging.Formatter().formatException
_COLOURS = {"debug": 32, "info": 32, "warning": 33, "error": 31, "critical": 31}
_MESSAGE_WIDTH = 30
"""Fields begin at the same column in most lines."""

Layout = Callable[[str, str, str, Fields], bytes]
"""Makes a line of its timestamp, level, message and fields. `exception` is the text of a traceback."""


class LossyHandler(logging.Handler):
    """Writes lines to a descriptor, and drops lines that cannot be written soon.

    A full disk, or a reader that is gone or has stopped reading, must not hold up the gateway. The first line that can
    be written again says how many were lost before it."""

    def __init__(self, descriptor: int, layout: Layout, *, with_pid: bool = False) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._layout = layout
        self._with_pid = with_pid
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)
        self._lost = 0

    def emit(self, record: logging.LogRecord) -> None:
        message, fields = read_record(record)
        lost = self._lost
        if lost:
            fields["lines_lost"] = lost
        if self._with_pid:
            fields["pid"] = os.getpid()
        timestamp = format_timestamp(round(record.created * 1_000_000)).replace("+00:00", "Z")
        try:
            taken = self._takes(self._layout(timestamp, record.levelname.lower(), message, fields))
        except Exception:
            return
        if taken:
            self._lost -= lost
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


def read_record(record: logging.LogRecord) -> LogLine:
    """What a record says, from our own log or a library's, with its traceback as the field `exception`."""
    if isinstance(record.msg, LogLine):
        message, fields = record.msg.message, dict(record.msg.fields)
    else:
        message, fields = record.getMessage(), {"logger": record.name}
    if record.exc_info:
        fields["exception"] = _format_exception(record.exc_info)
    return LogLine(message, fields)


def set_up_logs(level: str, layout: str, *, with_pid: bool = False) -> None:
    """Configure logging. `layout` is text, json, or auto: text on a terminal and json elsewhere. With `with_pid`, each
    line says which process wrote it."""
    terminal = sys.stderr.isatty()
    if layout == "json" or (layout == "auto" and not terminal):
        chosen: Layout = json_line
    else:
        chosen = coloured_line if terminal else text_line
    handler = LossyHandler(sys.stderr.fileno(), chosen, with_pid=with_pid)
    # What no line shows need not be found out for each.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("signalpost").setLevel(_LEVELS[level])


def json_line(timestamp: str, level: str, message: str, fields: Fields) -> bytes:
    line = {"timestamp": timestamp, "level": level, "message": message, **fields}
    try:
        return _encode(line) + b"\n"
    except (TypeError, ValueError):  # such as half of a surrogate pair: an escaped line is better than none
        return json.dumps(line, default=repr).encode() + b"\n"


def text_line(timestamp: str, level: str, message: str, fields: Fields) -> bytes:
    return _line(f"{timestamp} [{level:<8}]", f"{message:<{_MESSAGE_WIDTH}}", fields)


def coloured_line(timestamp: str, level: str, message: str, fields: Fields) -> bytes:
    head = f"\x1b[2m{timestamp}\x1b[0m [\x1b[1;{_COLOURS[level]}m{level:<8}\x1b[0m]"
    return _line(head, f"\x1b[1m{message:<{_MESSAGE_WIDTH}}\x1b[0m", fields)


def _line(head: str, message: str, fields: Fields) -> bytes:
    trace = fields.pop("exception", None)
    lines = [f"{head} {as_text(message, fields)}", *([] if trace is None else [str(trace)])]
    return "".join(f"{line}\n" for line in lines).encode(errors="backslashreplace")
