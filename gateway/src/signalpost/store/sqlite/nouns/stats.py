"""Statistics of deliveries in SQLite."""

from typing import Final

import apsw

from signalpost.domain.stats import Rollups
from signalpost.store.nouns.stats import StatsStore, rows_of
from signalpost.store.sqlite.readers import Readers
from signalpost.store.sqlite.tables import inserting
from signalpost.store.sqlite.writer import Writer, writing
from signalpost.store.tables.stats import ADDING_UP, STAT

_ADD: Final = inserting(STAT, ADDING_UP)


class SqliteStats(StatsStore):
    def __init__(self, readers: Readers, writer: Writer) -> None:
        super().__init__(readers, writer)
        self._writer = writer

    @writing
    def add(self, connection: apsw.Connection, rollups: Rollups) -> None:
        connection.executemany(_ADD, rows_of(rollups))
