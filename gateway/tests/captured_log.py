"""What is logged while a test looks."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from signalpost.runtime.logger import read_record


class _Handler(logging.Handler):
    def __init__(self, handle: Callable[[logging.LogRecord], None]) -> None:
        super().__init__()
        self._handle = handle

    def emit(self, record: logging.LogRecord) -> None:
        self._handle(record)


@contextmanager
def logged_to(handle: Callable[[logging.LogRecord], None], level: int = logging.DEBUG) -> Iterator[None]:
    """Whatever the gateway logs at this level and above is handed to `handle`."""
    logger, handler = logging.getLogger("signalpost"), _Handler(handle)
    before = logger.level
    logger.setLevel(level)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


@contextmanager
def captured_log() -> Iterator[list[dict[str, Any]]]:
    """The lines that are logged from here on, each with its `level`, `message` and fields."""
    lines: list[dict[str, Any]] = []

    def keep(record: logging.LogRecord) -> None:
        message, fields = read_record(record)
        lines.append({"level": record.levelname.lower(), "message": message, **fields})

    with logged_to(keep):
        yield lines
