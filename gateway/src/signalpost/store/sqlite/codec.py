"""How SQLite keeps ids, and takes lists."""

from collections.abc import Iterable

import msgspec

_encode = msgspec.json.Encoder().encode


def pack_uuid(text: str) -> bytes:
    return bytes.fromhex(text.replace("-", ""))


def unpack_uuid(packed: bytes) -> str:
    text = packed.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def list_numbers(numbers: Iterable[int]) -> str:
    """Numbers as JSON, for `json_each`."""
    return _encode([*map(int, numbers)]).decode()
