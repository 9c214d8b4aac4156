"""Which bytes of a file a request asks for (RFC 9110, section 14). Pure."""

import re
from typing import NamedTuple

from signalpost.domain.errors import NoSuchRange

_RANGE = re.compile(r"bytes=[ \t]*([0-9]*)-([0-9]*)[ \t]*", re.ASCII)
_MAX_DIGITS = 18


class ByteRange(NamedTuple):
    start: int
    stop: int
    """The position after the last byte."""


def wanted(header: str | None, size: int) -> ByteRange | None:
    """The bytes that a `Range` header asks for; None for the whole file. A header that is malformed, names several
    ranges or counts in another unit is ignored. Raises NoSuchRange for a range that lies outside of the file."""
    match = _RANGE.fullmatch(header or "")
    if match is None or match[1] == match[2] == "" or max(len(match[1]), len(match[2])) > _MAX_DIGITS:
        return None
    first, last = (int(digits) if digits else None for digits in match.groups())
    if first is None:
        assert last is not None
        if last == 0 or size == 0:
            raise NoSuchRange(size)
        return ByteRange(max(0, size - last), size)
    if last is not None and last < first:
        return None
    if first >= size:
        raise NoSuchRange(size)
    return ByteRange(first, size if last is None else min(last + 1, size))


def still_applies(if_range: str | None, etag: str, last_modified: str) -> bool:
    """Whether the client has a part of this very file (`If-Range`). If not, it must get the whole file."""
    return if_range is None or if_range.strip() in (etag, last_modified)
