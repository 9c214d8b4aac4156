"""Versions of a document: how they are numbered (C9), and what is stored of each.

Drafts are numbered `0.1`, `0.2`, … at first, and `N.1`, `N.2`, … after the publication `N.0`. Publishing creates a
version of its own, `N.0`, with the draft's file. So a number stands for the same bytes for ever, and a link to it for
the same file. Numbering continues after a document was deleted, in case it is imported again.
"""

import re
from typing import NamedTuple

from msgspec import Struct

from signalpost.domain.errors import NotFound

_NUMBER = re.compile(r"(0|[1-9][0-9]{0,9})\.(0|[1-9][0-9]{0,9})")
MAX_PART = 2**31 - 1
MAX_ANOTHERS_PART = 10**9
"""Maximum for a part of a number that another system gave. With more, our own numbers could not continue after it."""


class Number(NamedTuple):
    """A version's number. Numbers compare in the order of versions."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"

    @property
    def is_published(self) -> bool:
        return self.minor == 0


def read_number(text: str, most: int = MAX_PART) -> Number | None:
    """The number that a text is the canonical form of; None for any other text, or if a part exceeds `most`."""
    match = _NUMBER.fullmatch(text)
    number = Number(int(match[1]), int(match[2])) if match else None
    return number if number is not None and max(number) <= most and number > (0, 0) else None


def parse_number(text: str) -> Number:
    """The number in a request. Raises NotFound if no version can have it."""
    number = read_number(text)
    if number is None:
        raise _no_version()
    return number


def next_draft(last: Number | None) -> Number:
    return Number(0, 1) if last is None else Number(last.major, last.minor + 1)


def next_published(last: Number | None) -> Number:
    return Number(1, 0) if last is None else Number(last.major + 1, 0)


class StoredFile(Struct, frozen=True):
    """A file that is durable in the file storage."""

    name: str
    """32 random hexadecimal digits. Paths are made of nothing else."""
    size: int
    sha256: bytes
    content_type: str
    """Content type, detected from the content, not what the uploader declared."""


class KeptVersion(Struct, frozen=True):
    """A version's file, with the names by which people find the version."""

    tenant: str
    external_id: str
    number: str
    file: StoredFile


class VersionRow(Struct, frozen=True, kw_only=True):
    """A version that the gateway keeps itself."""

    document_id: str
    number: Number
    file: StoredFile
    created_at: int
    created_by: str
    """Name of the API key that uploaded the version."""
    published_as: Number | None = None
    """For a draft: the version that it was published as."""
    deleted_at: int | None = None
    """When the document was deleted. The file is removed some time later."""


def require_live(row: VersionRow | None) -> VersionRow:
    """The row of a version whose document is not deleted. Raises NotFound."""
    if row is None or row.deleted_at is not None:
        raise _no_version()
    return row


def _no_version() -> NotFound:
    return NotFound("version_not_found", "The gateway has no version of this document with this number.")
