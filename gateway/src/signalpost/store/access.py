"""Who uses the gateway: tenants and API keys."""

from collections.abc import Mapping
from typing import Protocol

from signalpost.domain.api_key import ApiKey
from signalpost.domain.tenant import Tenant
from signalpost.domain.tenant_limits import TenantUse


class AccessStore(Protocol):
    """Tenants and API keys as they are kept. Commands change them."""

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

    async def note_uses(self, uses: Mapping[int, int]) -> None:
        """Keep when API keys, by their numbers, were last used."""
        ...
