"""How SQLite keeps ids, and takes lists."""

from collections.abc import Iterable

import msgspec

_encode = msgspec.json.Encoder().encode


def pack_uuid(text: str) -> bytes:
    return bytes.fromhex(text.replace("-", ""))


def unpack_uuid(packed: bytes) -> str:
    text = packed.hex("-", 2)  # all dashes are where they should be but three, so few parts are to be put together
    return f"{text[:4]}{text[5:29]}{text[30:34]}{text[35:]}"


def list_numbers(numbers: Iterable[int]) -> str:
    """Numbers as JSON, for `json_each`."""
    return _encode([*map(int, numbers)]).decode()
