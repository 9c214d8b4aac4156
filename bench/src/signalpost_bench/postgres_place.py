"""Where the databases of a benchmark on PostgreSQL are: a server that is there, or one started from a package.

What the server spends is counted too. Its processor time and the rows that it wrote are known only of a server on this
machine that the bench started; the bytes of its write-ahead log, of every server."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import psycopg

from signalpost_bench import postgres_server
from signalpost_bench.resource_monitor import Spent, cpu_seconds
from signalpost_bench.workload import tenant_name

OWN: Final = "postgresql:"
"""The URL that asks for a server of the bench's own."""
NAMED: Final = "signalpost_bench_"
"""What the name of every database that a bench makes begins with."""
_SETTINGS: Final = {"max_wal_size": "8GB", "shared_buffers": "512MB", "max_connections": "300"}
"""A server of the bench's own has these beside the defaults: it syncs every commit. With the default `max_wal_size`, a
run would meet checkpoints, after each of which every page is logged whole."""
_names = count(1)


class PostgresPlace:
    def __init__(self, url: str, server: postgres_server.PostgresServer | None = None) -> None:
        """`url` is that of a database from which others may be made."""
        self._url = url
        self._server = server

    @contextmanager
    def new_database(self) -> Iterator[str]:
        """A database for a run, by its URL."""
        name = f"{NAMED}{os.getpid()}_{next(_names)}"
        self._carry_out(f"CREATE DATABASE {name}")
        try:
            yield urlunsplit(urlsplit(self._url)._replace(path=f"/{name}"))
        finally:
            self._carry_out(f"DROP DATABASE {name} WITH (FORCE)")

    def spent(self) -> Spent:
        with psycopg.connect(self._url) as connection:
            found = connection.execute("SELECT pg_current_wal_insert_lsn()::text").fetchone()
        assert found is not None
        process = None if self._server is None else self._server.process
        return Spent(found[0], None if process is None else cpu_seconds(process.pid))

    def between(self, before: Spent, after: Spent, deliveries: int) -> dict[str, float]:
        """What each delivery took of the server, by names that say the unit."""
        with psycopg.connect(self._url) as connection:
            found = connection.execute(
                "SELECT pg_wal_lsn_diff(%s::pg_lsn, %s::pg_lsn)", (after.lsn, before.lsn)
            ).fetchone()
        assert found is not None
        figures = {"WAL B": float(found[0]) / deliveries}
        if before.cpu is not None and after.cpu is not None:
            figures["server µs"] = (after.cpu - before.cpu) / deliveries * 1e6
            figures["rows"] = self._rows_written(before.lsn, after.lsn) / deliveries
        return figures

    def _rows_written(self, begin: str, end: str) -> int:
        """How many rows were inserted, updated and deleted, as the write-ahead log has them."""
        assert self._server is not None
        self._carry_out("SELECT pg_switch_wal()")  # it writes all to the files, which may lack the last records
        program, wal = postgres_server.programs() / "pg_waldump", self._server.folder / "data" / "pg_wal"
        command: list[str | Path] = [program, "--stats=record", "--path", wal, "--start", begin, "--end", end]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603
        return rows_of(said)

    def _carry_out(self, statement: str) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(statement.encode())


@contextmanager
def open_place(url: str) -> Iterator[PostgresPlace]:
    """The server at this URL, or a new one if the URL names none."""
    if url != OWN:
        yield PostgresPlace(url)
        return
    with postgres_server.running(settings=_SETTINGS) as server:
        yield PostgresPlace(server.loopback_url(), server)


def rows_of(stats: str) -> int:
    """The rows in what `pg_waldump --stats=record` says. A record of several rows counts as one."""
    kinds = "INSERT|UPDATE|HOT_UPDATE|DELETE|MULTI_INSERT"
    written = re.findall(rf"^Heap2?/(?:{kinds})(?:\+INIT)? +([0-9]+)", stats, re.MULTILINE)
    return sum(map(int, written))


def make_tenants(url: str, tenants: int) -> None:
    """Add tenants to a database that has its tables."""
    names = [tenant_name(number) for number in range(1, tenants + 1)]
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO tenant (name) SELECT unnest(%s::text[]) ON CONFLICT DO NOTHING", (names,))
