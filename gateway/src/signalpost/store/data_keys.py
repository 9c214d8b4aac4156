"""The keys that seal and sign, as they are kept; `vault.py` says what they are for."""

from collections.abc import Set as AbstractSet
from typing import Protocol

from signalpost.domain.signing_key import SigningKey


class DataKeyStore(Protocol):
    """Data keys as they are kept, and the vault that uses them."""

    async def signing(self, purpose: str) -> list[SigningKey]:
        """Every key that signs or signed for a purpose, the one that signs now first."""
        ...

    async def provide(self, tenant_ids: AbstractSet[int]) -> None:
        """See that there is a data key to seal with for each of these tenants, unless it was deleted."""
        ...

    async def forget(self, tenant_id: int) -> None:
        """Destroy the data keys of a tenant: whatever was sealed for it can never be opened again."""
        ...
