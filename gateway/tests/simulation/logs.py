"""What the gateway logs in a simulation: nobody reads it, but a defect that it notes and survives is still one."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from signalpost.runtime.logger import Fields, log


@contextmanager
def watched(on_defect: Callable[[str], None]) -> Iterator[None]:
    """`on_defect` is told of everything that is logged with a traceback."""

    def look(_level: int, message: str, fields: Fields) -> None:
        if "exception" in fields:
            on_defect(f"{message}: {str(fields['exception']).splitlines()[-1]}")

    before = log.send_to(look, logging.ERROR)
    try:
        yield
    finally:
        log.send_to(*before)
