"""What the gateway logs in a simulation: nobody reads it, but a defect that it notes and survives is still one."""

import logging
import sys
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import structlog


@contextmanager
def watched(on_defect: Callable[[str], None]) -> Iterator[None]:
    """`on_defect` is told of everything that is logged with a traceback."""

    def look(_logger: object, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if entry.get("exc_info"):
            on_defect(f"{entry['event']}: {sys.exc_info()[1] or entry['exc_info']!r}")
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR), processors=[look])
    try:
        yield
    finally:
        structlog.configure(**before)
