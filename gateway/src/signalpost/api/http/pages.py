"""Pages of lists: none is much larger than 4 MiB, whatever its `limit`, and to make one never keeps others waiting."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from signalpost.api.http.response import Turn

PAGE_BYTES: Final = 4 * 1024 * 1024
BYTES_IN_A_ROW: Final = 64 * 1024
"""After so many bytes of a page others have their turn."""


def fitting(entries: Iterable[bytes]) -> Iterator[bytes]:
    """The first of these entries (JSON), up to the one with which they come to the size of a page."""
    size = 0
    for entry in entries:
        yield entry
        size += len(entry)
        if size >= PAGE_BYTES:
            break


async def gathered(entries: Iterable[bytes], turn: Turn) -> list[bytes]:
    """Takes all entries (JSON), each of which is made as it is taken. `turn` is waited for after each slice."""
    made: list[bytes] = []
    in_a_row = 0
    for entry in entries:
        made.append(entry)
        in_a_row += len(entry)
        if in_a_row >= BYTES_IN_A_ROW:
            in_a_row = 0
            await turn()
    return made


async def page(entries: Iterable[bytes], beside: Mapping[str, Any], turn: Turn) -> bytes:
    """JSON of a page: its entries (JSON) as `data`, and these members beside them. `turn` is waited for after each
    slice."""
    made = bytearray()
    sliced = 0
    for entry in entries:
        made += b"," if made else b'{"data":['
        made += entry
        if len(made) - sliced >= BYTES_IN_A_ROW:
            sliced = len(made)
            await turn()
    made += b"]," if made else b'{"data":[],'
    made += msgspec.json.encode(beside)[1:]
    return bytes(made)
