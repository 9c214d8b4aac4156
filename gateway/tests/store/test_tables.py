"""The descriptions of tables fit the tables that each database makes."""

import importlib
import pkgutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from gateway.tests.postgres import emptied_database

from signalpost.domain.access.tenant import OPERATIONS_TENANT
from signalpost.store import tables
from signalpost.store.sqlite.connect import connect
from signalpost.store.sqlite.schema import migrate
from signalpost.store.tables import TABLES
from signalpost.store.tables.table import Columns, Kind, Table

IN_SQLITE = {
    Kind.NUMBER: "INTEGER",
    Kind.FLAG: "INTEGER",
    Kind.UUID: "BLOB",
    Kind.BLOB: "BLOB",
    Kind.TEXT: "TEXT",
}
IN_POSTGRES = {
    Kind.NUMBER: "bigint",
    Kind.FLAG: "boolean",
    Kind.UUID: "uuid",
    Kind.BLOB: "bytea",
    Kind.TEXT: "text",
}
TEXT_IN_SQLITE = {("audit", "content")}
"""Blobs that SQLite keeps as texts."""


def described() -> Iterator[Columns]:
    """Every description that there is."""
    for module in pkgutil.iter_modules(tables.__path__):
        found = vars(importlib.import_module(f"{tables.__name__}.{module.name}")).values()
        yield from (each for each in found if isinstance(each, Columns))


EVERY = {f"{each.name} ({len(each.columns)})": each for each in described()}


@pytest.mark.parametrize("table", EVERY.values(), ids=[*EVERY])
def test_the_columns_of_a_description_are_those_of_sqlite(table: Columns, tmp_path: Path) -> None:
    with closing(connect(tmp_path / "signalpost.db")) as connection:
        migrate(connection, 0)
        found = {name: kind for _, name, kind, *_ in connection.execute(f"PRAGMA table_info({table.name})")}
    for name, kind in table.columns.items():
        assert found[name] == ("TEXT" if (table.name, name) in TEXT_IN_SQLITE else IN_SQLITE[kind])


@pytest.mark.parametrize("table", EVERY.values(), ids=[*EVERY])
def test_the_columns_of_a_description_are_those_of_postgresql(table: Columns) -> None:
    columns = "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = %s"
    with psycopg.connect(emptied_database()) as connection:
        found: dict[str, str] = dict(connection.execute(columns, (table.name,)).fetchall())
    assert {name: found[name] for name in table.columns} == {name: IN_POSTGRES[k] for name, k in table.columns.items()}


@pytest.mark.parametrize("table", TABLES.values(), ids=[table.name for table in TABLES.values()])
def test_what_a_description_says_of_columns_names_columns_that_it_has(table: Table[Any]) -> None:
    changing = {*table.changing, *([table.goes_after] if table.goes_after else [])}
    ended = {*(table.ended or {})}
    assert changing | ended <= table.columns.keys()
    assert {"number", "id"}.isdisjoint(changing | ended), "they say which row it is"
    assert "tenant_id" not in changing, "only the end of a tenant gives its rows to another"


@pytest.mark.parametrize("table", TABLES.values(), ids=[table.name for table in TABLES.values()])
def test_rows_of_a_deleted_tenant_go_to_the_gateway_alone_and_with_nothing_that_is_sealed(table: Table[Any]) -> None:
    """A condition must outlive its tenant until people were told that it is over. What is sealed could not: the keys of
    the tenant are destroyed. And a batch that is about the tenant alone would lose sight of a row on its way."""
    ended = table.ended or {}
    if "tenant_id" in ended:
        assert ended["tenant_id"] == OPERATIONS_TENANT
        assert not [*table.sealed_in([("written",) * len(table.columns)])]
        of_another = tuple({"tenant_id": OPERATIONS_TENANT}.get(name, 0) for name in table.columns)
        assert table.of_tenants([of_another], [OPERATIONS_TENANT + 1]) == [of_another], "any batch sees it"
