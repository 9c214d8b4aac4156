"""Finds out that a JSON body has too many values or levels before it is decoded.

The decoder keeps the interpreter's lock to its end, and takes a tenth of a second for a megabyte of brackets. No call
needs more than some hundred values, so they are counted first, in steps of which none takes long. And how many levels
the decoder stands depends on Python's version, from a thousand to many thousands.
"""

import re
from itertools import accumulate
from typing import Final

from signalpost.sharing.resting_turns import Rest, no_rest

MAX_VALUES: Final = 8_192
"""The number that fits into the largest body that is decoded uncounted. Names count like values."""
MAX_DEPTH: Final = 100
COUNTED_IN_A_ROW: Final = 256
_NO_BEGINNINGS = bytes(byte for byte in range(256) if byte not in b'[{,"')
_BEGINNING = re.compile(rb'[\[{,"]')
_PART_OF_STRING = re.compile(rb'(?:[^"\\]+|\\.){1,4096}', re.DOTALL)
"""The part of a string that one step takes."""
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[{]}")
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
"""One level more or less, as signed bytes."""


def crowded_at(body: bytes, rest: Rest = no_rest) -> int | None:
    """The position at which a body has more than `MAX_VALUES` values; None if it has no more."""
    # Nearly every body has less of what begins a value than that even within its texts.
    if len(body.translate(None, _NO_BEGINNINGS)) <= MAX_VALUES:
        return None
    values, at = 0, 0
    while (found := _BEGINNING.search(body, at)) is not None:
        values += 1
        if values % COUNTED_IN_A_ROW == 0:
            rest()
        if values > MAX_VALUES:
            return found.start()
        at = _end_of_string(body, found.end()) if found[0] == b'"' else found.end()
    return None


def _end_of_string(body: bytes, at: int) -> int:
    while (part := _PART_OF_STRING.match(body, at)) is not None:
        at = part.end()
    return at + 1


def nests_too_deep(body: bytes) -> bool:
    """Whether the values of a body are nested in more than `MAX_DEPTH` levels, up to where it stops being JSON."""
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return False
    steps = _STRING.sub(b"", body).translate(_STEPS, _NO_BRACKETS)
    if (begun := steps.count(b"\x01")) <= MAX_DEPTH:
        return False
    # What ends more values than it begins is no JSON from there on, however long it is.
    return max(accumulate(memoryview(steps)[: 2 * begun].cast("b"))) > MAX_DEPTH
