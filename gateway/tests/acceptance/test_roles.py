"""The two users of `deploy/postgres/roles.sql`: one migrates, the other runs gateways and may do no more."""

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
        assert days.fetchall() == [("signalpost_owner",)]

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
