"""A platform that keeps contracts in PostgreSQL, and has the outbox beside them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from signalpost_connect.config import Secret
from signalpost_connect.outbox import statements
from signalpost_connect.outbox.reader import Outbox, OutboxConfig
from signalpost_connect.testing import Change

CONTRACTS = """
CREATE TABLE contracts (
  id uuid PRIMARY KEY, type text NOT NULL DEFAULT 'NDA', title text, status text NOT NULL DEFAULT 'created',
  created_at timestamptz NOT NULL DEFAULT now(),
  owner_email text NOT NULL DEFAULT 'owner@example.com', author_email text NOT NULL DEFAULT 'author@example.com'
)
"""
READERS = "FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'signalpost-connect'"
"""The readers of this database; other tests have others on the same server."""


class Platform:
    """The database, seen by the platform, and as what the connector gets."""

    def __init__(self, url: str, reader_url: str, role: str, folder: Path) -> None:
        self.url = url
        self.database = folder / "database-url"
        self.database.write_text(reader_url)
        self.sql: psycopg.Connection[Any] = psycopg.connect(url, autocommit=True)
        self.sql.execute(CONTRACTS)
        self.sql.execute(statements.tables("public", role, "contracts").encode())

    def source(self, tenant: str = "default") -> Outbox:
        """A reader of the outbox."""
        return Outbox(OutboxConfig(Secret(file=str(self.database)), tenant))

    def put(self, changes: Sequence[Change], tenant: str = "default") -> None:
        """Write rows as a program would that gives versions itself."""
        rows = [
            (tenant, each.document, each.version, None if each.snapshot is None else Jsonb(each.snapshot))
            for each in changes
        ]
        with self.sql.transaction(), self.sql.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO signalpost_outbox (tenant, document_id, source_version, snapshot) VALUES (%s, %s, %s, %s)",
                rows,
            )

    def left(self, tenant: str = "default") -> int:
        """How many rows wait."""
        row = self.sql.execute("SELECT count(*) FROM signalpost_outbox WHERE tenant = %s", [tenant]).fetchone()
        assert row is not None
        return int(row[0])

    def dead(self) -> list[str]:
        """The problems of dead rows, oldest first."""
        return [row[0] for row in self.sql.execute("SELECT problem FROM signalpost_outbox_dead ORDER BY id")]

    def has_readers(self) -> bool:
        """Whether a reader is connected."""
        return self.sql.execute(f"SELECT {READERS}".encode()).fetchone() is not None

    def close(self) -> None:
        self.sql.close()
