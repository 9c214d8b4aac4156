"""Seals under data keys what was sealed under a master key itself, before there were data keys.

A part at a time: a reader finds some values, which may take long, and the writer seals each again unless it has changed
in between. So it can be broken off anywhere, and begun again.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import apsw

from signalpost.store.sqlite.codec import unpack_uuid
from signalpost.store.sqlite.connect import rows
from signalpost.store.vault import MARK, Place, Vault


class SealedColumn(NamedTuple):
    """A column of sealed values."""

    kind: str
    """The kind of a `Place` in it."""
    table: str
    name: str
    key: tuple[str, ...]
    """The columns of the primary key, in its order."""
    row: tuple[str, ...]
    """The columns that make the row of a `Place`."""
    version: str


_ANSWER_KEY = ("tenant_id", "api_key_id", "key")
COLUMNS = (
    SealedColumn("subscription", "subscription", "sealed", ("number",), ("id",), "version"),
    SealedColumn("connection", "connection", "config", ("number",), ("id",), "version"),
    SealedColumn("grant", "connection", "granted", ("number",), ("id",), "grant_version"),
    SealedColumn("idempotency", "idempotency", "answer", _ANSWER_KEY, _ANSWER_KEY, "expires_at"),
    SealedColumn("idempotency", "idempotency", "without_secrets", _ANSWER_KEY, _ANSWER_KEY, "expires_at"),
)


class FormerSeal(NamedTuple):
    """A value under a master key."""

    key: tuple[Any, ...]
    place: Place
    sealed: bytes


def find(
    connection: apsw.Connection, column: SealedColumn, after: Sequence[Any] | None, limit: int
) -> list[FormerSeal]:
    """Values of a column, in the order of their keys, from the one above `after` on. What a deleted tenant left is
    passed over."""
    key = ", ".join(column.key)
    beyond = "true" if after is None else f"({key}) > ({', '.join('?' * len(column.key))})"
    statement = (
        f"SELECT {key}, tenant_id, {column.version}, {', '.join(column.row)}, {column.name} FROM {column.table}"  # noqa: S608
        f" WHERE {beyond} AND substr({column.name}, 1, {len(MARK)}) <> ?"
        f" AND tenant_id IN (SELECT id FROM tenant WHERE deleted_at IS NULL) ORDER BY {key} LIMIT ?"
    )
    count = len(column.key)
    return [
        FormerSeal(tuple(of[:count]), Place(column.kind, of[count], _row(of[count + 2 : -1]), of[count + 1]), of[-1])
        for of in rows(connection, statement, (*(after or ()), MARK, limit))
    ]


def seal_anew(connection: apsw.Connection, column: SealedColumn, found: Sequence[FormerSeal], vault: Vault) -> None:
    same = " AND ".join(f"{name} = ?" for name in column.key)
    connection.executemany(
        f"UPDATE {column.table} SET {column.name} = ? WHERE {same} AND {column.name} = ?",  # noqa: S608
        [
            (vault.seal(vault.open(each.sealed, each.place), each.place), *each.key, each.sealed)
            for each in found
            if vault.can_seal(each.place.tenant_id)
        ],
    )


def _row(columns: Sequence[Any]) -> str:
    return " ".join(unpack_uuid(each) if isinstance(each, bytes) else str(each) for each in columns)
