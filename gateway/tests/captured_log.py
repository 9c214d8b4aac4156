"""What is logged while a test looks."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from signalpost.runtime.logger import Fields, log


@contextmanager
def captured_log() -> Iterator[list[dict[str, Any]]]:
    """The lines that are logged from here on, each with its `level`, `message` and fields."""
    lines: list[dict[str, Any]] = []

    def keep(level: int, message: str, fields: Fields) -> None:
        lines.append({"level": logging.getLevelName(level).lower(), "message": message, **fields})

    before = log.send_to(keep)
    try:
        yield lines
    finally:
        log.send_to(*before)
