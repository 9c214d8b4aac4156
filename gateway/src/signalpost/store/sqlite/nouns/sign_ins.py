"""How often passwords were tried. One transaction writes at a time, so nothing has to be locked."""

from collections.abc import Callable
from typing import TypeVar

import apsw

from signalpost.domain.access.sign_in_tries import Count, Counts, Try
from signalpost.store.nouns.sign_ins import SignInStore
from signalpost.store.sqlite.connect import rows
from signalpost.store.sqlite.readers import Readers
from signalpost.store.sqlite.writer import Writer, writing

T = TypeVar("T")


class SqliteSignIns(SignInStore):
    def __init__(self, readers: Readers, writer: Writer) -> None:
        super().__init__(readers, writer)
        self._writer = writer

    @writing
    def count_tries(
        self, connection: apsw.Connection, of: Try, now: int, decide: Callable[[Counts], tuple[T, Counts]]
    ) -> T:
        found = rows(connection, "SELECT subject, clear_at, kept_until FROM sign_in_try WHERE subject IN (?, ?, ?)", of)
        said, changed = decide({subject: Count(*count) for subject, *count in found})
        connection.executemany(
            "INSERT OR REPLACE INTO sign_in_try (subject, clear_at, kept_until) VALUES (?, ?, ?)",
            [(subject, *count) for subject, count in changed.items()],
        )
        connection.execute("DELETE FROM sign_in_try WHERE kept_until <= ?", (now,))
        return said
