"""Connections as they are kept, and what the deliveries that use them made."""

from collections.abc import Sequence
from typing import Protocol

from signalpost.domain.connection import Connection


class ConnectionStore(Protocol):
    """What is kept of connections. Their configs and what was granted are unsealed as they are read."""

    async def live(self) -> list[Connection]:
        """Every connection of every tenant that is not deleted, oldest first. Only for the start."""
        ...

    async def page(self, tenant_id: int, below: int | None, limit: int) -> list[Connection]:
        """A tenant's connections that are not deleted, newest first. The number of the last one is the `below` of the
        next page."""
        ...

    async def made(self, subscription_number: int, document_ids: Sequence[str]) -> dict[str, dict[str, str]]:
        """What the last deliveries of a subscription for some documents said they made, by document. A document for
        which nothing is kept is missing."""
        ...
