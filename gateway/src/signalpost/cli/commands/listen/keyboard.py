"""Single keys from a terminal, without Enter and without an echo."""

import asyncio
import os
import sys
import termios
import tty
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

MAX_READ = 64


@contextmanager
def keys(handlers: Mapping[str, Any]) -> Iterator[bool]:
    """Call the handler of each key that is pressed, from the event loop, if standard input and output are a terminal.

    Yields whether they are. The terminal is put back as it was."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        yield False
        return
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    loop = asyncio.get_running_loop()

    def pressed() -> None:
        for key in os.read(terminal, MAX_READ).decode("utf-8", "ignore"):
            if key in handlers:
                handlers[key]()

    tty.setcbreak(terminal)
    loop.add_reader(terminal, pressed)
    try:
        yield True
    finally:
        loop.remove_reader(terminal)
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
