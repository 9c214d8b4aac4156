"""What follows from the description of a table in SQLite: how its rows are read, written, and end with their tenant."""

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cache
from typing import Any, Final

import apsw

from signalpost.store.sqlite.codec import pack_uuid, unpack_uuid
from signalpost.store.sqlite.connect import rows_of_many, write_many
from signalpost.store.sqlite.statements import found_by
from signalpost.store.tables import TABLES
from signalpost.store.tables.table import Codec, Columns, EndValue, Kind, Table, updating
from signalpost.store.vault import Vault

PLAIN = Codec(pack_uuid, unpack_uuid)
"""For rows without sealed values."""


_PACK: Final[Mapping[Kind, Callable[[str], Any]]] = {Kind.UUID: pack_uuid, Kind.TEXT: str, Kind.NUMBER: int}
"""Lays out the values by which commands find rows."""


def codec_with(vault: Vault) -> Codec:
    return Codec(pack_uuid, unpack_uuid, vault.seal, vault.open)


def find(
    connection: apsw.Connection,
    table: Table[Any],
    by: str,
    values: Iterable[str],
    tenants: Collection[int],
    codec: Codec,
) -> list[Any]:
    """The rows of these tenants, or of any if commands see such rows of any, found by these values."""
    pack = _PACK[table.found_by[by].kind]
    found = rows_of_many(connection, _finding(table, by), [(pack(value),) for value in values])
    return [table.unpack(each, codec) for each in table.of_tenants(found, tenants)]


def write(connection: apsw.Connection, table: Table[Any], changed: Collection[Any], codec: Codec) -> None:
    write_many(connection, _writing(table), [table.pack(row, codec) for row in changed])
    for removal in table.removals(changed):
        found_by(connection, removal)


def end_with_tenant(connection: apsw.Connection, tenant_id: int, at: int) -> None:
    """End the rows of a deleted tenant."""
    for table in TABLES.values():
        if table.ends_with_tenant:
            connection.execute(_ending(table), {"tenant_id": tenant_id, "at": at})


@cache
def _finding(table: Table[Any], by: str) -> str:
    return f"SELECT {table.listed} FROM {table.name} WHERE {table.found_by[by].where.format('?')}"  # noqa: S608


def inserting(table: Columns, on_conflict: str = "") -> str:
    return f"INSERT INTO {table.name} ({table.listed}) VALUES ({', '.join('?' * len(table.columns))}) {on_conflict}"  # noqa: S608


@cache
def _writing(table: Table[Any]) -> str:
    return inserting(table, updating("number", *table.changing))


@cache
def _ending(table: Table[Any]) -> str:
    if table.ended is None:
        return f"DELETE FROM {table.name} WHERE tenant_id = :tenant_id"  # noqa: S608
    values = ", ".join(f"{column} = {_ended(column, value)}" for column, value in table.ended.items())
    return f"UPDATE {table.name} SET {values} WHERE tenant_id = :tenant_id"  # noqa: S608


def _ended(column: str, value: str | bytes | int | EndValue | None) -> str:
    if isinstance(value, int):
        return str(value)
    if value is EndValue.THEN:
        return ":at"
    if value is EndValue.THEN_AT_THE_LATEST:
        return f"coalesce({column}, :at)"
    return "NULL" if value is None else f"x'{value.hex()}'" if isinstance(value, bytes) else "''"
