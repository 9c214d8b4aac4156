"""Who had a delivery sent now: the audit tells, and deliveries show it as they show who started a replay."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

import msgspec
from msgspec import Struct

from signalpost.api.routing.context import RequestContext
from signalpost.api.routing.queries import MAX_IN_CURSOR
from signalpost.api.routing.shapes.deliveries import RetryAsked
from signalpost.commands.deliveries import RetryDelivery
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import SECOND, parse_timestamp
from signalpost.store.nouns.audit import AuditFilter
from signalpost.store.nouns.deliveries import AttemptRow, ReadDelivery

LOOKED_AT: Final = 100
"""How many of a subscription's newest entries are looked at."""


class _Actor(Struct):
    name: str


class _Change(Struct):
    new: Any = None


class _Entry(Struct):
    """What is needed of an entry's content."""

    action: str
    at: str
    actor: _Actor
    changes: dict[str, _Change]


_decode = msgspec.json.Decoder(_Entry).decode


async def retries_asked(context: RequestContext, found: Subscription, delivery: ReadDelivery) -> list[RetryAsked]:
    """Who asked for an attempt of a delivery by hand, oldest first. Customers are not told: they know no colleagues."""
    if context.portal is not None or not may_be_by_hand(delivery, found.retry_delays):
        return []
    page = await context.services.store.audit.newest(
        context.tenant_id, AuditFilter(object=found.id), 0, MAX_IN_CURSOR, LOOKED_AT
    )
    told = [_decode(entry.content) for entry in reversed(page.entries)]
    return [
        RetryAsked(
            at=each.at,
            by=each.actor.name,
            delivered_meanwhile=was_delivered_meanwhile(delivery.attempts, parse_timestamp(each.at)),
        )
        for each in told
        if each.action == RetryDelivery.audited_as and each.changes["sequence"].new == delivery.view.entry.sequence
    ]


def was_delivered_meanwhile(attempts: Sequence[AttemptRow], at: int) -> bool:
    """Whether an attempt that was under way at a moment succeeded and is the last: what a person asked for then was not
    needed any more."""
    last = attempts[-1] if attempts else None
    return last is not None and last.failure is None and last.started_at <= at <= last.started_at + last.elapsed_us


def may_be_by_hand(delivery: ReadDelivery, delays: Sequence[int]) -> bool:
    """Whether a person may have asked for an attempt, so that the audit is worth a look: one is still to be made, began
    another run, does not count, came before its time, or succeeded, maybe while a person asked for one more."""
    attempts = delivery.attempts
    return (
        delivery.view.retry_asked
        or any(each.failure is None for each in attempts[-1:])
        or any(each.run > 0 or not each.counted for each in attempts)
        or any(_is_early(later, before, delays) for before, later in pairwise(attempts))
    )


def _is_early(later: AttemptRow, before: AttemptRow, delays: Sequence[int]) -> bool:
    delay = delays[before.number - 1] if 0 < before.number <= len(delays) else 0
    return later.started_at < before.started_at + before.elapsed_us + delay * SECOND
