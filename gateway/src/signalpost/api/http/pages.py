"""Pages of lists: none is much larger than 4 MiB, whatever its `limit`."""

from collections.abc import Iterable
from typing import Final

import msgspec

PAGE_BYTES: Final = 4 * 1024 * 1024


def fitting(entries: Iterable[bytes]) -> list[msgspec.Raw]:
    """The first of these entries (JSON), up to the one with which they come to the size of a page."""
    page: list[msgspec.Raw] = []
    size = 0
    for entry in entries:
        page.append(msgspec.Raw(entry))
        size += len(entry)
        if size >= PAGE_BYTES:
            break
    return page
