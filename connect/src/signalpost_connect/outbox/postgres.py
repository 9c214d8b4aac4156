"""The tables of the outbox in PostgreSQL."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from signalpost_connect.outbox.database import BATCH_BYTES, Row
from signalpost_connect.source import SourceAway

_CONNECTION: Final[Mapping[str, Any]] = {
    "application_name": "signalpost-connect",
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}

_IN_ORDER: Final = "SET enable_sort = off"
"""An outbox is empty most of the time. When it fills, the statistics say that it has hardly any rows, and the database
would read and sort all of them for each batch, instead of the first of the index."""
_LOCK: Final = "SELECT pg_try_advisory_lock(hashtextextended('signalpost_outbox ' || %s, 0))"
_OLDEST: Final = """
SELECT id, document_id::text, coalesce(source_version, id), snapshot, traceparent, seconds FROM (
  SELECT *, sum(octet_length(snapshot)) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
  FROM (
    SELECT id, document_id, source_version, snapshot::text, traceparent,
      extract(epoch FROM clock_timestamp() - at)::float8 AS seconds
    FROM signalpost_outbox WHERE tenant = %s AND id <> ALL(%s) ORDER BY id LIMIT %s
  ) AS oldest
) AS measured WHERE coalesce(before, 0) < %s ORDER BY id
"""
_COUNT_DEAD: Final = "SELECT count(*) FROM signalpost_outbox_dead WHERE tenant = %s"
_DONE: Final = "DELETE FROM signalpost_outbox WHERE tenant = %s AND id = ANY(%s)"
_DEAD: Final = """
WITH judged AS (SELECT * FROM unnest(%s::bigint[], %s::text[]) AS judged (id, problem)),
moved AS (DELETE FROM signalpost_outbox WHERE tenant = %s AND id IN (SELECT id FROM judged) RETURNING *)
INSERT INTO signalpost_outbox_dead (tenant, id, document_id, source_version, snapshot, traceparent, at, problem)
SELECT tenant, id, document_id, source_version, snapshot, traceparent, at, judged.problem
FROM moved JOIN judged USING (id)
ON CONFLICT (tenant, id) DO UPDATE SET document_id = excluded.document_id, source_version = excluded.source_version,
  snapshot = excluded.snapshot, traceparent = excluded.traceparent, at = excluded.at, problem = excluded.problem,
  died_at = clock_timestamp()
"""


class PostgresOutbox:
    """The rows of one tenant. The lock is an advisory one of the connection."""

    def __init__(self, url: str, tenant: str) -> None:
        """Raises ValueError if `url` is none."""
        try:
            given: Mapping[str, Any] = conninfo_to_dict(url)
        except psycopg.ProgrammingError:  # it quotes what it was given
            raise ValueError("what it refers to is not a URL of PostgreSQL or MySQL.") from None
        self._conninfo = make_conninfo(**{**_CONNECTION, **given})
        self._tenant = tenant
        self._connected: psycopg.AsyncConnection[Any] | None = None

    async def connect(self) -> bool:
        """Connect, and take the lock."""
        with _explained():
            self._connected = await psycopg.AsyncConnection.connect(self._conninfo, autocommit=True)
            await self._connection.execute(_IN_ORDER)
            cursor = await self._connection.execute(_LOCK, [self._tenant])
            return await cursor.fetchone() == (True,)

    async def oldest(self, most: int, but: Collection[int]) -> Sequence[Row]:
        """The oldest rows."""
        with _explained():
            cursor = await self._connection.execute(_OLDEST, [self._tenant, [*but], most, BATCH_BYTES])
            return [Row(*row) for row in await cursor.fetchall()]

    async def settle(self, done: Sequence[int], problems: Mapping[int, str]) -> None:
        """Delete and move rows."""
        with _explained():
            async with self._connection.transaction():
                await self._connection.execute(_DONE, [self._tenant, list(done)])
                if problems:
                    await self._connection.execute(_DEAD, [[*problems], [*problems.values()], self._tenant])

    async def count_dead(self) -> int:
        """How many rows are dead."""
        with _explained():
            cursor = await self._connection.execute(_COUNT_DEAD, [self._tenant])
            [count] = await cursor.fetchone() or [0]
            return int(count)

    async def close(self) -> None:
        """Close the connection."""
        connection, self._connected = self._connected, None
        if connection is not None:
            with suppress(psycopg.Error):
                await connection.close()

    @property
    def _connection(self) -> psycopg.AsyncConnection[Any]:
        assert self._connected is not None
        return self._connected


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except errors.UndefinedTable as error:
        raise SourceAway(
            "The database has no signalpost_outbox; run what `signalpost-connect outbox sql` prints."
        ) from error
    except psycopg.Error as error:
        said = " ".join(str(error).split())
        raise SourceAway(f"PostgreSQL: {said or type(error).__name__}.") from error
