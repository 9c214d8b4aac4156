"""The log for people. It goes where structlog was told to send it, by the command line or by a program that embeds the
gateway; what goes wrong there costs the line, and never what the line is about."""

from contextlib import suppress
from typing import Final

import structlog


class Logger:
    """As structlog's, but that nothing raises."""

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
        """An error, with the traceback of what is being handled."""
        self._write("exception", event, fields)

    def critical(self, event: str, **fields: object) -> None:
        self._write("critical", event, fields)

    def _write(self, method: str, event: str, fields: dict[str, object]) -> None:
        with suppress(Exception):
            getattr(self._to, method)(event, **fields)


log: Final = Logger()
