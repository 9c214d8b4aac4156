"""Gates before the statements of a node, and walks through every order in which two nodes' statements can come."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import combinations
from typing import TYPE_CHECKING, Any

import psycopg
from gateway.tests.postgres import OWNER
from psycopg.pq import TransactionStatus

from signalpost.store.postgres.committers import CommitConnection
from signalpost.store.postgres.connect import DatabaseConnection
from signalpost.store.postgres.pipeline import Pipeline
from signalpost.store.postgres.sessions import SessionPool
from signalpost.store.postgres.source import DatabaseSource
from signalpost.store.postgres.store import PostgresStore
from signalpost_bench.postgres_server import SUPERUSER

if TYPE_CHECKING:
    from gateway.tests.store.conftest import Shop


def orders(first: int, second: int) -> Iterator[tuple[bool, ...]]:
    """Every order of so many steps of one node and so many of another; True is a step of the first."""
    for chosen in combinations(range(first + second), first):
        yield tuple(place in chosen for place in range(first + second))


class Gate:
    """Where one node waits before each statement, until it is let through."""

    def __init__(self) -> None:
        self._is_open = asyncio.Event()
        self.is_there = asyncio.Event()
        """The node waits."""
        self.is_free = False
        """The node waits no more."""
        self.process = 0
        """The server's process to which the node's connection belongs."""
        self.sent_at: dict[str, int] = {}
        """When each statement was last sent, in ns. What one node sends after the server did something for it comes
        after what the other had sent for that; the order in which two nodes hear of their commits says nothing."""

    def close(self) -> None:
        """Have the node wait at its next statement, whatever was let through before."""
        self.is_free = False
        self.is_there.clear()
        self._is_open.clear()

    async def pass_through(self) -> None:
        if not self.is_free:
            self.is_there.set()
            await self._is_open.wait()
            self._is_open.clear()
            self.is_there.clear()  # it was let through before it came

    def open(self) -> None:
        self.is_there.clear()
        self._is_open.set()


class _GatedPipeline(Pipeline):
    """Sends the statements of a trip one by one, those that have something in them through a gate. A trip that is a
    transaction of its own stays one."""

    def __init__(self, connection: DatabaseConnection, gate: Gate, gated: Sequence[str]) -> None:
        super().__init__(connection.pgconn)
        self._connection = connection
        self._gate = gate
        self._gated = gated

    async def ask(self, statements: Iterable[tuple[str, Sequence[Any]]]) -> list[list[tuple[Any, ...]]]:
        asked = [*statements]
        is_whole = self._connection.info.transaction_status == TransactionStatus.IDLE and not asked[0][0].startswith(
            "BEGIN"
        )
        if is_whole:
            asked = [("BEGIN", ()), *asked, ("COMMIT", ())]
        found = []
        for sql, parameters in asked:
            if any(part in sql for part in self._gated):
                self._gate.process = self._connection.info.backend_pid
                await self._gate.pass_through()
                self._gate.sent_at[sql] = time.perf_counter_ns()
            found += await super().ask([(sql, parameters)])
        return found[1:-1] if is_whole else found


class _GatedSource(DatabaseSource):
    def __init__(self, url: str, gate: Gate, gated: Sequence[str]) -> None:
        super().__init__(url)
        self._gate = gate
        self._gated = gated

    async def connect_anyway(self) -> DatabaseConnection:
        connection = await super().connect_anyway()
        connection.own_pipeline = _GatedPipeline(connection, self._gate, self._gated)
        return connection


async def gate_of(shop: "Shop", *gated: str) -> Gate:
    """Put a gate, which is open at first, before what a node writes and looks for: before each statement that has one
    of these in it."""
    store, gate = shop.store, Gate()
    assert isinstance(store, PostgresStore)
    source = _GatedSource(shop.url, gate, gated)
    gate.is_free = True
    for committers in (store._publishers, store._recorders):
        for former in committers._all:
            await former.close()
        committers._all = [CommitConnection(source)]
        committers._idle = asyncio.LifoQueue()
        committers._idle.put_nowait(committers._all[0])
    await store.writers.close()
    store.writers._sessions = SessionPool(source.connect, 1)
    await store.fleet._looks.close()
    store.fleet._looks = SessionPool(source.connect, 1)
    return gate


@asynccontextmanager
async def watching(shop: "Shop") -> "AsyncIterator[psycopg.AsyncConnection[tuple[int]]]":
    """A connection that sees who waits for a lock."""
    url = shop.url.replace(f"{OWNER}@", f"{SUPERUSER}@")
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as watcher:
        yield watcher


class Walk:
    """Goes through the orders of two tasks, each behind its gate."""

    def __init__(self, watcher: "psycopg.AsyncConnection[tuple[int]]", gates: tuple[Gate, Gate]) -> None:
        self._watcher = watcher
        self._gates = gates

    async def go(self, order: Sequence[bool], tasks: "tuple[asyncio.Task[Any], asyncio.Task[Any]]") -> None:
        for gate in self._gates:
            gate.close()
        for is_first in order:
            gate, task = self._gates[not is_first], tasks[not is_first]
            await self._until_it_waits(gate, task)
            gate.open()
        for gate in self._gates:
            gate.is_free = True
            gate.open()
        await asyncio.gather(*tasks)

    async def _until_it_waits(self, gate: Gate, task: "asyncio.Task[Any]") -> None:
        """Wait until the node waits at its gate, is done, or waits for a lock of the other one. Whether the other one
        waits says nothing of this one, which may be on its way to the gate."""
        while not gate.is_there.is_set() and not task.done():
            await asyncio.sleep(0.001)
            blocked = await self._watcher.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid = %s", (gate.process,)
            )
            if (await blocked.fetchone() or (0,))[0]:
                return
