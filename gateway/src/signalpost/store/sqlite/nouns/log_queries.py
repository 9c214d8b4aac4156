"""The queries about a log that lists are made of."""

import apsw

from signalpost.store.sqlite.nouns import log
from signalpost.store.sqlite.statements import ask
from signalpost.store.walks.log_queries import ENDS, LogEnds


class SqliteLogQueries:
    """Asks one connection, in its present snapshot. No query waits, so callers can run `at_once`."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    async def ends(self, tenant_id: int) -> LogEnds:
        return LogEnds(*ask(self._connection, ENDS, tenant_id)[0])

    async def sequence_at(self, tenant_id: int, at: int) -> int:
        return log.sequence_at(self._connection, tenant_id, at)
