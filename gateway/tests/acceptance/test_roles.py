"""The roles of `deploy/postgres/roles.sql`: one migrates, another runs gateways and may do no more."""

import asyncio
import base64
import secrets
import subprocess
from pathlib import Path

import psycopg
import pytest
from gateway.tests.acceptance.client import until
from gateway.tests.acceptance.conftest import Endpoints, Gateways
from gateway.tests.cli.command import run
from gateway.tests.postgres import server

from signalpost.domain.timestamps import DAY
from signalpost.store.postgres.partition_pruning import prune
from signalpost.store.postgres.partitions import Partitions
from signalpost.store.postgres.sessions import Writers
from signalpost.store.postgres.source import DatabaseSource
from signalpost_bench import postgres_server

pytestmark = pytest.mark.slow
IS_THERE = "SELECT to_regclass('event_0') IS NOT NULL"
OWNERS = "SELECT DISTINCT relowner::regrole::text FROM pg_class WHERE relname LIKE 'event\\_2%'"
"""Who owns the days of events."""
ERASING = (
    "DELETE FROM audit",
    "UPDATE audit SET content = ''",
    "TRUNCATE audit",
    "DELETE FROM audit_end",
    "DROP TABLE audit CASCADE",
    "ALTER TABLE audit DISABLE TRIGGER ALL",
    "ALTER TABLE audit OWNER TO signalpost_gateway",
    "CREATE OR REPLACE FUNCTION audit_kept_days() RETURNS bigint LANGUAGE sql AS 'SELECT 0::bigint'",
    "SET ROLE signalpost_owner",
)
ROLES = Path(__file__).parents[3] / "deploy" / "postgres" / "roles.sql"


def test_one_user_migrates_and_another_runs_gateways_and_may_change_rows_only(
    tmp_path: Path, gateways: Gateways, endpoint: Endpoints
) -> None:
    psql = postgres_server.programs() / "psql"
    subprocess.run([psql, "-q", "--set=ON_ERROR_STOP=1", f"--file={ROLES}", server().url()], check=True)
    owner, runs = (server().url("signalpost", f"signalpost_{name}") for name in ("owner", "gateway"))
    secret = tmp_path / "database-url"
    secret.touch(0o600)
    secret.write_text(owner)
    settings = {
        "master_key": base64.b64encode(secrets.token_bytes(32)).decode(),
        "operator_key": f"sp_{secrets.token_urlsafe(32)}",
        "public_url": "https://gateway.example.com",
    }
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
    early = run("serve", "--port=0", f"--data-dir={tmp_path}", f"--database-url={runs}", *flags, code=1).stderr
    assert "signalpost db migrate" in early
    assert "up to date" in run("db", "migrate", SIGNALPOST_DATABASE_URL_FILE=str(secret)).stdout

    gateway, end = gateways(database_url=runs, **settings), endpoint()
    gateway.api.subscribe(end.url, eventTypes=["documentCreated"])
    gateway.api.create()
    until(lambda: len(end.requests) == 1)

    with psycopg.connect(runs, autocommit=True) as connection:
        for forbidden in ("CREATE TABLE more ()", "ALTER TABLE tenant ADD COLUMN more int", "DROP TABLE lane"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(forbidden.encode())
        days = connection.execute(
            "SELECT DISTINCT relowner::regrole::text FROM pg_class WHERE relname LIKE 'event\\_2%'"
        )
        assert days.fetchall() == [("signalpost_tables",)]
        connection.execute("SELECT set_config('signalpost.tenants', '{-1}', false)")
        for become in ("SET ROLE NONE", "SET ROLE signalpost_tables"):
            connection.execute(become.encode())
            for forbidden in ERASING:
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(forbidden.encode())

    gateway.api.ask("POST", "/v1/tenants", {"name": "theirs"}, expect=201)
    erased = gateway.api.ask("DELETE", "/v1/tenants/theirs?confirm=theirs", expect=202)
    until(lambda: gateway.api.ask("GET", f"/v1/erasures/{erased['id']}")["finishedAt"] is not None)
    assert gateway.api.ask("GET", "/v1/audit/verification")["fault"] is None
    run("db", "check", SIGNALPOST_DATABASE_URL_FILE=str(secret))

    async def days_come_and_go() -> None:
        writers = Writers(DatabaseSource(runs), 1)
        try:
            await Partitions(runs).provide({"event": [0], "attempt": [0]})
            assert await writers.rows(None, IS_THERE) == [(True,)]
            await prune(writers, 10 * DAY, 100)
            assert await writers.rows(None, IS_THERE) == [(False,)]
        finally:
            await writers.close()

    asyncio.run(days_come_and_go())
