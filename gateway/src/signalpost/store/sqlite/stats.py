"""Statistics of deliveries. A row is found by when it begins, so that all that is written at one time is in one place,
and what is old goes from the beginning of the table."""

from collections.abc import Mapping, Sequence
from typing import Final

import apsw

from signalpost.domain.stats import COUNTS, STEP_SECONDS, Rollups, Step
from signalpost.store.sqlite.codec import list_numbers
from signalpost.store.sqlite.connect import rows
from signalpost.store.sqlite.readers import Readers, reading
from signalpost.store.sqlite.writer import Writer, writing
from signalpost.store.stats import by_subscription

_KEY: Final = "span, start, tenant_id, subscription_number"
_COLUMNS: Final = tuple(f"count_{position}" for position in range(COUNTS))
_ADD: Final = (
    f"INSERT INTO stat ({_KEY}, {', '.join(_COLUMNS)}) VALUES ({', '.join('?' * (4 + COUNTS))})"  # noqa: S608
    f" ON CONFLICT DO UPDATE SET {', '.join(f'{each} = {each} + excluded.{each}' for each in _COLUMNS)}"
)


class SqliteStats:
    def __init__(self, readers: Readers, writer: Writer) -> None:
        self._readers = readers
        self._writer = writer

    @writing
    def add(self, connection: apsw.Connection, rollups: Rollups) -> None:
        connection.executemany(
            _ADD,
            [
                (STEP_SECONDS[step], start, tenant_id, number, *counts)
                for (step, start, tenant_id, number), counts in sorted(rollups.items())
            ],
        )

    @reading
    def read(
        self, connection: apsw.Connection, tenant_id: int, subscription_number: int, step: Step, starts: Sequence[int]
    ) -> Mapping[int, Sequence[int]]:
        return _read(connection, tenant_id, [subscription_number], step, starts)[subscription_number]

    @reading
    def read_many(
        self,
        connection: apsw.Connection,
        tenant_id: int,
        subscription_numbers: Sequence[int],
        step: Step,
        starts: Sequence[int],
    ) -> Mapping[int, Mapping[int, Sequence[int]]]:
        return _read(connection, tenant_id, subscription_numbers, step, starts)

    @writing
    def prune(self, connection: apsw.Connection, step: Step, before: int, limit: int) -> int:
        connection.execute(
            f"DELETE FROM stat WHERE ({_KEY}) IN"  # noqa: S608
            f" (SELECT {_KEY} FROM stat WHERE span = ? AND start < ? ORDER BY {_KEY} LIMIT ?)",
            (STEP_SECONDS[step], before, limit),
        )
        return connection.changes()


def _read(
    connection: apsw.Connection, tenant_id: int, subscription_numbers: Sequence[int], step: Step, starts: Sequence[int]
) -> Mapping[int, Mapping[int, Sequence[int]]]:
    found = rows(
        connection,
        f"SELECT subscription_number, start, {', '.join(_COLUMNS)} FROM stat WHERE span = ? AND tenant_id = ?"  # noqa: S608
        " AND subscription_number IN (SELECT value FROM json_each(?))"
        " AND start IN (SELECT value FROM json_each(?))",
        (STEP_SECONDS[step], tenant_id, list_numbers(subscription_numbers), list_numbers(starts)),
    )
    return by_subscription(subscription_numbers, found)
