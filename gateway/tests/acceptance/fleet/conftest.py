"""Fleets whose nodes and database go wrong."""

import base64
import itertools
import os
import secrets
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Self
from urllib.parse import urlencode

import psycopg
import pytest
import trustme
from gateway.tests.acceptance.client import until
from gateway.tests.acceptance.conftest import Endpoints
from gateway.tests.acceptance.fleet.cutting_proxy import CuttingProxy
from gateway.tests.acceptance.fleet.nodes import Fleet
from gateway.tests.acceptance.receiver import Receiver
from gateway.tests.patience import ATTEMPT_TIMEOUT

from signalpost_bench import postgres_server
from signalpost_bench.postgres_server import PostgresServer

ROLE = "gateway"
"""A role that owns a database and may nothing else, as a gateway's should be."""
PASSWORD = "a password"
Fleets = Callable[..., Fleet]


class Database:
    """A PostgreSQL of one's own that can be stopped and started again. To be entered."""

    def __init__(self, package: str = postgres_server.NEWER, settings: Mapping[str, str] = {}) -> None:
        self.server: PostgresServer
        self._package = package
        self._settings = {**postgres_server.THROWAWAY, **settings}
        self._opened = ExitStack()
        self._names = itertools.count()

    def __enter__(self) -> Self:
        with self._opened:
            self.server = self._opened.enter_context(postgres_server.running(self._package, self._settings))
            self._opened.callback(lambda: self.server.stop())
            with self._as_superuser() as connection:
                connection.execute(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{PASSWORD}'".encode())
            self._opened = self._opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def new(self) -> str:
        """The name of a database that no test has used."""
        name = f"fleet_{next(self._names)}"
        with self._as_superuser() as connection:
            connection.execute(f"CREATE DATABASE {name} OWNER {ROLE}".encode())
        return name

    def url(self, name: str, port: int | None = None, host: str = "127.0.0.1", **parameters: str) -> str:
        """Where a database is; behind a proxy if its `port` is given."""
        asked = f"?{urlencode(parameters)}" if parameters else ""
        return f"postgresql://{ROLE}:a%20password@{host}:{port or self.server.port}/{name}{asked}"

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        """What a superuser sees of the whole server."""
        with self._as_superuser() as connection:
            return connection.execute(sql.encode()).fetchall()

    def crash(self) -> None:
        """End it at once, as a crash does: it recovers from its WAL when it is started again."""
        assert self.server.process is not None
        self.server.process.send_signal(signal.SIGQUIT)
        self.server.process.wait()

    def start(self) -> None:
        self.server = postgres_server.start(self.server.folder, self._package, self._settings, self.server.port)

    def wait_for_standby(self) -> None:
        """From now on every commit waits until a standby has it."""
        with self._as_superuser() as connection:
            connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            connection.execute("SELECT pg_reload_conf()")
        until(lambda: self.rows("SELECT sync_state FROM pg_stat_replication") == [("sync",)])

    def wait_until_followed(self) -> None:
        """Wait until a standby has everything that there is now."""
        [(position,)] = self.rows("SELECT pg_current_wal_lsn()")
        until(lambda: self.rows(f"SELECT replay_lsn >= '{position}' FROM pg_stat_replication") == [(True,)])

    def promote(self, standby: PostgresServer) -> None:
        """Have a standby take this server's place."""
        with psycopg.connect(standby.url(), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET synchronous_standby_names = ''")
            connection.execute("SELECT pg_promote()")

    def use_tls(self, certificate: trustme.LeafCert) -> None:
        """Offer TLS with this certificate. Programs of the newer package cannot."""
        data = self.server.folder / "data"
        owner = data.stat()
        for name, content in (
            ("server.key", certificate.private_key_pem.bytes()),
            ("server.crt", b"".join(part.bytes() for part in certificate.cert_chain_pems)),
        ):
            file = data / name
            file.touch(0o600)
            file.write_bytes(content)
            os.chown(file, owner.st_uid, owner.st_gid)
        with self._as_superuser() as connection:
            connection.execute("ALTER SYSTEM SET ssl = on")
            connection.execute("SELECT pg_reload_conf()")

    def _as_superuser(self) -> "psycopg.Connection[tuple[object, ...]]":
        return psycopg.connect(self.server.url(), autocommit=True)


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    """The server of a file's tests; each has databases of its own."""
    with Database() as made:
        yield made


@pytest.fixture
def proxy(database: Database) -> Iterator[CuttingProxy]:
    with CuttingProxy(database.server.port) as made:
        yield made


@pytest.fixture
def fleets(tmp_path: Path, ca_file: Path, receiver: Receiver, endpoint: Endpoints) -> Iterator[Fleets]:
    """Makes a fleet on the database of a URL: `fleets(url, nodes=2)`. Nothing of it outlives the test."""
    made: list[Fleet] = []

    def make(url: str, nodes: int, **settings: str) -> Fleet:
        shared = {
            "database_url": url,
            "master_key": base64.b64encode(secrets.token_bytes(32)).decode(),
            "operator_key": f"sp_{secrets.token_urlsafe(32)}",
            "public_url": "https://gateway.example.com",
            "attempt_timeout": f"{ATTEMPT_TIMEOUT:g}",
            **settings,
        }
        folder = tmp_path / f"fleet-{len(made)}"
        folder.mkdir()
        made.append(Fleet(folder, ca_file, endpoint, receiver.origin, **shared))
        for _ in range(nodes):
            made[-1].add()
        return made[-1]

    yield make
    for fleet in made:
        fleet.end()
