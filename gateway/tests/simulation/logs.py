"""What the gateway logs in a simulation: no one reads it, but a defect that it notes and survives is still one."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from gateway.tests.captured_log import logged_to

from signalpost.runtime.logger import read_record


class Living(Protocol):
    """A world that lives through everything by itself."""

    def run(self) -> None: ...

    def fail(self, checker: str, message: str, /) -> None: ...

    def last_steps(self) -> list[str]: ...

    def close(self) -> None: ...


@contextmanager
def watched(on_defect: Callable[[str], None], on_line: Callable[[str], None] | None = None) -> Iterator[None]:
    """`on_defect` is told of everything that is logged with a traceback, `on_line` of everything."""

    def look(record: logging.LogRecord) -> None:
        message, fields = read_record(record)
        if "exception" in fields:
            on_defect(f"{message}: {str(fields['exception']).splitlines()[-1]}")
        if on_line is not None:
            on_line(f"{message} {fields}")

    with logged_to(look, logging.ERROR if on_line is None else logging.INFO):
        yield


def live(world: Living, again: str, on_line: Callable[[str], None] | None = None) -> None:
    """Let everything happen in a world, and let go of it. Raises Violation, with the last steps and the call of make
    that lives through them `again`."""
    try:
        with watched(lambda defect: world.fail("defects", defect), on_line):
            world.run()
    except BaseException as error:
        steps = "\n".join(world.last_steps())
        error.add_note(f"{steps}\nTo run it again: make {again}")
        raise
    finally:
        world.close()
