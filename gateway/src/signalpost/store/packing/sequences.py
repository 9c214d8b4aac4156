"""The open sequences of a lane, as the bytes of a column."""

from collections.abc import Sequence
from itertools import accumulate
from operator import sub
from typing import Final

_BYTE: Final = 0x7F
"""The highest number that takes a byte."""


def pack_sequences(ascending: Sequence[int]) -> bytes:
    """The differences of sequences as little-endian base-128 numbers: one or two bytes for each open sequence of a busy
    lane."""
    first, following = ascending[:1], [*map(sub, ascending[1:], ascending)]
    if max(following, default=0) <= _BYTE:  # as of a busy lane, which does this for some hundred deliveries: in C
        return _packed(first) + bytes(following)
    return _packed([*first, *following])


def _packed(differences: Sequence[int]) -> bytes:
    packed = bytearray()
    for difference in differences:
        while difference > _BYTE:
            packed.append(difference & _BYTE | 0x80)
            difference >>= 7
        packed.append(difference)
    return bytes(packed)


def unpack_sequences(packed: bytes) -> list[int]:
    """Undo `pack_sequences`."""
    first = 1
    while packed[first - 1 : first] > b"\x7f":
        first += 1
    if first < len(packed) and packed[first:].isascii():
        # A busy lane's differences take a byte each but for the first. A list reads a thousand lanes: sum these in C.
        return list(accumulate(packed[first:], initial=unpack_sequences(packed[:first])[0]))
    sequences: list[int] = []
    sequence = difference = shift = 0
    for byte in packed:
        difference |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            sequence += difference
            sequences.append(sequence)
            difference = shift = 0
    return sequences
