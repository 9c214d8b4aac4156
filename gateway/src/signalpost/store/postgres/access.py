"""Tenants, API keys, members and portal links."""

from collections.abc import Mapping
from typing import Final

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
from signalpost.store.postgres.columns import numbers
from signalpost.store.postgres.sessions import EVERY_TENANT, ReadSessions, Writers

_TENANTS: Final = f"SELECT {TENANT_COLUMNS} FROM tenant WHERE deleted_at IS NULL ORDER BY id"
_USE: Final = f"SELECT {USE_COLUMNS} FROM tenant WHERE id = $1"
_VALID_KEYS: Final = f"SELECT {KEY_COLUMNS} FROM api_key WHERE revoked_at IS NULL"
_REVOKED_KEYS: Final = f"SELECT {KEY_COLUMNS} FROM api_key WHERE revoked_at IS NOT NULL"
_KEY_PAGE: Final = f"{_VALID_KEYS} AND number < $1 AND coalesce(tenant_id = $2, true) ORDER BY number DESC LIMIT $3"
_PORTAL_LINKS: Final = f"SELECT {PORTAL_LINK_COLUMNS} FROM portal_link WHERE"
_MEMBER: Final = f"SELECT {MEMBER_COLUMNS} FROM member WHERE id = $1::uuid"
_MEMBER_WITH: Final = f"SELECT {MEMBER_COLUMNS} FROM member WHERE email = $1 AND removed_at IS NULL"
_MEMBER_INVITED: Final = f"SELECT {MEMBER_COLUMNS} FROM member WHERE invitation = $1"
_MEMBER_PAGE: Final = (
    f"SELECT {MEMBER_COLUMNS} FROM member WHERE removed_at IS NULL AND number < $1"
    " AND coalesce(tenant_id = $2, true) ORDER BY number DESC LIMIT $3"
)
_NOTE_USES: Final = (
    "UPDATE api_key k SET last_used_at = u.at FROM unnest($1, $2) AS u (number, at)"
    " WHERE k.number = u.number AND coalesce(k.last_used_at, 0) < u.at"
)


class PostgresAccess:
    def __init__(self, readers: ReadSessions, writers: Writers) -> None:
        self._readers = readers
        self._writers = writers

    async def tenants(self) -> list[Tenant]:
        return [unpack_tenant(columns) for columns in await self._readers.rows(EVERY_TENANT, _TENANTS)]

    async def use(self, tenant_id: int) -> TenantUse:
        [found] = await self._readers.rows(tenant_id, _USE, tenant_id)
        return unpack_use(found)

    async def keys(self) -> list[ApiKey]:
        return [unpack_key(columns, str) for columns in await self._readers.rows(EVERY_TENANT, _VALID_KEYS)]

    async def revoked_keys(self) -> list[ApiKey]:
        return [unpack_key(columns, str) for columns in await self._readers.rows(EVERY_TENANT, _REVOKED_KEYS)]

    async def key_page(self, tenant_id: int | None, below: int | None, limit: int) -> list[ApiKey]:
        bound = below if below is not None else 2**62
        found = await self._readers.rows(EVERY_TENANT, _KEY_PAGE, bound, tenant_id, limit)
        return [unpack_key(columns, str) for columns in found]

    async def member(self, member_id: str) -> Member | None:
        return await self._member(_MEMBER, member_id)

    async def member_with(self, email: str) -> Member | None:
        return await self._member(_MEMBER_WITH, email)

    async def member_invited(self, invitation: bytes) -> Member | None:
        return await self._member(_MEMBER_INVITED, invitation)

    async def member_page(self, tenant_id: int | None, below: int | None, limit: int) -> list[Member]:
        bound = below if below is not None else 2**62
        found = await self._readers.rows(EVERY_TENANT, _MEMBER_PAGE, bound, tenant_id, limit)
        return [unpack_member(columns, str) for columns in found]

    async def _member(self, statement: str, value: str | bytes) -> Member | None:
        found = await self._readers.rows(EVERY_TENANT, statement, value)
        return unpack_member(found[0], str) if found else None

    async def portal_link(self, link_id: str) -> PortalLink | None:
        return next(iter(await self._portal_links("id = $1::uuid", link_id)), None)

    async def portal_link_with(self, digest: bytes) -> PortalLink | None:
        return next(iter(await self._portal_links("hash = $1", digest)), None)

    async def portal_link_page(self, tenant_id: int, below: int | None, limit: int) -> list[PortalLink]:
        condition = "tenant_id = $1 AND number < $2 ORDER BY number DESC LIMIT $3"
        return await self._portal_links(condition, tenant_id, below if below is not None else 2**62, limit)

    async def _portal_links(self, condition: str, *values: str | bytes | int) -> list[PortalLink]:
        found = await self._readers.rows(EVERY_TENANT, f"{_PORTAL_LINKS} {condition}", *values)
        return [unpack_portal_link(columns, str) for columns in found]

    async def note_uses(self, uses: Mapping[int, int]) -> None:
        if uses:
            await self._writers.rows(EVERY_TENANT, _NOTE_USES, numbers(uses), numbers(uses.values()))
