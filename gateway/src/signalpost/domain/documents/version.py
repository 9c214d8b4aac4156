"""Versions of a document's text: how they are numbered (C9), and what is kept of each.

A draft gets the next number below its publication's: `0.1`, `0.2`, … at first, `N.1`, `N.2`, … after `N.0`. Publishing
makes a version of its own, `N.0`, of the draft's file: so a number stands for the same bytes for ever, and a link to it
for the same file. Numbers of a document go on after its deletion, should it be imported again.
"""

import re
from typing import NamedTuple

from msgspec import Struct

from signalpost.domain.errors import NotFound

_NUMBER = re.compile(r"(0|[1-9][0-9]{0,9})\.(0|[1-9][0-9]{0,9})")
MAX_PART = 2**31 - 1
MAX_ANOTHERS_PART = 10**9
"""Of a number that another system gave: with more, ours could not go on after it."""


class Number(NamedTuple):
    """A version's number; they compare as they follow one another."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"

    @property
    def is_published(self) -> bool:
        return self.minor == 0


def read_number(text: str, most: int = MAX_PART) -> Number | None:
    """The number that a text is the one way to write; None if it is none, or has a part above `most`."""
    match = _NUMBER.fullmatch(text)
    number = Number(int(match[1]), int(match[2])) if match else None
    return number if number is not None and max(number) <= most and number > (0, 0) else None


def parse_number(text: str) -> Number:
    """The number that someone asks for a version by. Raises NotFound for one that none can have."""
    number = read_number(text)
    if number is None:
        raise _no_version()
    return number


def next_draft(last: Number | None) -> Number:
    return Number(0, 1) if last is None else Number(last.major, last.minor + 1)


def next_published(last: Number | None) -> Number:
    return Number(1, 0) if last is None else Number(last.major + 1, 0)


class StoredFile(Struct, frozen=True):
    """A file that is durable where files are kept."""

    name: str
    """32 random hexadecimal digits: all that a path is ever made of."""
    size: int
    sha256: bytes
    content_type: str
    """Of its content, whatever its sender called it."""


class KeptVersion(Struct, frozen=True):
    """A version as a person finds it, and its file."""

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
    """The name of the API key that it came with."""
    published_as: Number | None = None
    """Of a draft: the version that its publication made."""
    deleted_at: int | None = None
    """When its document was deleted: its file is taken away some time later."""


def require_live(row: VersionRow | None) -> VersionRow:
    """A version that the gateway keeps of a document that is there. Raises NotFound."""
    if row is None or row.deleted_at is not None:
        raise _no_version()
    return row


def _no_version() -> NotFound:
    return NotFound("version_not_found", "The gateway keeps no version with this number of this document.")
