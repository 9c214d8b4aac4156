"""The last attempts that two subscriptions made of the same events, newest first."""

from typing import NamedTuple

from signalpost.domain.event import EVERY_TYPE
from signalpost.domain.subscription import Subscription
from signalpost.store.nouns.deliveries import AttemptRow
from signalpost.store.walks.delivery_queries import DeliveryQueries
from signalpost.store.walks.recorded_lane import asked_for


class AttemptPairs(NamedTuple):
    """A part of the log, as two subscriptions sent it."""

    pairs: list[tuple[AttemptRow, AttemptRow]]
    """The last attempts of each event of which both made one."""
    reached: int | None
    """The lowest sequence that was looked at; None if the log has nothing more below it that both want."""


async def pairs(
    queries: DeliveryQueries, one: Subscription, other: Subscription, below: int, limit: int
) -> AttemptPairs:
    """The attempts of two subscriptions of a tenant in the `limit` events below a sequence."""
    tenant_id, low = one.tenant_id, max(one.starts_after, other.starts_after) + 1
    events = await queries.types_between(tenant_id, low, below - 1, EVERY_TYPE, limit)
    both = [each for each, kind in events if asked_for(one, each, kind) and asked_for(other, each, kind)]
    attempts = await queries.last_attempts(tenant_id, [(each.number, at) for at in both for each in (one, other)])
    found = [
        (attempts[one.number, at], attempts[other.number, at])
        for at in both
        if (one.number, at) in attempts and (other.number, at) in attempts
    ]
    return AttemptPairs(found, events[-1][0] if len(events) == limit else None)
