"""Who uses the gateway: tenants, API keys, members and those who have a portal link."""

from collections.abc import Mapping
from typing import Protocol

from signalpost.domain.api_key import ApiKey
from signalpost.domain.member import Member
from signalpost.domain.portal_link import PortalLink
from signalpost.domain.tenant import Tenant
from signalpost.domain.tenant_limits import TenantUse


class AccessStore(Protocol):
    """Tenants, API keys, members and portal links as they are kept. Commands change them."""

    async def tenants(self) -> list[Tenant]:
        """Every tenant, with the last event of its log."""
        ...

    async def use(self, tenant_id: int) -> TenantUse:
        """How much a tenant has of what can be limited. It is kept with the tenant: nothing is counted."""
        ...

    async def keys(self) -> list[ApiKey]:
        """Every API key that is not revoked."""
        ...

    async def revoked_keys(self) -> list[ApiKey]:
        """All API keys that were revoked, so that who still uses one can be told."""
        ...

    async def key_page(self, tenant_id: int | None, below: int | None, limit: int) -> list[ApiKey]:
        """API keys of a tenant, or of all, that are not revoked, newest first. The number of the last one is the
        `below` of the next page."""
        ...

    async def member(self, member_id: str) -> Member | None:
        """The member with this id, also one who was removed."""
        ...

    async def member_with(self, email: str) -> Member | None:
        """The member with this e-mail address, in lower case, who is not removed."""
        ...

    async def member_invited(self, invitation: bytes) -> Member | None:
        """The member with an invitation of this hash, which may have expired."""
        ...

    async def member_page(self, tenant_id: int | None, below: int | None, limit: int) -> list[Member]:
        """Members of a tenant, or of all, who are not removed, newest first. The number of the last one is the `below`
        of the next page."""
        ...

    async def portal_link(self, link_id: str) -> PortalLink | None:
        """The portal link with this id, also one that has ended."""
        ...

    async def portal_link_with(self, digest: bytes) -> PortalLink | None:
        """The portal link of which the token has this hash, also one that has ended."""
        ...

    async def portal_link_page(self, tenant_id: int, below: int | None, limit: int) -> list[PortalLink]:
        """Portal links of a tenant, newest first; those that have ended are removed by the next new ones. The number of
        the last one is the `below` of the next page."""
        ...

    async def note_uses(self, uses: Mapping[int, int]) -> None:
        """Keep when API keys, by their numbers, were last used."""
        ...
