"""What the database itself refuses to do with the audit, whichever user of it asks."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from gateway.tests.captured_log import captured_log
from gateway.tests.postgres import OWNER
from gateway.tests.store.test_audit import EVERYTHING, draft

from signalpost.domain.timestamps import DAY, SECOND
from signalpost.engine.maintenance.audit_retention import AuditRetention
from signalpost.runtime.clock import SystemClock
from signalpost.store.nouns.audit import VerifiedAudit
from signalpost_bench.postgres_server import SUPERUSER

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Play, Shop

NOW = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
REFUSED = {
    "a change of an entry": "UPDATE audit SET content = content",
    "the removal of an entry": "DELETE FROM audit WHERE position = (SELECT max(position) FROM audit)",
    "the removal of all": "DELETE FROM audit",
    "the removal of the table's content": "TRUNCATE audit",
    "an end that goes back": "UPDATE audit_end SET last = last - 1 WHERE tenant_id = 0",
    "a beginning that goes back": "UPDATE audit_end SET first = first - 1 WHERE tenant_id = 0",
    "an end of another": "UPDATE audit_end SET tenant_id = 7 WHERE tenant_id = 0",
    "the removal of an end": "DELETE FROM audit_end WHERE tenant_id = 0",
    "the removal of all ends": "TRUNCATE audit_end",
}
ONE_DAY = "CREATE OR REPLACE FUNCTION audit_kept_days() RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint'"
SHADOWED = (
    "CREATE SCHEMA mine; CREATE FUNCTION mine.audit_kept_days() RETURNS bigint LANGUAGE sql AS 'SELECT 0::bigint';"
    " SET search_path = mine, public; DELETE FROM audit"
)


@contextmanager
def connected(shop: "Shop", user: str = OWNER) -> "Iterator[psycopg.Connection[Any]]":
    url = shop._implementation.url(shop.folder).replace(f"{OWNER}@", f"{user}@")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT set_config('signalpost.tenants', '{-1}', false)")
        yield connection


async def with_entries(shop: "Shop", *days_ago: float) -> None:
    with connected(shop) as connection:
        [(now,)] = connection.execute(NOW).fetchall()
    await shop.store.audit.add([draft(1, now - int(days * DAY)) for days in days_ago])


@pytest.mark.parametrize("statement", [*REFUSED.values(), SHADOWED], ids=[*REFUSED, "other functions of that name"])
def test_the_database_refuses_what_would_change_the_audit_to_who_runs_a_node(play: "Play", statement: str) -> None:
    """Who owns the tables is refused it too."""

    async def scenario(shop: "Shop") -> None:
        await with_entries(shop, 401, 399, 0)
        with connected(shop) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege, match="is kept"):
            connection.execute(statement.encode())
        assert await shop.store.audit.verify() == VerifiedAudit(3, None)

    play(scenario)


def test_the_retention_removes_no_entry_before_the_databases_own_time(play: "Play") -> None:
    async def scenario(shop: "Shop") -> None:
        await with_entries(shop, 402, 401, 399, 30, 1, 0)
        audit, later = shop.store.audit, shop.now + 3650 * DAY
        assert await audit.prune(later, 100) == 2
        assert await audit.verify() == VerifiedAudit(4, None)
        assert await audit.keep(29) == 29
        assert await audit.prune(later, 100) == 2
        assert await audit.keep(400) == 400
        assert await audit.prune(later, 100) == 0
        assert await audit.verify() == VerifiedAudit(2, None)
        assert [entry.number for entry in (await audit.page(1, EVERYTHING, 0, 9)).entries] == [5, 6]
        await audit.add([draft(1, shop.now + SECOND)])
        assert await audit.verify() == VerifiedAudit(3, None)

    play(scenario)


def test_a_node_that_does_not_own_the_audit_can_neither_lift_what_keeps_it_nor_remove_it(play: "Play") -> None:
    """The node may become the owner of every other table."""

    async def scenario(shop: "Shop") -> None:
        with connected(shop, SUPERUSER) as connection:
            connection.execute(
                "DO $$ BEGIN CREATE ROLE keeper; CREATE ROLE runs LOGIN; EXCEPTION WHEN duplicate_object THEN END $$"
            )
            connection.execute(f"GRANT {OWNER} TO runs")
            owned = (
                "TABLE audit",
                "TABLE audit_end",
                "FUNCTION audit_kept_days",
                "FUNCTION keep_audit",
                "SCHEMA public",
            )
            for each in owned:
                connection.execute(f"ALTER {each} OWNER TO keeper".encode())
            connection.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON audit, audit_end TO {OWNER}".encode())
            connection.execute(f"GRANT CREATE, USAGE ON SCHEMA public TO {OWNER}".encode())
        try:
            await with_entries(shop, 402, 399)
            forbidden = (
                ONE_DAY,
                "DROP TABLE audit",
                "ALTER TABLE audit DISABLE TRIGGER ALL",
                "DROP FUNCTION keep_audit",
            )
            with connected(shop, "runs") as connection:
                for become in ("SET ROLE NONE", f"SET ROLE {OWNER}"):
                    connection.execute(become.encode())
                    for statement in (*forbidden, *REFUSED.values(), "SET session_replication_role = replica"):
                        with pytest.raises(psycopg.errors.InsufficientPrivilege):
                            connection.execute(statement.encode())
            with captured_log() as lines:
                await AuditRetention(shop.store, SystemClock(), 30).keep()
            assert [(line["database"], line["audit_retention_days"]) for line in lines] == [(400, 30)]
            assert await shop.store.audit.prune(shop.now + 3650 * DAY, 100) == 1
            assert await shop.store.audit.verify() == VerifiedAudit(1, None)
        finally:
            with connected(shop, SUPERUSER) as connection:
                for each in owned:
                    connection.execute(f"ALTER {each} OWNER TO {OWNER}".encode())

    play(scenario)
