"""What is wrong with subscriptions whose events are read: no reader comes, the retention removes what waits, or the key
of a reader is about to end with the secret.

One node asks for all, once a minute: what is told is measured in hours. What a person paused is left alone, as what the
tenant `operations` has.
"""

from collections.abc import Callable, Iterator
from typing import Final

from signalpost.domain.access.tenant import OPERATIONS_TENANT
from signalpost.domain.delivery.reading import Reading
from signalpost.domain.operations.conditions import ConditionRow, Fact
from signalpost.domain.operations.kinds import Severity
from signalpost.domain.timestamps import DAY, HOUR, MINUTE, SECOND, readable
from signalpost.engine.directory import Directory
from signalpost.engine.lanes.lane_health import LaneView
from signalpost.engine.lanes.lane_views import LaneViews
from signalpost.engine.operations.lane_facts import AGES, WINDOW, about_overlap

LOOK_EVERY: Final = MINUTE
UNREAD_FOR: Final = HOUR
"""For so long events may wait without a reader that asks for them."""


class ReadingFacts:
    kinds: Final = frozenset({"subscriptionUnread", "retentionNear", "eventsLost", "secretOverlapEnding"})

    def __init__(self, directory: Directory, views: LaneViews, is_first: Callable[[], bool]) -> None:
        """`is_first` says whether this node tells what is no node's own."""
        self._directory = directory
        self._views = views
        self._is_first = is_first
        self._told: list[Fact] = []
        self._looked_at = 0

    def sees(self, condition: ConditionRow) -> bool:
        found = self._directory.subscription(condition.tenant_id, condition.subject)
        return self._is_first() and (found is None or found.is_read)

    async def facts(self, now: int) -> list[Fact]:
        if not self._is_first():
            return []
        if abs(now - self._looked_at) >= LOOK_EVERY:
            self._told, self._looked_at = await self._look(now), now
        return [each for each in self._told if self._directory.subscription(each.tenant_id, each.subject) is not None]

    async def _look(self, now: int) -> list[Fact]:
        found: list[Fact] = []
        for tenant in self._directory.tenants():
            read = self._directory.read_subscriptions(tenant.id)
            if read and tenant.id != OPERATIONS_TENANT:
                kept = self._directory.retention_days_of(tenant.id) * DAY
                views = await self._views.dated(await self._views.of_all(read), kept)
                for view in views:
                    found += _of_subscription(view, now)
                    found += _of_waiting(view, kept, now)
        return found


def _of_subscription(view: LaneView, now: int) -> Iterator[Fact]:
    health = view.standing.health
    if health.lost_at is not None and now < health.lost_at + WINDOW:
        yield _fact("eventsLost", view, health.lost_at, f"{health.lost:,} since it was made.")
    if view.status == "active":
        yield from about_overlap(view.subscription, now)


def _of_waiting(view: LaneView, kept: int, now: int) -> Iterator[Fact]:
    waits_since = view.waits_since
    if view.status != "active" or waits_since is None:
        return
    asked = (view.standing.health.reading or Reading()).read_at
    since = max(waits_since + view.subscription.delay * SECOND, asked, view.subscription.created_at)
    if now >= since + UNREAD_FOR:
        told = f"It was last asked at {readable(asked)}." if asked else "It was never asked."
        yield _fact("subscriptionUnread", view, since, f"{told} The oldest was made at {readable(waits_since)}.")
    bad = next((bad for part, bad in AGES if now >= waits_since + part * kept), None)
    if bad is not None:
        told = f"The oldest is kept until {readable(waits_since + kept)}."
        yield _fact("retentionNear", view, waits_since + kept // 2, told, bad)


def _fact(kind: str, view: LaneView, since: int, detail: str, severity: Severity | None = None) -> Fact:
    found = view.subscription
    return Fact(
        kind=kind,
        tenant_id=found.tenant_id,
        subject=found.id,
        name=found.name,
        since=since,
        detail=detail,
        severity=severity,
    )
