"""Partitions: a day of events, attempts or answers each. They are made ahead, and removed as a whole.

A partition is made on its own and then attached, and detached before it is removed: so no one has to wait for those
who write, and they have to wait for no one.
"""

from collections.abc import Iterable, Mapping
from typing import Final, TypeVar

import psycopg

from signalpost.domain.timestamps import SECOND
from signalpost.store.postgres.connect import connect, trip
from signalpost.store.postgres.errors import NOT_ALLOWED, NotOwner, as_told
from signalpost.store.postgres.schema import LOCK
from signalpost.store.postgres.sessions import WRITES_WITHIN, Steps, limits, take
from signalpost.store.statements import EVERY_TENANT, Statement

T = TypeVar("T")
DAY: Final = 24 * 3600 * SECOND
DAYS_AHEAD: Final = 7
"""For how many days to come there should be partitions."""
PARTITIONED: Final = {"event": "at", "attempt": "started_at", "idempotency": "expires_at"}
"""Tables that are partitioned, with the time that decides."""


def day_of(at: int) -> int:
    """The number of the day of a moment (µs), since the epoch."""
    return at // DAY


def name_of(table: str, day: int) -> str:
    """The name of a partition. Days before the epoch have one too."""
    return f"{table}_{day}" if day >= 0 else f"{table}_before_{-day}"


def _make(table: str, day: int) -> list[Statement]:
    name, low, high = name_of(table, day), day * DAY, (day + 1) * DAY
    column = PARTITIONED[table]
    return [
        Statement(
            f"CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING STORAGE,"
            f" CHECK ({column} >= {low} AND {column} < {high}))"
        ),
        Statement(f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ({low}) TO ({high})"),
        Statement(f"ALTER TABLE {name} DROP CONSTRAINT {name}_{column}_check"),
    ]


_AS_OWNER: Final = Statement(
    "SELECT set_config('role', pg_get_userbyid(relowner)::text, true) FROM pg_class WHERE oid = 'event'::regclass"
)
"""The user that runs a node need not own the tables, if it may act as the one that does."""
_EXISTING: Final = Statement(
    "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent"
    " WHERE p.relkind = 'p' AND p.relnamespace = current_schema()::regnamespace"
)


class Partitions:
    """Sees to it that there is a partition for whatever is written."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._known: set[str] = set()

    async def provide(self, times: Mapping[str, Iterable[int]]) -> None:
        """Make the partitions that rows of these times need, by table. Raises Unavailable."""
        lacking = {(table, day) for table, each in times.items() for day in map(day_of, each)}
        if self._still(lacking):
            self._known |= await existing(self._url)  # for which nobody has to own the tables
        if still := self._still(lacking):
            self._known |= await change_tables(self._url, _provide(sorted(still)))

    async def provide_ahead(self, now: int, days: int) -> None:
        """Make the partitions of today and of so many days to come. Raises NotOwner, Unavailable."""
        coming = [now + day * DAY for day in range(days + 1)]
        await self.provide(dict.fromkeys(PARTITIONED, coming))

    def _still(self, lacking: Iterable[tuple[str, int]]) -> set[tuple[str, int]]:
        """The partitions that are not known to be there."""
        return {(table, day) for table, day in lacking if name_of(table, day) not in self._known}

    def forget(self) -> None:
        """Look again which partitions there are: one that was known is missing."""
        self._known.clear()


async def existing(url: str) -> set[str]:
    """The names of the partitions that there are. Raises Unavailable."""
    try:
        async with await connect(url) as connection:
            [found] = await trip(connection, [_EXISTING])
            return {name for (name,) in found}
    except psycopg.Error as error:
        raise as_told(error) from None


async def change_tables(url: str, steps: Steps[T]) -> T:
    """The result of steps that make or remove tables, once they are committed, on a connection of their own. Raises
    NotOwner, Unavailable."""
    begin = [Statement("BEGIN"), limits(EVERY_TENANT, WRITES_WITHIN), LOCK, _AS_OWNER]
    try:
        async with await connect(url) as connection:
            result = await take(connection, begin, steps)
            await trip(connection, [Statement("COMMIT")])
            return result
    except psycopg.Error as error:
        raise NotOwner if error.sqlstate == NOT_ALLOWED else as_told(error) from None


def _provide(wanted: Iterable[tuple[str, int]]) -> Steps[set[str]]:
    """Make those that no node has made, one node at a time."""
    [found] = yield [_EXISTING]
    there = {name for (name,) in found}
    for table, day in wanted:
        if name_of(table, day) not in there:
            yield _make(table, day)
    return there | {name_of(table, day) for table, day in wanted}
