"""Tenants and API keys."""

from collections.abc import Mapping

import apsw

from signalpost.domain.api_key import ApiKey
from signalpost.domain.tenant import Tenant
from signalpost.domain.tenant_limits import TenantUse
from signalpost.store.packing import KEY_COLUMNS, TENANT_COLUMNS, USE_COLUMNS, unpack_key, unpack_tenant, unpack_use
from signalpost.store.sqlite.codec import unpack_uuid
from signalpost.store.sqlite.connect import rows
from signalpost.store.sqlite.readers import Readers, reading
from signalpost.store.sqlite.writer import Writer, writing

_VALID_KEYS = f"SELECT {KEY_COLUMNS} FROM api_key WHERE revoked_at IS NULL"  # noqa: S608

_REVOKED_KEYS = f"SELECT {KEY_COLUMNS} FROM api_key WHERE revoked_at IS NOT NULL"  # noqa: S608


class SqliteAccess:
    def __init__(self, readers: Readers, writer: Writer) -> None:
        self._readers = readers
        self._writer = writer

    @reading
    def tenants(self, connection: apsw.Connection) -> list[Tenant]:
        found = rows(connection, f"SELECT {TENANT_COLUMNS} FROM tenant WHERE deleted_at IS NULL ORDER BY id")  # noqa: S608
        return [unpack_tenant(columns) for columns in found]

    @reading
    def use(self, connection: apsw.Connection, tenant_id: int) -> TenantUse:
        found = rows(connection, f"SELECT {USE_COLUMNS} FROM tenant WHERE id = ?", (tenant_id,))  # noqa: S608
        return unpack_use(found[0])

    @reading
    def keys(self, connection: apsw.Connection) -> list[ApiKey]:
        return [unpack_key(columns, unpack_uuid) for columns in rows(connection, _VALID_KEYS)]

    @reading
    def revoked_keys(self, connection: apsw.Connection) -> list[ApiKey]:
        return [unpack_key(columns, unpack_uuid) for columns in rows(connection, _REVOKED_KEYS)]

    @reading
    def key_page(
        self, connection: apsw.Connection, tenant_id: int | None, below: int | None, limit: int
    ) -> list[ApiKey]:
        statement = f"{_VALID_KEYS} AND number < ? AND coalesce(? = tenant_id, true) ORDER BY number DESC LIMIT ?"
        found = rows(connection, statement, (below if below is not None else 2**62, tenant_id, limit))
        return [unpack_key(columns, unpack_uuid) for columns in found]

    @writing
    def note_uses(self, connection: apsw.Connection, uses: Mapping[int, int]) -> None:
        connection.executemany(
            "UPDATE api_key SET last_used_at = ? WHERE number = ? AND coalesce(last_used_at, 0) < ?",
            [(at, number, at) for number, at in uses.items()],
        )
