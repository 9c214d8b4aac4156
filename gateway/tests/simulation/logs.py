"""What the gateway logs in a simulation: nobody reads it, but a defect that it notes and survives is still one."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gateway.tests.captured_log import logged_to

from signalpost.cli.serving.logs import read_record


@contextmanager
def watched(on_defect: Callable[[str], None]) -> Iterator[None]:
    """`on_defect` is told of everything that is logged with a traceback."""

    def look(record: logging.LogRecord) -> None:
        message, fields = read_record(record)
        if "exception" in fields:
            on_defect(f"{message}: {str(fields['exception']).splitlines()[-1]}")

    with logged_to(look, logging.ERROR):
        yield
