"""Tenants, API keys, members and portal links."""

from collections.abc import Mapping

import apsw

from signalpost.domain.api_key import ApiKey
from signalpost.domain.member import Member
from signalpost.domain.portal_link import PortalLink
from signalpost.domain.tenant import Tenant
from signalpost.domain.tenant_limits import TenantUse
from signalpost.store.packing.access import (
    KEY_COLUMNS,
    MEMBER_COLUMNS,
    TENANT_COLUMNS,
    USE_COLUMNS,
    unpack_key,
    unpack_member,
    unpack_tenant,
    unpack_use,
)
from signalpost.store.packing.portal_links import PORTAL_LINK_COLUMNS, unpack_portal_link
from signalpost.store.sqlite.codec import pack_uuid, unpack_uuid
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

    @reading
    def member(self, connection: apsw.Connection, member_id: str) -> Member | None:
        return _member(connection, "id = ?", pack_uuid(member_id))

    @reading
    def member_with(self, connection: apsw.Connection, email: str) -> Member | None:
        return _member(connection, "email = ? AND removed_at IS NULL", email)

    @reading
    def member_invited(self, connection: apsw.Connection, invitation: bytes) -> Member | None:
        return _member(connection, "invitation = ?", invitation)

    @reading
    def member_page(
        self, connection: apsw.Connection, tenant_id: int | None, below: int | None, limit: int
    ) -> list[Member]:
        statement = (
            f"SELECT {MEMBER_COLUMNS} FROM member WHERE removed_at IS NULL AND number < ?"  # noqa: S608
            " AND coalesce(? = tenant_id, true) ORDER BY number DESC LIMIT ?"
        )
        found = rows(connection, statement, (below if below is not None else 2**62, tenant_id, limit))
        return [unpack_member(columns, unpack_uuid) for columns in found]

    @reading
    def portal_link(self, connection: apsw.Connection, link_id: str) -> PortalLink | None:
        return next(iter(_portal_links(connection, "id = ?", pack_uuid(link_id))), None)

    @reading
    def portal_link_with(self, connection: apsw.Connection, digest: bytes) -> PortalLink | None:
        return next(iter(_portal_links(connection, "hash = ?", digest)), None)

    @reading
    def portal_link_page(
        self, connection: apsw.Connection, tenant_id: int, below: int | None, limit: int
    ) -> list[PortalLink]:
        condition = "tenant_id = ? AND number < ? ORDER BY number DESC LIMIT ?"
        return _portal_links(connection, condition, tenant_id, below if below is not None else 2**62, limit)

    @writing
    def note_uses(self, connection: apsw.Connection, uses: Mapping[int, int]) -> None:
        connection.executemany(
            "UPDATE api_key SET last_used_at = ? WHERE number = ? AND coalesce(last_used_at, 0) < ?",
            [(at, number, at) for number, at in uses.items()],
        )


def _portal_links(connection: apsw.Connection, condition: str, *values: bytes | int) -> list[PortalLink]:
    statement = f"SELECT {PORTAL_LINK_COLUMNS} FROM portal_link WHERE {condition}"  # noqa: S608
    return [unpack_portal_link(columns, unpack_uuid) for columns in rows(connection, statement, values)]


def _member(connection: apsw.Connection, condition: str, value: bytes | str) -> Member | None:
    found = rows(connection, f"SELECT {MEMBER_COLUMNS} FROM member WHERE {condition}", (value,))  # noqa: S608
    return unpack_member(found[0], unpack_uuid) if found else None
