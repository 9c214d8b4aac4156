"""Who may use the gateway: API keys."""

from typing import Protocol

from signalpost.domain.api_key import ApiKey


class AccessStore(Protocol):
    async def keys(self, below: int | None, limit: int) -> list[ApiKey]:
        """API keys that are not revoked, newest first. The number of the last one is the `below` of the next page."""
        ...
