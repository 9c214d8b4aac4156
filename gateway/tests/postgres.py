"""Databases of a real PostgreSQL for tests.

One server serves a whole run of the tests, however many processes share it. Each process has a database, which is made
once and emptied for each test: that takes a tenth of the time of making one.
"""

import asyncio
import atexit
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from tempfile import gettempdir

import psycopg

from signalpost.store.postgres.schema import migrate
from signalpost_bench import postgres_server
from signalpost_bench.postgres_server import PostgresServer

OWNER = "gateway"
"""A role that owns a database and may nothing else. Superusers pass row-level security."""
PACKAGE = os.environ.get("POSTGRES_PACKAGE", postgres_server.NEWER)
"""The server that tests of the store have where they do not say which."""
_RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
_held = ExitStack()
"""The server's lock and the connections, held until this process ends."""
atexit.register(_held.close)


@cache
def server(package: str = PACKAGE) -> PostgresServer:
    """The server of this run."""
    return _held.enter_context(postgres_server.share(Path(gettempdir(), f"{package}-of-tests-{_RUN}"), package))


@cache
def _database(package: str, suffix: str = "") -> str:
    """This process's database, with its tables. Returns its URL."""
    shared = server(package)
    name = f"of_{os.environ.get('PYTEST_XDIST_WORKER', 'tests')}{suffix}"
    with psycopg.connect(shared.url(), autocommit=True) as connection:
        connection.execute(
            f"DO $$ BEGIN CREATE ROLE {OWNER} LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN END $$"
        )
        connection.execute(f"CREATE DATABASE {name} OWNER {OWNER}")
    with ThreadPoolExecutor(1) as thread:  # this one may have a loop that runs
        thread.submit(asyncio.run, migrate(shared.url(name, OWNER))).result()
    return shared.url(name, OWNER)


def past_everything(url: str) -> str:
    """The URL of the same database for a user whom neither row-level security nor triggers hold up."""
    return url.replace(f"{OWNER}@", f"{postgres_server.SUPERUSER}@") + "&options=-csession_replication_role%3Dreplica"


@cache
def _emptying(url: str) -> tuple["psycopg.Connection[tuple[object, ...]]", str]:
    """A connection that passes row-level security, and what empties the database."""
    connection = psycopg.connect(past_everything(url), autocommit=True)
    _held.callback(connection.close)
    tables = connection.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
        " AND NOT relispartition AND relname NOT IN ('migration')"
    )
    script = [f"DELETE FROM {name}" for (name,) in tables]
    sequences = connection.execute("SELECT sequencename FROM pg_sequences WHERE schemaname = 'public'")
    script += [f"SELECT setval('{name}', 1, false)" for (name,) in sequences]
    script += [
        "INSERT INTO tenant (name) VALUES ('default')",
        "INSERT INTO tenant (id, name, retention_days) VALUES (-2, 'operations', 90)",
        "INSERT INTO fleet DEFAULT VALUES",
    ]
    return connection, "; ".join(script)


def emptied_database(package: str = PACKAGE) -> str:
    """The URL of this process's database, which is as if it had just been made."""
    url = _database(package)
    connection, script = _emptying(url)
    connection.execute(script)
    return url


def new_database(suffix: str) -> str:
    """The URL of a database that no other test has used: for what looks at the layout of tables, or at plans."""
    return _database(PACKAGE, suffix)
