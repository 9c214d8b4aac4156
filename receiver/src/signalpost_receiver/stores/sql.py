"""A store in a database, through any DB-API driver whose SQL knows `ON CONFLICT`: SQLite and PostgreSQL.

Each call is one transaction. Of two that want the same event or document, the database makes one wait until the other
has committed, and the statement's own condition then tells it that it came second.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, ClassVar, Protocol

from signalpost_receiver.errors import ConfigError

from .base import Busy, Claim, Claimed, Handled, Held, Item, Stale

TABLES = (
    """CREATE TABLE IF NOT EXISTS signalpost_events (
    id TEXT PRIMARY KEY, document TEXT, position TEXT NOT NULL, state TEXT NOT NULL, token TEXT NOT NULL,
    until DOUBLE PRECISION NOT NULL, body TEXT, hints TEXT)""",
    "CREATE INDEX IF NOT EXISTS signalpost_events_until ON signalpost_events (until)",
    "CREATE INDEX IF NOT EXISTS signalpost_events_document ON signalpost_events (document)",
    """CREATE TABLE IF NOT EXISTS signalpost_documents (
    document TEXT PRIMARY KEY, position TEXT NOT NULL, token TEXT NOT NULL, lease_until DOUBLE PRECISION NOT NULL,
    until DOUBLE PRECISION NOT NULL)""",
)
"""What `create_tables` runs. `until` is when a lease ends, when a held event is due, or when a row is forgotten."""

_PUT = """INSERT INTO signalpost_events (id, document, position, state, token, until, body, hints)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET document = excluded.document, position = excluded.position, state = excluded.state,
    token = excluded.token, until = excluded.until, body = excluded.body, hints = excluded.hints
WHERE signalpost_events.until <= ? AND signalpost_events.body IS NULL"""
_GET = "SELECT state, token, until, body IS NOT NULL AS is_held FROM signalpost_events WHERE id = ?"
_COMMIT = """UPDATE signalpost_events SET state = 'handled', token = '', until = ?, body = NULL, hints = NULL
WHERE id = ? AND token = ? AND state = 'claimed'"""
_HOLD_AGAIN = """UPDATE signalpost_events SET state = 'held', token = '', until = ?
WHERE id = ? AND token = ? AND body IS NOT NULL"""
_DROP = "DELETE FROM signalpost_events WHERE id = ? AND token = ? AND state = 'claimed'"
_FORGET = "DELETE FROM signalpost_events WHERE id = ?"
_DUE = """SELECT event.document FROM signalpost_events event
LEFT JOIN signalpost_documents document ON document.document = event.document
WHERE event.body IS NOT NULL AND event.until <= ? AND (document.lease_until IS NULL OR document.lease_until <= ?)
ORDER BY event.until LIMIT 1"""
_FIRST = """SELECT id, position, body, hints FROM signalpost_events
WHERE document = ? AND body IS NOT NULL ORDER BY position LIMIT 1"""
_TAKE = "UPDATE signalpost_events SET state = 'claimed', token = ?, until = ? WHERE id = ?"
_DROP_STALE = "DELETE FROM signalpost_events WHERE document = ? AND body IS NOT NULL AND position <= ?"
_KNOW_DOCUMENT = """INSERT INTO signalpost_documents (document, position, token, lease_until, until)
VALUES (?, '', '', 0, 0) ON CONFLICT (document) DO NOTHING"""
_LEASE_DOCUMENT = """UPDATE signalpost_documents SET token = ?, lease_until = ?
WHERE document = ? AND lease_until <= ?"""
_GET_DOCUMENT = """SELECT CASE WHEN until > ? THEN position ELSE '' END AS position, lease_until
FROM signalpost_documents WHERE document = ?"""
_MARK = """UPDATE signalpost_documents SET position = CASE WHEN position < ? OR until <= ? THEN ? ELSE position END,
    until = CASE WHEN until < ? THEN ? ELSE until END
WHERE document = ?"""
_END_LEASE = "UPDATE signalpost_documents SET token = '', lease_until = ? WHERE document = ? AND token = ?"
_PRUNE = (
    "DELETE FROM signalpost_events WHERE until <= ? AND body IS NULL",
    "DELETE FROM signalpost_documents WHERE until <= ? AND lease_until <= ?",
)
_PRUNE_EVERY_S = 60.0
_PRUNE_AFTER_S = 3600.0
"""How long a row stays when it no longer counts, so that the commit of a handler that was slow still finds it."""


class Cursor(Protocol):
    """What is used of a DB-API cursor."""

    @property
    def rowcount(self) -> int:
        """How many rows the last statement changed."""
        ...

    def execute(self, statement: Any, arguments: Any = ..., /) -> Any:
        """Run a statement."""
        ...

    def fetchone(self) -> Any:
        """The next row, or None."""
        ...

    def close(self) -> object:
        """End the cursor."""
        ...


class Connection(Protocol):
    """What is used of a DB-API connection."""

    def cursor(self) -> Any:
        """A new `Cursor`."""
        ...

    def commit(self) -> object:
        """End the transaction, and keep what it did."""
        ...

    def rollback(self) -> object:
        """End the transaction, and discard what it did."""
        ...


class SqlStore:
    """Remembers events in two tables, which `create_tables` makes.

    `connect` gives a connection for the span of a `with`, such as `pool.connection` of psycopg_pool, or
    `lambda: psycopg.connect(…)`. `paramstyle` is the driver's: its module says it under this name.
    """

    blocking: ClassVar[bool] = True

    def __init__(self, connect: Callable[[], AbstractContextManager[Any]], *, paramstyle: str) -> None:
        if paramstyle not in ("qmark", "format", "pyformat"):
            raise ConfigError("paramstyle must be qmark, format or pyformat")
        self._connect = connect
        self._parameter = "?" if paramstyle == "qmark" else "%s"
        self._pruned_at = 0.0

    def create_tables(self) -> None:
        """Create the tables that do not exist yet."""
        with self._transaction() as run:
            for statement in TABLES:
                run(statement)

    def claim(self, item: Item, *, now: float, lease_until: float) -> Claim:
        """See `Store.claim`; a document's row is locked until the transaction ends."""
        token = secrets.token_hex(8)
        with self._transaction() as run:
            self._prune(run, now)
            known = _known(run, item, now)
            if known is not None:
                return known
            if item.document is not None:
                refused = _lease(run, item.document, token, item.position, now, lease_until)
                if refused is not None:
                    return refused
            if _put(run, item, "claimed", token, lease_until, None, "", now):
                return Claimed(token)
            if item.document is not None:
                run(_END_LEASE, 0, item.document, token)
            return _known(run, item, now) or Busy(lease_until)

    def commit(self, item: Item, token: str, *, now: float, forget_at: float) -> bool:
        """See `Store.commit`; both tables change together."""
        with self._transaction() as run:
            if run(_COMMIT, forget_at, item.event_id, token).rowcount != 1:
                return False
            if item.document is not None:
                # The row may be gone, because the lease ended long ago.
                run(_KNOW_DOCUMENT, item.document)
                run(_MARK, item.position, now, item.position, forget_at, forget_at, item.document)
                run(_END_LEASE, 0, item.document, token)
            return True

    def release(self, item: Item, token: str, *, again_at: float) -> None:
        """See `Store.release`; a claim that another one replaced stays as it is."""
        with self._transaction() as run:
            was_held = run(_HOLD_AGAIN, again_at, item.event_id, token).rowcount == 1
            was_claimed = was_held or run(_DROP, item.event_id, token).rowcount == 1
            if item.document is not None and was_claimed:
                run(_END_LEASE, again_at if was_held else 0, item.document, token)

    def hold(self, item: Item, body: bytes, hints: str, *, now: float, due_at: float) -> Claim:
        """See `Store.hold`; the body is kept as text."""
        with self._transaction() as run:
            self._prune(run, now)
            if _known(run, item, now) is not None:
                return Handled()
            mark = run(_GET_DOCUMENT, now, item.document).fetchone()
            if mark is not None and item.position <= mark[0]:
                return Stale()
            token = secrets.token_hex(8)
            return Claimed(token) if _put(run, item, "held", token, due_at, body.decode(), hints, now) else Handled()

    def take(self, *, now: float, lease_until: float) -> Held | None:
        """See `Store.take`; a document that another process takes at the same moment is left to it."""
        token = secrets.token_hex(8)
        with self._transaction() as run:
            while True:
                due = run(_DUE, now, now).fetchone()
                if due is None:
                    return None
                document = str(due[0])
                refused = _lease(run, document, token, None, now, lease_until)
                if refused is not None:
                    continue
                run(_DROP_STALE, document, run(_GET_DOCUMENT, now, document).fetchone()[0])
                first = run(_FIRST, document).fetchone()
                if first is None:
                    run(_END_LEASE, 0, document, token)
                    continue
                event_id, position, body, hints = first
                run(_TAKE, token, lease_until, event_id)
                return Held(Item(event_id, document, position), token, body.encode(), hints)

    def forget(self, event_id: str) -> None:
        """See `Store.forget`; it forgets nothing of the document."""
        with self._transaction() as run:
            run(_FORGET, event_id)

    def _prune(self, run: _Run, now: float) -> None:
        if now - self._pruned_at >= _PRUNE_EVERY_S:
            self._pruned_at = now
            run(_PRUNE[0], now - _PRUNE_AFTER_S)
            run(_PRUNE[1], now - _PRUNE_AFTER_S, now - _PRUNE_AFTER_S)

    @contextmanager
    def _transaction(self) -> Iterator[_Run]:
        with self._connect() as connection:
            cursor: Cursor = connection.cursor()
            try:
                yield _Run(cursor, self._parameter)
            except BaseException:
                connection.rollback()
                raise
            else:
                connection.commit()
            finally:
                cursor.close()


class _Run:
    """Runs statements of one transaction; the statements here have `?` for each argument."""

    def __init__(self, cursor: Cursor, parameter: str) -> None:
        self._cursor = cursor
        self._parameter = parameter

    def __call__(self, statement: str, *arguments: object) -> Cursor:
        self._cursor.execute(statement.replace("?", self._parameter), arguments)
        return self._cursor


def _lease(
    run: _Run, document: str, token: str, position: str | None, now: float, lease_until: float
) -> Busy | Stale | None:
    """Lease a document for the event at `position`, or for any; what stands against it otherwise."""
    run(_KNOW_DOCUMENT, document)
    leased = run(_LEASE_DOCUMENT, token, lease_until, document, now).rowcount == 1
    mark, until = run(_GET_DOCUMENT, now, document).fetchone()
    if not leased:
        return Busy(until)
    if position is not None and position <= mark:
        run(_END_LEASE, 0, document, token)
        return Stale()
    return None


def _known(run: _Run, item: Item, now: float) -> Busy | Handled | None:
    """What is known of the event; None if that is nothing, or has expired."""
    row = run(_GET, item.event_id).fetchone()
    if row is None:
        return None
    state, _, until, is_held = row
    if state == "claimed" and until > now:
        return Busy(until)
    return Handled() if is_held or until > now else None


def _put(run: _Run, item: Item, state: str, token: str, until: float, body: str | None, hints: str, now: float) -> bool:
    """Insert the event, or replace what has expired. False if another process came first."""
    run(_PUT, item.event_id, item.document, item.position, state, token, until, body, hints, now)
    return bool(run(_GET, item.event_id).fetchone()[1] == token)


class SqliteStore(SqlStore):
    """Remembers events in a SQLite file, for any number of processes of one machine. The file is made if need be.

    A process that is forked off, as by servers that load the application first, opens the file again.
    """

    def __init__(self, path: str | Path, *, timeout_s: float = 3.0) -> None:
        super().__init__(self._locked, paramstyle="qmark")
        self._path = path
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        _stores.add(self)
        self.create_tables()

    def _opened(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=self._timeout_s, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    @contextmanager
    def _locked(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            if self._connection is None:
                self._connection = self._opened()
            # Who only reads at first and wants to write later may find that another has written meanwhile.
            self._connection.execute("BEGIN IMMEDIATE")
            yield self._connection

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()

    def _leave_to_parent(self) -> None:
        """In a process that was just forked off: let go of the parent's connection, which must neither be used here nor
        closed, and of the lock, which a thread of the parent may have held."""
        if self._connection is not None:
            _of_parents.append(self._connection)
        self._connection, self._lock = None, threading.Lock()


def _leave_all_to_parent() -> None:
    for store in _stores:
        store._leave_to_parent()


_stores: weakref.WeakSet[SqliteStore] = weakref.WeakSet()
_of_parents: list[sqlite3.Connection] = []
if hasattr(os, "register_at_fork"):  # not on Windows, where nothing is forked off
    # Before any thread of the new process runs. A look at the process's id at each call would come too late for a
    # second thread that calls while the first one opens the file.
    os.register_at_fork(after_in_child=_leave_all_to_parent)
