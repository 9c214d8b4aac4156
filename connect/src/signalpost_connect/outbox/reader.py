"""Reads the outbox of a database.

What is in the table is what is to be done: an applied row is deleted, and a dead one is moved beside it, in one
transaction. There is no cursor, so a transaction that commits late is never passed over. No transaction is open and no
row is locked while the gateway answers.

One reader at a time works for a tenant, by a lock of its connection; others wait until it is gone. Two would do the
same work twice, and no harm: each reads from the oldest row on, so that no state of a document is passed over.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import ClassVar, Final

from msgspec import Struct

from signalpost_connect.config import Secret
from signalpost_connect.outbox.database import BATCH_BYTES, Database, Row
from signalpost_connect.source import Batch, Message, Outcome, SourceAway, Verdict

__all__ = ["BATCH_BYTES", "Outbox", "OutboxConfig"]

POLL_SECONDS: Final = 0.1
LOCK_POLL_SECONDS: Final = 1.0


class OutboxConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Which database, and which tenant's rows."""

    database: Secret
    """Refers to a connection URL: `postgresql://signalpost_connect:…@host/database`, or `mysql://…`."""
    tenant: str = "default"
    """The rows that are read: those with this `tenant`."""


class Outbox:
    """The rows of one tenant."""

    api: ClassVar[int] = 1
    config: ClassVar[type[Struct]] = OutboxConfig
    reads_ahead: ClassVar[bool] = True

    def __init__(self, config: OutboxConfig) -> None:
        try:
            self._database = database_at(config.database.read(), config.tenant)
        except ValueError as error:
            raise ValueError(f"database: {error}") from None
        self._has_lock = False
        self._taken: set[int] = set()
        """The ids of rows that were taken and not settled."""

    async def take(self, most: int, seconds: float) -> Batch:
        """The oldest rows. A list of what was taken, and no highest id: a transaction may commit a lower one late."""
        left = seconds
        while True:
            async with self._locked() as has_lock:
                rows = await self._database.oldest(most, self._taken) if has_lock else []
            if rows:
                self._taken.update(row.id for row in rows)
                return Batch([message_of(row) for row in rows], max(0.0, rows[0].seconds))
            if left <= 0:
                return Batch([])
            pause = min(left, POLL_SECONDS if has_lock else LOCK_POLL_SECONDS)
            left -= pause
            await asyncio.sleep(pause)

    async def settle(self, batch: Batch, verdicts: Sequence[Verdict]) -> None:
        """Delete what is done, and move what is dead."""
        done, problems = list[int](), dict[int, str]()
        for message, verdict in zip(batch.messages, verdicts, strict=True):
            if verdict.outcome is Outcome.DEAD:
                problems[int(message.id)] = verdict.problem.replace("\0", "\N{REPLACEMENT CHARACTER}")
            elif verdict.outcome is not Outcome.AGAIN:
                done.append(int(message.id))
        async with self._locked() as has_lock:
            if not has_lock:
                raise SourceAway("Another reader has taken over. What was read comes again there.")
            await self._database.settle(done, problems)
        self._taken.difference_update(int(message.id) for message in batch.messages)

    async def dead(self) -> int | None:
        """How many rows are in the table of dead ones; None while another reader works."""
        async with self._locked() as has_lock:
            return await self._database.count_dead() if has_lock else None

    async def close(self) -> None:
        """Close the connection, and with it the lock."""
        self._has_lock = False
        self._taken.clear()
        await self._database.close()

    @asynccontextmanager
    async def _locked(self) -> AsyncGenerator[bool]:
        """Whether this reader has the lock. It connects if need be; after a failure it is closed."""
        try:
            if not self._has_lock:
                self._has_lock = await self._database.connect()
                if not self._has_lock:
                    await self.close()
            yield self._has_lock
        except BaseException:
            await self.close()
            raise


def database_at(url: str, tenant: str) -> Database:
    """The tables at a URL. Each database has its driver, which is loaded only for it. Raises ValueError."""
    is_mysql = url.startswith(("mysql://", "mariadb://"))
    try:
        if is_mysql:
            from signalpost_connect.outbox.mysql import MySqlOutbox

            return MySqlOutbox(url, tenant)
        from signalpost_connect.outbox.postgres import PostgresOutbox

        return PostgresOutbox(url, tenant)
    except ImportError as error:
        extra = "mysql" if is_mysql else "outbox"
        raise ValueError(
            f'it needs what is not installed ({error.name}): pip install "signalpost-connect[{extra}]".'
        ) from None


def message_of(row: Row) -> Message:
    """The message that a row is: its snapshot, with the document's id in it."""
    own = f'"externalId":{json.dumps(row.document)}'
    snapshot = row.snapshot and row.snapshot.strip()  # MariaDB keeps JSON as it was written
    if snapshot is None:
        body = f'{{{own},"deleted":true}}'
    elif snapshot.startswith("{"):
        members = snapshot[1:-1].strip()
        body = f"{{{members}{', ' if members else ''}{own}}}"
    else:
        body = snapshot  # no object, which is said of it where lines are made
    headers = {"traceparent": row.traceparent} if row.traceparent else {}
    return Message(str(row.id), body.encode(), row.version, headers)
