"""The log for people. The command line, or a program that embeds the gateway, tells structlog where to send it. A line
that cannot be written is lost, and never disturbs the work that it is about."""

from contextlib import suppress
from typing import Final

import structlog


class Logger:
    """A structlog logger whose methods never raise."""

    def __init__(self) -> None:
        self._to = structlog.get_logger()

    def debug(self, event: str, **fields: object) -> None:
        self._write("debug", event, fields)

    def info(self, event: str, **fields: object) -> None:
        self._write("info", event, fields)

    def warning(self, event: str, **fields: object) -> None:
        self._write("warning", event, fields)

    def error(self, event: str, **fields: object) -> None:
        self._write("error", event, fields)

    def exception(self, event: str, **fields: object) -> None:
        """Log an error with the traceback of the exception that is being handled."""
        self._write("exception", event, fields)

    def critical(self, event: str, **fields: object) -> None:
        self._write("critical", event, fields)

    def _write(self, method: str, event: str, fields: dict[str, object]) -> None:
        with suppress(Exception):
            # Without `bind`, structlog would look for the method in its proxy first, which takes as long as a header.
            getattr(self._to.bind(), method)(event, **fields)


log: Final = Logger()
