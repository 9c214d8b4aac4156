"""A platform that keeps contracts in MariaDB, and has the outbox beside them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from connect.tests.mariadb import MariaDb
from pymysql.constants import CLIENT

from signalpost_connect.config import Secret
from signalpost_connect.outbox import statements
from signalpost_connect.outbox.reader import Outbox, OutboxConfig
from signalpost_connect.testing import Change

ROLE = "connect_of_tests"
CONTRACTS = """
CREATE TABLE contracts (
  id char(36) CHARACTER SET ascii PRIMARY KEY, type varchar(63) NOT NULL DEFAULT 'NDA', title varchar(1000),
  status varchar(63) NOT NULL DEFAULT 'created', created_at timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  owner_email varchar(254) NOT NULL DEFAULT 'owner@example.com',
  author_email varchar(254) NOT NULL DEFAULT 'author@example.com'
)
"""


class MySqlPlatform:
    """The database, seen by the platform, and as what the connector gets."""

    readers = f"SELECT id FROM information_schema.processlist WHERE user = '{ROLE}'"

    def __init__(self, server: MariaDb, folder: Path) -> None:
        self.server = server
        self.database = folder / "database-url"
        self.database.write_text(f"mysql://{ROLE}:secret@127.0.0.1:{server.port}/platform")
        self._clear(server.connect(autocommit=True))
        self.sql = self.connect(autocommit=True)
        self.run(CONTRACTS)
        self.run(statements.mysql_tables(None, ROLE, "contracts"))
        self.run(f"ALTER USER {ROLE} IDENTIFIED BY 'secret' ACCOUNT UNLOCK")

    def connect(self, **more: Any) -> Any:
        """Another connection of the platform."""
        return self.server.connect("platform", client_flag=CLIENT.MULTI_STATEMENTS, **more)

    def reconnect(self) -> None:
        """Connect anew, after the server was started again."""
        self.sql = self.connect(autocommit=True)

    def run(self, statements_: str, *values: object) -> list[Any]:
        """Run statements, and return the rows of the first one."""
        with self.sql.cursor() as cursor:
            cursor.execute(statements_, values or None)
            rows = list(cursor.fetchall())
            while cursor.nextset():
                pass
            return rows

    def source(self, tenant: str = "default") -> Outbox:
        """A reader of the outbox."""
        return Outbox(OutboxConfig(Secret(file=str(self.database)), tenant))

    def put(self, changes: Sequence[Change], tenant: str = "default") -> None:
        """Write rows as a program would that gives versions itself."""
        rows = [
            (tenant, each.document, each.version, None if each.snapshot is None else json.dumps(each.snapshot))
            for each in changes
        ]
        with self.sql.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO signalpost_outbox (tenant, document_id, source_version, snapshot) VALUES (%s, %s, %s, %s)",
                rows,
            )

    def left(self, tenant: str = "default") -> int:
        """How many rows wait."""
        [[count]] = self.run("SELECT COUNT(*) FROM signalpost_outbox WHERE tenant = %s", tenant)
        return int(count)

    def dead(self) -> list[str]:
        """The problems of dead rows, oldest first."""
        return [row[0] for row in self.run("SELECT problem FROM signalpost_outbox_dead ORDER BY id")]

    def has_readers(self) -> bool:
        """Whether a reader is connected."""
        return bool(self.run(self.readers))

    def close(self) -> None:
        self._clear(self.sql)

    def _clear(self, connection: Any) -> None:
        with connection.cursor() as cursor:
            for statement in (
                "DROP DATABASE IF EXISTS platform",
                "CREATE DATABASE platform CHARACTER SET utf8mb4",
                f"DROP USER IF EXISTS {ROLE}",
                "DELETE FROM mysql.global_priv WHERE User = ''",
                "FLUSH PRIVILEGES",
            ):
                cursor.execute(statement)
        connection.close()
