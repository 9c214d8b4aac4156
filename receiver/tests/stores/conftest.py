"""Each store, for the suite that all of them pass."""

import asyncio
import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import gettempdir
from typing import Any, ClassVar

import psycopg
import pytest
import redis
import redis.asyncio

from signalpost_bench import postgres_server, redis_server
from signalpost_receiver.stores import Claim, Held, Item, MemoryStore, Store
from signalpost_receiver.stores.redis import AsyncRedisStore, RedisStore
from signalpost_receiver.stores.sql import SqliteStore, SqlStore

_prefixes = (f"{{test-{number}}}" for number in itertools.count())


@pytest.fixture(scope="session")
def redis_socket() -> Iterator[Path]:
    try:
        with redis_server.serve() as path:
            yield path
    except FileNotFoundError as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def database() -> Iterator[str]:
    """The address of this process's own database, of the PostgreSQL that all tests of a run share."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    name = f"receiver_{os.environ.get('PYTEST_XDIST_WORKER', 'tests')}"
    package = postgres_server.NEWER
    with postgres_server.share(Path(gettempdir(), f"{package}-of-tests-{run}"), package) as server:
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        url = server.url(name)
        SqlStore(lambda: psycopg.connect(url), paramstyle=psycopg.paramstyle).create_tables()
        yield url


class WaitingStore:
    """An asynchronous store whose calls are waited for."""

    blocking: ClassVar[bool] = True

    def __init__(self, store: AsyncRedisStore, loop: asyncio.AbstractEventLoop) -> None:
        self._store, self._wait = store, loop.run_until_complete

    def claim(self, item: Item, *, now: float, lease_until: float) -> Claim:
        return self._wait(self._store.claim(item, now=now, lease_until=lease_until))

    def commit(self, item: Item, token: str, *, now: float, forget_at: float) -> bool:
        return self._wait(self._store.commit(item, token, now=now, forget_at=forget_at))

    def release(self, item: Item, token: str, *, again_at: float) -> None:
        self._wait(self._store.release(item, token, again_at=again_at))

    def hold(self, item: Item, body: bytes, hints: str, *, now: float, due_at: float) -> Claim:
        return self._wait(self._store.hold(item, body, hints, now=now, due_at=due_at))

    def take(self, *, now: float, lease_until: float) -> Held | None:
        return self._wait(self._store.take(now=now, lease_until=lease_until))

    def forget(self, event_id: str) -> None:
        self._wait(self._store.forget(event_id))


QUICK = ("memory", "sqlite", "dbapi-sqlite")
WITH_A_SERVER = ("dbapi-postgresql", "redis", "redis-decoded", "redis-asyncio")
KINDS = (*QUICK, *(pytest.param(kind, marks=pytest.mark.slow) for kind in WITH_A_SERVER))
StoreOf = Callable[[], Store]


@pytest.fixture(params=KINDS)
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StoreOf]:
    """Opens the same store as often as it is called, as several processes would; empty at first."""
    kind: str = request.param
    if kind == "memory":
        store = MemoryStore()
        yield lambda: store
    elif kind == "sqlite":
        yield from _sqlite(tmp_path)
    elif kind == "dbapi-sqlite":
        yield from _plain_sqlite(tmp_path)
    elif kind == "dbapi-postgresql":
        url = request.getfixturevalue("database")
        with psycopg.connect(url) as connection:
            connection.execute("TRUNCATE signalpost_events, signalpost_documents")
        yield lambda: SqlStore(lambda: psycopg.connect(url), paramstyle=psycopg.paramstyle)
    elif kind == "redis-asyncio":
        yield from _asyncio_redis(request.getfixturevalue("redis_socket"))
    else:
        path, prefix = str(request.getfixturevalue("redis_socket")), next(_prefixes)
        with redis.Redis(unix_socket_path=path, decode_responses=kind == "redis-decoded") as client:
            yield lambda: RedisStore(client, prefix=prefix)


@pytest.fixture
def store(open_store: StoreOf) -> Store:
    return open_store()


def _sqlite(folder: Path) -> Iterator[StoreOf]:
    opened: list[SqliteStore] = []

    def open_it() -> SqliteStore:
        opened.append(SqliteStore(folder / "receiver.db", timeout_s=60))
        return opened[-1]

    yield open_it
    for each in opened:
        each.close()


def _plain_sqlite(folder: Path) -> Iterator[StoreOf]:
    """The standard library's own driver as a DB-API driver like any other."""
    import sqlite3
    from contextlib import contextmanager

    @contextmanager
    def connect() -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(folder / "plain.db", timeout=60, isolation_level="IMMEDIATE")
        try:
            yield connection
        finally:
            connection.close()

    SqlStore(connect, paramstyle=sqlite3.paramstyle).create_tables()
    yield lambda: SqlStore(connect, paramstyle=sqlite3.paramstyle)


def _asyncio_redis(path: Path) -> Iterator[StoreOf]:
    loop: Any = asyncio.new_event_loop()
    client = redis.asyncio.Redis(unix_socket_path=str(path))
    prefix = next(_prefixes)
    try:
        yield lambda: WaitingStore(AsyncRedisStore(client, prefix=prefix), loop)
        loop.run_until_complete(client.aclose())
    finally:
        loop.close()
