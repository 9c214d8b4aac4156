"""Pages of lists: none is much larger than 4 MiB, whatever its `limit`, and to make one never keeps others waiting."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from signalpost.listener.application import Turn

PAGE_BYTES: Final = 4 * 1024 * 1024
BYTES_IN_A_ROW: Final = 64 * 1024
ENTRIES_IN_A_ROW: Final = 32
"""After this many bytes of a page, or entries, other work gets its turn."""


class TimedPage(NamedTuple):
    """A page that a thread has put in words, and how many seconds of the thread that took: a hundred rows take
    milliseconds."""

    body: bytes
    seconds: float


def fitting(entries: Iterable[bytes]) -> Iterator[bytes]:
    """The first of these entries (JSON), until they add up to the size of a page."""
    size = 0
    for entry in entries:
        yield entry
        size += len(entry)
        if size >= PAGE_BYTES:
            break


async def gathered(entries: Iterable[bytes], turn: Turn) -> list[bytes]:
    """Takes all entries (JSON), each of which is made as it is taken. `turn` is waited for after each slice."""
    made: list[bytes] = []
    size = 0
    for entry in entries:
        made.append(entry)
        size += len(entry)
        if size >= BYTES_IN_A_ROW or len(made) % ENTRIES_IN_A_ROW == 0:
            size = 0
            await turn()
    return made


def page(entries: Iterable[bytes], beside: Mapping[str, Any]) -> bytes:
    """JSON of a page: its entries (JSON) as `data`, and further members. Copying 4 MiB takes 1 ms."""
    return b"".join((b'{"data":[', *_divided(entries), b"],", msgspec.json.encode(beside)[1:]))


def _divided(entries: Iterable[bytes]) -> Iterator[bytes]:
    for number, entry in enumerate(entries):
        if number:
            yield b","
        yield entry
