"""Reads the outbox of a PostgreSQL database.

What is in the table is what is to be done: an applied row is deleted, and a dead one is moved beside it, in one
transaction. There is no cursor, so a transaction that commits late is never passed over. No transaction is open and no
row is locked while the gateway answers.

One reader at a time works for a tenant, by an advisory lock of its connection; others wait until it is gone. Two would
do the same work twice, and no harm: each reads from the oldest row on, so that no state of a document is passed over.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, ClassVar, Final

import psycopg
from msgspec import Struct
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from signalpost_connect.config import Secret
from signalpost_connect.source import Batch, Message, Outcome, SourceAway, Verdict

POLL_SECONDS: Final = 0.1
LOCK_POLL_SECONDS: Final = 1.0
BATCH_BYTES: Final = 8 * 1024 * 1024
"""How large the snapshots of a batch may be together; a larger one comes alone."""
_CONNECTION: Final[Mapping[str, Any]] = {
    "application_name": "signalpost-connect",
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}

_LOCK: Final = "SELECT pg_try_advisory_lock(hashtextextended('signalpost_outbox ' || %s, 0))"
_OLDEST: Final = """
SELECT id, document_id::text, coalesce(source_version, id), snapshot, traceparent, seconds FROM (
  SELECT *, sum(octet_length(snapshot)) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
  FROM (
    SELECT id, document_id, source_version, snapshot::text, traceparent,
      extract(epoch FROM clock_timestamp() - at)::float8 AS seconds
    FROM signalpost_outbox WHERE tenant = %s ORDER BY id LIMIT %s
  ) AS oldest
) AS measured WHERE coalesce(before, 0) < %s ORDER BY id
"""
_COUNT_DEAD: Final = "SELECT count(*) FROM signalpost_outbox_dead WHERE tenant = %s"
_DONE: Final = "DELETE FROM signalpost_outbox WHERE tenant = %s AND id = ANY(%s)"
_DEAD: Final = """
WITH judged AS (SELECT * FROM unnest(%s::bigint[], %s::text[]) AS judged (id, problem)),
moved AS (DELETE FROM signalpost_outbox WHERE tenant = %s AND id IN (SELECT id FROM judged) RETURNING *)
INSERT INTO signalpost_outbox_dead (tenant, id, document_id, source_version, snapshot, traceparent, at, problem)
SELECT tenant, id, document_id, source_version, snapshot, traceparent, at, problem FROM moved JOIN judged USING (id)
ON CONFLICT (tenant, id) DO UPDATE SET document_id = excluded.document_id, source_version = excluded.source_version,
  snapshot = excluded.snapshot, traceparent = excluded.traceparent, at = excluded.at, problem = excluded.problem,
  died_at = clock_timestamp()
"""


class OutboxConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Which database, and which tenant's rows."""

    database: Secret
    """Refers to a connection URL: `postgresql://signalpost_connect:…@host/database`."""
    tenant: str = "default"
    """The rows that are read: those with this `tenant`."""


class Outbox:
    """The rows of one tenant."""

    api: ClassVar[int] = 1
    config: ClassVar[type[Struct]] = OutboxConfig

    def __init__(self, config: OutboxConfig) -> None:
        self._tenant = config.tenant
        try:
            given: Mapping[str, Any] = conninfo_to_dict(config.database.read())
        except psycopg.ProgrammingError:  # it quotes what it was given
            raise ValueError("database: what it refers to is not a URL of PostgreSQL.") from None
        except ValueError as error:
            raise ValueError(f"database: {error}") from None
        self._conninfo = make_conninfo(**{**_CONNECTION, **given})
        self._connection: psycopg.AsyncConnection[Any] | None = None

    async def take(self, most: int, seconds: float) -> Batch:
        """The oldest rows."""
        left = seconds
        while True:
            async with self._used() as connection:
                rows = None if connection is None else await self._oldest(connection, most)
            if rows:
                return Batch([_message(row) for row in rows], max(0.0, rows[0][5]))
            if left <= 0:
                return Batch([])
            pause = min(left, LOCK_POLL_SECONDS if rows is None else POLL_SECONDS)
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
        async with self._used() as connection:
            if connection is None:
                raise SourceAway("Another reader has taken over. What was read comes again there.")
            async with connection.transaction():
                await connection.execute(_DONE, [self._tenant, done])
                if problems:
                    await connection.execute(_DEAD, [[*problems], [*problems.values()], self._tenant])

    async def dead(self) -> int | None:
        """How many rows are in the table of dead ones; None while another reader works."""
        async with self._used() as connection:
            if connection is None:
                return None
            cursor = await connection.execute(_COUNT_DEAD, [self._tenant])
            [count] = await cursor.fetchone() or [0]
            return int(count)

    async def close(self) -> None:
        """Close the connection, and with it the lock."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error):
                await connection.close()

    async def _oldest(self, connection: psycopg.AsyncConnection[Any], most: int) -> list[Any]:
        cursor = await connection.execute(_OLDEST, [self._tenant, most, BATCH_BYTES])
        return await cursor.fetchall()

    @asynccontextmanager
    async def _used(self) -> AsyncGenerator[psycopg.AsyncConnection[Any] | None]:
        """The connection that holds the lock; None if another reader does. After a failure it is closed."""
        try:
            if self._connection is None:
                await self._connect()
            yield self._connection
        except psycopg.Error as error:
            await self.close()
            raise SourceAway(_sentence(error)) from error
        except BaseException:
            await self.close()
            raise

    async def _connect(self) -> None:
        """Connect, and keep the connection if it gets the lock."""
        connection = await psycopg.AsyncConnection.connect(self._conninfo, autocommit=True)
        self._connection = connection
        cursor = await connection.execute(_LOCK, [self._tenant])
        if await cursor.fetchone() != (True,):
            await self.close()


def _message(row: Sequence[Any]) -> Message:
    identity, document, version, snapshot, traceparent, _ = row
    own = f'"externalId":"{document}"'
    if snapshot is None:
        body = f'{{{own},"deleted":true}}'
    elif snapshot.startswith("{"):
        body = f"{{{snapshot[1:-1]}{', ' if len(snapshot) > len('{}') else ''}{own}}}"
    else:
        body = snapshot  # no object, which is said of it where lines are made
    return Message(str(identity), body.encode(), version, {"traceparent": traceparent} if traceparent else {})


def _sentence(error: psycopg.Error) -> str:
    if isinstance(error, errors.UndefinedTable):
        return "The database has no signalpost_outbox; run what `signalpost-connect outbox sql` prints."
    said = " ".join(str(error).split())
    return f"PostgreSQL: {said or type(error).__name__}."
