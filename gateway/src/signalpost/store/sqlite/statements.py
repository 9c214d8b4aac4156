"""Statements that both databases answer alike, as SQLite takes them: `$1::uuid` becomes `?1`, and its value the id as
it is kept here."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import apsw

from signalpost.store.sqlite.codec import pack_uuid
from signalpost.store.sqlite.connect import rows
from signalpost.store.statements import Row, Statement

_PARAMETER = re.compile(r"\$(\d+)(::uuid)?")


class _Translated(NamedTuple):
    sql: str
    ids: frozenset[int]
    """The positions of parameters that are ids."""


@lru_cache(maxsize=256)
def _translated(sql: str) -> _Translated:
    ids = frozenset(int(number) - 1 for number, cast in _PARAMETER.findall(sql) if cast)
    return _Translated(_PARAMETER.sub(r"?\1", sql), ids)


def found_by(connection: apsw.Connection, statement: Statement) -> list[Row]:
    """The rows of a statement."""
    sql, ids = _translated(statement.sql)
    return rows(connection, sql, _bound(statement.parameters, ids) if ids else statement.parameters)


def _bound(parameters: Sequence[Any], ids: frozenset[int]) -> list[Any]:
    return [
        pack_uuid(value) if position in ids and value is not None else value
        for position, value in enumerate(parameters)
    ]
