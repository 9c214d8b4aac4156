"""Tenants and API keys."""

import apsw

from signalpost.commands.command import Tenant
from signalpost.domain.api_key import ApiKey
from signalpost.store.sqlite.codec import KEY_COLUMNS, unpack_key
from signalpost.store.sqlite.connect import rows
from signalpost.store.sqlite.readers import Readers, reading

_VALID_KEYS = f"SELECT {KEY_COLUMNS} FROM api_key WHERE revoked_at IS NULL"  # noqa: S608


class SqliteAccess:
    def __init__(self, readers: Readers) -> None:
        self._readers = readers

    @reading
    def tenants(self, connection: apsw.Connection) -> list[Tenant]:
        found = rows(connection, "SELECT id, name, last_sequence, last_at FROM tenant ORDER BY id")
        return [Tenant(*columns) for columns in found]

    @reading
    def keys(self, connection: apsw.Connection) -> list[ApiKey]:
        return [unpack_key(columns) for columns in rows(connection, _VALID_KEYS)]

    @reading
    def key_page(self, connection: apsw.Connection, below: int | None, limit: int) -> list[ApiKey]:
        statement = f"{_VALID_KEYS} AND number < ? ORDER BY number DESC LIMIT ?"
        found = rows(connection, statement, (below if below is not None else 2**62, limit))
        return [unpack_key(columns) for columns in found]
