"""Who uses the gateway: tenants, API keys, members and those who have a portal link."""

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from signalpost.domain.access.api_key import ApiKey
from signalpost.domain.access.member import Member
from signalpost.domain.access.portal_link import PortalLink
from signalpost.domain.access.tenant import Tenant
from signalpost.domain.access.tenant_limits import TenantUse
from signalpost.store.statements import EVERY_TENANT, RowReader, RowWriter, Statement
from signalpost.store.tables.api_keys import API_KEY
from signalpost.store.tables.members import MEMBER
from signalpost.store.tables.portal_links import PORTAL_LINK
from signalpost.store.tables.table import Codec
from signalpost.store.tables.tenants import (
    TENANT_COLUMNS,
    USE_COLUMNS,
    unpack_tenant,
    unpack_use,
)

T = TypeVar("T")
_KEYS: Final = f"SELECT {API_KEY.listed} FROM api_key WHERE"
_MEMBERS: Final = f"SELECT {MEMBER.listed} FROM member WHERE"
_PORTAL_LINKS: Final = f"SELECT {PORTAL_LINK.listed} FROM portal_link WHERE"
_NOTE_USE: Final = "UPDATE api_key SET last_used_at = $1 WHERE number = $2 AND coalesce(last_used_at, 0) < $1"


class AccessStore:
    """Tenants, API keys, members and portal links as they are kept. Commands change them."""

    def __init__(self, reads: RowReader, writes: RowWriter) -> None:
        self._reads = reads
        self._writes = writes
        self._codec = Codec(str, reads.unpack_id)

    async def tenants(self) -> list[Tenant]:
        """Every tenant, with the last event of its log."""
        found = await self._reads.rows(
            EVERY_TENANT, f"SELECT {TENANT_COLUMNS} FROM tenant WHERE deleted_at IS NULL ORDER BY id"
        )
        return [unpack_tenant(columns) for columns in found]

    async def use(self, tenant_id: int) -> TenantUse:
        """How much a tenant has of what can be limited. It is kept with the tenant: nothing is counted."""
        [found] = await self._reads.rows(tenant_id, f"SELECT {USE_COLUMNS} FROM tenant WHERE id = $1", tenant_id)
        return unpack_use(found)

    # --- API keys -----------------------------------------------------------------------------------------------------

    async def keys(self) -> list[ApiKey]:
        """Every API key that is not revoked."""
        return await self._keys("revoked_at IS NULL")

    async def revoked_keys(self) -> list[ApiKey]:
        """All API keys that were revoked, so that who still uses one can be told."""
        return await self._keys("revoked_at IS NOT NULL")

    async def _keys(self, condition: str, *values: int | None) -> list[ApiKey]:
        found = await self._reads.rows(EVERY_TENANT, f"{_KEYS} {condition}", *values)
        return [API_KEY.unpack(columns, self._codec) for columns in found]

    async def note_uses(self, uses: Mapping[int, int]) -> None:
        """Keep when API keys, by their numbers, were last used."""
        if uses:
            # In the order of their numbers, so that no two nodes wait for each other.
            noted = [Statement(_NOTE_USE, (at, number)) for number, at in sorted(uses.items())]
            await self._writes.all(EVERY_TENANT, noted)

    # --- Members ------------------------------------------------------------------------------------------------------

    async def member(self, member_id: str) -> Member | None:
        """The member with this id, also one who was removed."""
        return _only(await self._members("id = $1::uuid", member_id))

    async def member_with(self, email: str) -> Member | None:
        """The member with this e-mail address, in lower case, who is not removed."""
        return _only(await self._members("email = $1 AND removed_at IS NULL", email))

    async def member_invited(self, invitation: bytes) -> Member | None:
        """The member with an invitation of this hash, which may have expired."""
        return _only(await self._members("invitation = $1", invitation))

    async def _members(self, condition: str, *values: Any) -> list[Member]:
        found = await self._reads.rows(EVERY_TENANT, f"{_MEMBERS} {condition}", *values)
        return [MEMBER.unpack(columns, self._codec) for columns in found]

    # --- Portal links -------------------------------------------------------------------------------------------------

    async def portal_link(self, link_id: str) -> PortalLink | None:
        """The portal link with this id, also one that has ended."""
        return _only(await self._portal_links("id = $1::uuid", link_id))

    async def portal_link_with(self, digest: bytes) -> PortalLink | None:
        """The portal link of which the token has this hash, also one that has ended."""
        return _only(await self._portal_links("hash = $1", digest))

    async def _portal_links(self, condition: str, *values: Any) -> list[PortalLink]:
        found = await self._reads.rows(EVERY_TENANT, f"{_PORTAL_LINKS} {condition}", *values)
        return [PORTAL_LINK.unpack(columns, self._codec) for columns in found]


def _only(found: list[T]) -> T | None:
    return found[0] if found else None
