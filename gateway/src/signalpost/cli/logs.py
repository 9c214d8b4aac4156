"""Structured log lines on standard error.

`message` says what happened. Ids have the same name in every line: `event`, `subscription`, `request`.
"""

import json
import logging
import os
import select
import sys
import time
from collections.abc import Callable

import msgspec

from signalpost.domain.timestamps import format_timestamp
from signalpost.runtime.logger import Fields, Sink, as_text, log

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
WAIT_MILLISECONDS = 100
_encode = msgspec.json.Encoder(enc_hook=repr).encode
_COLOURS = {"debug": 32, "info": 32, "warning": 33, "error": 31, "critical": 31}
_MESSAGE_WIDTH = 30
"""Fields begin at the same column in most lines."""

Layout = Callable[[str, str, str, Fields], bytes]
"""Makes a line of its timestamp, level, message and fields."""


class LossyStream:
    """Writes lines to a descriptor, and drops lines that cannot be written soon.

    A full disk, or a reader that is gone or has stopped reading, must not hold up the gateway. The first line that can
    be written again says how many were lost before it."""

    def __init__(self, descriptor: int, layout: Layout) -> None:
        self._descriptor = descriptor
        self._layout = layout
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)
        self._lost = 0

    def write(self, level: int, message: str, fields: Fields) -> None:
        lost = self._lost
        if lost:
            fields = {**fields, "lines_lost": lost}
        timestamp = format_timestamp(time.time_ns() // 1000).replace("+00:00", "Z")
        if self._takes(self._layout(timestamp, logging.getLevelName(level).lower(), message, fields)):
            self._lost = max(0, self._lost - lost)
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


def set_up_logs(level: str, layout: str, *, with_pid: bool = False) -> None:
    """Configure logging. `layout` is text, json, or auto: text on a terminal and json elsewhere. With `with_pid`, each
    line says which process wrote it."""
    terminal = sys.stderr.isatty()
    if layout == "json" or (layout == "auto" and not terminal):
        chosen: Layout = json_line
    else:
        chosen = coloured_line if terminal else text_line
    write = LossyStream(sys.stderr.fileno(), chosen).write
    log.send_to(_writing_pid(write) if with_pid else write, _LEVELS[level])
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")


def _writing_pid(write: Sink) -> Sink:
    def write_with_pid(level: int, message: str, fields: Fields) -> None:
        write(level, message, {**fields, "pid": os.getpid()})

    return write_with_pid


def json_line(timestamp: str, level: str, message: str, fields: Fields) -> bytes:
    line = {"timestamp": timestamp, "level": level, "message": message, **fields}
    try:
        return _encode(line) + b"\n"
    except (TypeError, ValueError):  # such as half of a surrogate pair: an escaped line is better than none
        return json.dumps(line, default=repr).encode() + b"\n"


def text_line(timestamp: str, level: str, message: str, fields: Fields) -> bytes:
    line = f"{timestamp} [{level:<8}] {as_text(f'{message:<{_MESSAGE_WIDTH}}', fields)}\n"
    return line.encode(errors="backslashreplace")


def coloured_line(timestamp: str, level: str, message: str, fields: Fields) -> bytes:
    shown = as_text(f"\x1b[1m{message:<{_MESSAGE_WIDTH}}\x1b[0m", fields)
    line = f"\x1b[2m{timestamp}\x1b[0m [\x1b[1;{_COLOURS[level]}m{level:<8}\x1b[0m] {shown}\n"
    return line.encode(errors="backslashreplace")
