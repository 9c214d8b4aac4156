"""Pages of lists: none is much larger than 4 MiB, whatever its `limit`, and to make one never keeps others waiting."""

import asyncio
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

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


async def gathered(entries: Iterable[bytes]) -> list[msgspec.Raw]:
    """Takes all entries (JSON), each of which is made as it is taken."""
    page: list[msgspec.Raw] = []
    in_a_row = 0
    for entry in entries:
        page.append(msgspec.Raw(entry))
        in_a_row += len(entry)
        if in_a_row >= BYTES_IN_A_ROW:
            in_a_row = 0
            await asyncio.sleep(0)
    return page
