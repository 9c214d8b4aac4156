"""Structured log lines on standard error.

`message` says what happened. Ids have the same name in every line: `event`, `subscription`, `request`. What libraries
log comes out in the same form, with the name of its logger.
"""

import asyncio
import json
import logging
import os
import select
import sys
from collections import deque
from collections.abc import Callable, Sequence

import msgspec

from signalpost.cli.terminal.plain import escaped, escaped_json, escaped_lines
from signalpost.domain.timestamps import format_timestamp
from signalpost.runtime.logger import Fields, as_text, read_record

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
WAIT_MILLISECONDS = 100
MOST_GATHERED = 256
"""How many lines are gathered at most, whatever the event loop does."""
_encode = msgspec.json.Encoder(enc_hook=repr).encode
_COLOURS = {"debug": 32, "info": 32, "warning": 33, "error": 31, "critical": 31}
_MESSAGE_WIDTH = 30
"""Fields begin at the same column in most lines."""

Layout = Callable[[str, str, str, Fields], bytes]
"""Makes a line of its timestamp, level, message and fields. `exception` is the text of a traceback."""


class LossyHandler(logging.Handler):
    """Writes lines to a descriptor, and drops lines that cannot be written soon.

    A full disk, or a reader that is gone or has stopped reading, must not hold up the gateway. The first line that can
    be written again says how many were lost before it.

    The lines of one round of the event loop are one write, as far as a pipe takes them: on a busy gateway these writes
    took as long as all else that a line costs. A warning, or worse, is written at once, with what was gathered."""

    def __init__(self, descriptor: int, layout: Layout, *, with_pid: bool = False) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._layout = layout
        self._with_pid = with_pid
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)
        self._lost = 0
        self._gathered: deque[logging.LogRecord] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        """The event loop that will write what is gathered as its round ends."""

    def handle(self, record: logging.LogRecord) -> bool:
        """Gather a record. Other handlers take their lock for that, which this one does not need."""
        if self.filters and not self.filter(record):
            return False
        gathered, loop = self._gathered, self._loop
        gathered.append(record)
        is_urgent = record.levelno >= logging.WARNING or len(gathered) >= MOST_GATHERED
        if is_urgent or not ((loop is not None and loop.is_running()) or self._note_round()):
            self.flush()
        return True

    def _note_round(self) -> bool:
        """Have the event loop write what is gathered as its round ends. Returns whether this is its thread."""
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            return False
        self._loop.call_soon(self._end_round)
        return True

    def _end_round(self) -> None:
        self._loop = None
        self.flush()

    def flush(self) -> None:
        """Write what is gathered."""
        self.acquire()
        try:
            told = lost = self._lost
            lines: list[bytes] = []
            while self._gathered:
                if (line := self._line(self._gathered.popleft(), lost)) is not None:
                    lines.append(line)
                lost = 0
            written = self._write(lines)
            self._lost += len(lines) - written - (told if written else 0)
        finally:
            self.release()

    def _line(self, record: logging.LogRecord, lost: int) -> bytes | None:
        """None if it cannot be laid out."""
        message, fields = read_record(record)
        if lost:
            fields["lines_lost"] = lost
        if self._with_pid:
            fields.setdefault("pid", os.getpid())  # a worker says its own
        timestamp = f"{format_timestamp(round(record.created * 1_000_000))[:-6]}Z"
        try:
            return self._layout(timestamp, record.levelname.lower(), message, fields)
        except Exception:
            return None

    def _write(self, lines: Sequence[bytes]) -> int:
        """Write lines, in pieces that a pipe takes as a whole, until it takes no more. Returns how many it took."""
        written = 0
        while written < len(lines):
            end, size = written + 1, len(lines[written])
            while end < len(lines) and (size := size + len(lines[end])) <= select.PIPE_BUF:
                end += 1
            if not self._takes(b"".join(lines[written:end])):
                break
            written = end
        return written

    def _takes(self, lines: bytes) -> bool:
        # A pipe that is ready has room for one piece. A reader that is merely slow gets one wait.
        milliseconds = 0 if self._lost else WAIT_MILLISECONDS
        try:
            for begin in range(0, len(lines), select.PIPE_BUF):
                if not self._poll.poll(milliseconds):
                    return False
                os.write(self._descriptor, lines[begin : begin + select.PIPE_BUF])
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
    handler = LossyHandler(sys.stderr.fileno(), chosen, with_pid=with_pid)
    # What no line shows need not be found out for each.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("signalpost").setLevel(_LEVELS[level])


def json_line(timestamp: str, level: str, message: str, fields: Fields) -> bytes:
    line = {"timestamp": timestamp, "level": level, "message": message, **fields}
    try:
        return f"{escaped_json(_encode(line).decode())}\n".encode()
    except (TypeError, ValueError):  # such as half of a surrogate pair: an escaped line is better than none
        return json.dumps(line, default=repr).encode() + b"\n"


def text_line(timestamp: str, level: str, message: str, fields: Fields) -> bytes:
    return _line(f"{timestamp} [{level:<8}]", f"{escaped(message):<{_MESSAGE_WIDTH}}", fields)


def coloured_line(timestamp: str, level: str, message: str, fields: Fields) -> bytes:
    head = f"\x1b[2m{timestamp}\x1b[0m [\x1b[1;{_COLOURS[level]}m{level:<8}\x1b[0m]"
    return _line(head, f"\x1b[1m{escaped(message):<{_MESSAGE_WIDTH}}\x1b[0m", fields)


def _line(head: str, message: str, fields: Fields) -> bytes:
    trace = fields.pop("exception", None)
    lines = [f"{head} {as_text(message, fields)}", *([] if trace is None else [escaped_lines(str(trace))])]
    return "".join(f"{line}\n" for line in lines).encode(errors="backslashreplace")
