"""Finds out what code does besides computing: whether it dials, reads files, starts something or sleeps.

Python tells its audit hooks of all of these (PEP 578). A hook cannot be removed, so there is one for the process, which
looks at nothing but what a thread does while that thread is watched.
"""

import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

_DEEDS: Final = (
    "socket.", "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "open", "time.sleep",
    "_thread.start_new_thread", "sqlite3.connect",
)  # fmt: skip
"""The audit events that matter, or what their names begin with."""
_watched = threading.local()


class Deed(Exception):
    """Watched code did something that it must not do."""


@contextmanager
def watched() -> Generator[list[str], None, None]:
    """Collects what the block does besides computing, as the names of audit events. None of this happens: trying it
    raises Deed."""
    _install()
    deeds: list[str] = []
    _watched.deeds = deeds
    try:
        yield deeds
    finally:
        _watched.deeds = None


@cache
def _install() -> None:
    sys.addaudithook(_note)


def _note(event: str, _arguments: Any) -> None:
    deeds: list[str] | None = getattr(_watched, "deeds", None)
    if deeds is not None and event.startswith(_DEEDS):
        deeds.append(event)
        raise Deed(f"{event} was tried.")
