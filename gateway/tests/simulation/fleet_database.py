"""The database of a fleet, seen by an onlooker. It may go back to what a standby had copied of it: an asynchronous
one takes over without what was committed last.

A failover begins another *history*, as a timeline of PostgreSQL is one (`store/postgres/source.py`).
"""

from pathlib import Path
from typing import Any

import apsw
from gateway.tests.world.folder import fresh

from signalpost.store.sqlite.connect import connect


class FleetDatabase:
    def __init__(self, path: Path, tenants: int) -> None:
        """Make a new one at that path."""
        self.path = path
        fresh(tenants).write(path)
        self._connection = connect(path)
        self.is_down = False
        """Whether no process reaches it."""
        self.history = 1

    def rows(self, statement: str, *bindings: Any) -> list[Any]:
        """The rows of a statement that an onlooker carries out."""
        return self._connection.execute(statement, bindings).fetchall()

    def copied(self) -> apsw.Connection:
        """What a standby has copied by now."""
        standby = apsw.Connection(":memory:")
        _copy(self._connection, standby)
        return standby

    def go_back(self, standby: apsw.Connection) -> None:
        """Let a standby take over. No node may have a transaction under way."""
        _copy(standby, self._connection)
        standby.close()
        self.history += 1

    def close(self) -> None:
        """Remove it."""
        self._connection.close()
        for ending in ("", "-wal", "-shm"):
            self.path.with_name(f"{self.path.name}{ending}").unlink(missing_ok=True)


def _copy(source: apsw.Connection, target: apsw.Connection) -> None:
    with target.backup("main", source, "main") as backup:
        backup.step()
