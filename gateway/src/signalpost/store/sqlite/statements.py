"""Statements that both databases answer alike, as SQLite takes them: `$1::uuid` becomes `?1`, and its value the id as
it is kept here; a list of numbers becomes JSON."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import apsw

from signalpost.store.sqlite.codec import list_numbers, pack_uuid
from signalpost.store.sqlite.connect import rows
from signalpost.store.statements import Row, Statement

_LIST = re.compile(r"= ANY\(\$(\d+)::bigint\[\]\)")
_ID = re.compile(r"\$(\d+)::uuid")
_PARAMETER = re.compile(r"\$(\d+)")


class _SqliteStatement(NamedTuple):
    sql: str
    packed: Mapping[int, Callable[[Any], Any]]
    """How parameters at these positions are laid out."""


@lru_cache(maxsize=256)
def _translated(sql: str) -> _SqliteStatement:
    packed: dict[int, Callable[[Any], Any]] = {}
    for parameter, pack in ((_LIST, list_numbers), (_ID, pack_uuid)):
        packed |= {int(number) - 1: pack for number in parameter.findall(sql)}
    sql = _ID.sub(r"?\1", _LIST.sub(r"IN (SELECT value FROM json_each(?\1))", sql))
    return _SqliteStatement(_PARAMETER.sub(r"?\1", sql), packed)


def found_by(connection: apsw.Connection, statement: Statement) -> list[Row]:
    """The rows of a statement."""
    sql, packed = _translated(statement.sql)
    return rows(connection, sql, _bound(statement.parameters, packed) if packed else statement.parameters)


def ask(connection: apsw.Connection, sql: str, *parameters: Any) -> list[Row]:
    """The rows of a statement with these parameters."""
    return found_by(connection, Statement(sql, parameters))


def _bound(parameters: Sequence[Any], packed: Mapping[int, Callable[[Any], Any]]) -> list[Any]:
    return [
        packed[position](value) if position in packed and value is not None else value
        for position, value in enumerate(parameters)
    ]
