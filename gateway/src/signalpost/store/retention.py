"""Removes what is old enough, in batches so small that other writes hardly wait."""

from typing import Final, Protocol

ATTEMPTS_EACH: Final = 20
"""How many attempts take as long to remove as one event does."""


class RetentionStore(Protocol):
    """Removes old rows. Each call is one transaction, so a crash between two of them leaves nothing half removed."""

    async def announce_floor(self, tenant_id: int, floor: int) -> None:
        """Let the owners of lanes know that what is below `floor` is about to be removed; see `TenantMark`."""
        ...

    async def is_awaited(self, tenant_id: int, floor: int) -> bool:
        """Whether a lane of a tenant, as it was last recorded, has something below `floor` that is neither settled nor
        given up."""
        ...

    async def prune_log(self, tenant_id: int, floor: int, limit: int) -> int:
        """Remove at most `limit` events below `floor`, oldest first, with their attempts and exception rows. Where they
        have more than `ATTEMPTS_EACH` times as many attempts that are removed one by one, it is fewer events.

        Returns how many events were removed.
        """
        ...

    async def prune_replays(self, tenant_id: int, kept_since: int, limit: int) -> int:
        """Remove replays of a tenant that ended before `kept_since`, at most `limit` of them. Returns how many."""
        ...

    async def prepare(self, now: int, days: int) -> bool:
        """Make room for what will be written today and in the next `days` days, if the database needs that. Returns
        False if an operator has to do it, because this gateway's database user may not."""
        ...

    async def prune_leftovers(self, now: int, limit: int) -> int:
        """Remove answers to idempotent requests that have expired, secrets in answers that are shown no more, and what
        deleted subscriptions left: at most `limit` rows of each. Returns how many rows were removed or changed."""
        ...
