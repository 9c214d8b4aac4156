"""Where the connections of a node lead to, and which history of the database they have to find there.

A standby that takes over begins another history, and so does a restore. It may lack what was committed before, and give
the same numbers again. Whatever a node does there by what it remembers is wrong: it would claim lanes and send events
of the former history in place of those that have their numbers by now. So a connection to another history is refused
until the node has let go of what it remembers. Its beats go there all the same, which is how it notices. A pooler keeps
the node's connections when the server behind it is replaced, so whatever commits, records or claims looks again in its
transaction.
"""

from threading import Lock
from typing import Final

import psycopg

from signalpost.store.postgres.connect import DatabaseConnection, connect, trip
from signalpost.store.statements import Statement

HISTORY_NOW: Final = (
    "CASE WHEN NOT pg_is_in_recovery() THEN (SELECT system_identifier::text FROM pg_control_system())"
    " || '/' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) END"
)
"""The history is that of one cluster on one timeline. A standby has none until it is promoted."""
HISTORY: Final = Statement(f"SELECT {HISTORY_NOW}")


class DatabaseSource:
    def __init__(self, url: str) -> None:
        self.url = url
        self._history: str | None = None
        self._looking = Lock()
        """Held while a history is compared: what reads makes its connections on another thread."""

    def forget(self) -> None:
        """Accept whatever history the next connection finds: nothing is remembered of the former one."""
        self._history = None

    def accepts(self, history: str | None) -> bool:
        """Whether this is the history that connections have found so far."""
        with self._looking:
            if self._history is None:
                self._history = history
            return history is not None and history == self._history

    def check(self, history: str | None) -> None:
        """Raises psycopg's OperationalError if this is not the history that connections have found so far, and
        ReadOnlySqlTransaction where it is a standby's."""
        if history is None:
            raise psycopg.errors.ReadOnlySqlTransaction("the server is in recovery")
        if not self.accepts(history):
            raise psycopg.OperationalError("the database is not what it was before the connection was lost")

    async def connect(self) -> DatabaseConnection:
        """A new connection. Raises psycopg's OperationalError if there is none to be had, or its history is another
        one, ReadOnlySqlTransaction where the server is a standby, and StartError if the URL or the server's version
        is wrong."""
        connection = await self.connect_anyway()
        try:
            [[(history,)]] = await trip(connection, [HISTORY])
            self.check(history)
        except BaseException:
            await connection.close()
            raise
        return connection

    async def connect_anyway(self) -> DatabaseConnection:
        """A new connection, whatever its history is. Raises as `connect` does."""
        return await connect(self.url)
