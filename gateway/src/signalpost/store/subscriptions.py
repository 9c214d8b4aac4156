"""Subscriptions as they are kept."""

from typing import Protocol

from signalpost.domain.subscription import Subscription


class SubscriptionStore(Protocol):
    """Every tenant's subscriptions, with their secrets. Commands change them."""

    async def live(self) -> list[Subscription]:
        """Every subscription of every tenant that is not deleted, oldest first.

        This unseals all their secrets, so it is only for the start.
        """
        ...

    async def page(self, tenant_id: int, below: int | None, limit: int) -> list[Subscription]:
        """A tenant's subscriptions that are not deleted, newest first. The number of the last one is the `below` of the
        next page."""
        ...
