"""Columns of many rows as one parameter each.

A statement that writes a batch takes an array for each column and puts rows together with `unnest`. These arrays are
laid out here in PostgreSQL's binary form, which costs a fraction of what the driver's general way does, and always has
the same type: a statement is then prepared once.
"""

import sys
from array import array
from collections.abc import Iterable, Sequence
from struct import Struct as Layout
from struct import error as struct_error
from struct import pack
from typing import Final, NamedTuple

from psycopg import DataError

_HEADER: Final = Layout(">iiIii")
_LENGTH: Final = Layout(">i")
_NULL: Final = b"\xff\xff\xff\xff"
_LENGTH_OF_NUMBER: Final = b"\0\0\0\x08"
_UUID_LENGTH: Final = "00000010"


class Column(NamedTuple):
    """An array with the values of a column, one for each row."""

    type_oid: int
    array: bytes


def numbers(values: Iterable[int | None]) -> Column:
    """A column of type `bigint`. Raises psycopg's DataError if a number does not fit."""
    column = [*values]
    try:
        if None in column:
            parts = [_NULL if value is None else pack(">iq", 8, value) for value in column]
        else:
            parts = [_each_with_its_length(array("q", column))]  # type: ignore[arg-type]
    except (struct_error, OverflowError):
        raise DataError("a number is out of range") from None
    return _column(1016, 20, len(column), parts)


def _each_with_its_length(column: "array[int]") -> bytes:
    """The numbers, each after the four bytes of its length. To put them there by halves takes half as long as to pack
    them one by one."""
    if sys.byteorder == "little":
        column.byteswap()
    halves = array("I", column.tobytes())
    packed = array("I", _LENGTH_OF_NUMBER * (3 * len(column)))
    packed[1::3], packed[2::3] = halves[::2], halves[1::2]
    return packed.tobytes()


def flags(values: Iterable[bool]) -> Column:
    """A column of type `boolean`."""
    column = [*values]
    return _column(1000, 16, len(column), [b"\0\0\0\1\1" if value else b"\0\0\0\1\0" for value in column])


def uuids(values: Iterable[str | None]) -> Column:
    """A column of type `uuid`."""
    column = [*values]
    given = [_UUID_LENGTH + value for value in column if value is not None]
    if len(given) == len(column):
        parts = [bytes.fromhex("".join(given).replace("-", ""))]
    else:
        parts = [_NULL if value is None else bytes.fromhex(_UUID_LENGTH + value.replace("-", "")) for value in column]
    return _column(2951, 2950, len(column), parts)


def blobs(values: Iterable[bytes | None]) -> Column:
    """A column of type `bytea`."""
    return _items(1001, 17, [*values])


def texts(values: Iterable[str | None]) -> Column:
    """A column of type `text`."""
    return _items(1009, 25, [None if value is None else value.encode() for value in values])


def _items(array_oid: int, item_oid: int, values: Sequence[bytes | None]) -> Column:
    length = _LENGTH.pack
    parts: list[bytes] = []
    for value in values:
        if value is None:
            parts.append(_NULL)
        else:
            parts += (length(len(value)), value)
    return _column(array_oid, item_oid, len(values), parts)


def _column(array_oid: int, item_oid: int, count: int, parts: Iterable[bytes]) -> Column:
    if not count:
        return Column(array_oid, _HEADER.pack(0, 0, item_oid, 0, 0)[:12])
    return Column(array_oid, b"".join((_HEADER.pack(1, 1, item_oid, count, 1), *parts)))
