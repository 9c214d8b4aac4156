"""What columns of documents, their versions and histories have."""

from typing import Final

import msgspec
from msgspec import Struct

from signalpost.domain.checks import MAX_TEXT_CHARACTERS
from signalpost.domain.documents.history import Step
from signalpost.domain.documents.version import Number


class _WithTitle(Struct):
    title: str


_decode_title = msgspec.json.Decoder(_WithTitle).decode


_BEHIND_TITLE: Final = b',"status":'
"""What follows the title in a document's JSON. Within a text a quotation mark is escaped, so it is in none."""


def title_in(body: bytes) -> str:
    """The title in a document's JSON. The rest, which may be a megabyte, is not looked at."""
    return _decode_title(body[: body.find(_BEHIND_TITLE)] + b"}").title


def is_same_title(body: bytes, other: bytes) -> bool:
    """Whether the JSON of one document begins as that of another, up to the title."""
    return other.startswith(body[: body.find(_BEHIND_TITLE) + len(_BEHIND_TITLE)])


def title_key(body: bytes) -> str:
    """What a document is found by that is searched for by its title."""
    return title_in(body)[:MAX_TEXT_CHARACTERS].lower()


def pack_number(number: Number | None) -> int | None:
    """A version's number as an integer that sorts as numbers follow one another."""
    return None if number is None else number.major << 32 | number.minor


def unpack_number(packed: int | None) -> Number | None:
    """Undo `pack_number`."""
    return None if packed is None else Number(packed >> 32, packed & 0xFFFFFFFF)


pack_step = msgspec.json.Encoder().encode
unpack_step = msgspec.json.Decoder(Step).decode
