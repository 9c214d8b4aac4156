"""Migrations are numbered without gaps or repetitions, so that a database has applied either all up to a number or
knows which one it lacks."""

import pytest

from signalpost.store.migration import Migration
from signalpost.store.postgres.schema import MIGRATIONS as POSTGRES
from signalpost.store.sqlite.schema import MIGRATIONS as SQLITE


@pytest.mark.parametrize("migrations", [SQLITE, POSTGRES], ids=["sqlite", "postgres"])
def test_each_migration_has_the_next_number(migrations: tuple[Migration, ...]) -> None:
    assert [each.number for each in migrations] == list(range(1, len(migrations) + 1))
