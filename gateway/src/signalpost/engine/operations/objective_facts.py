"""Which subscriptions use up their error budget too fast, as the statistics tell.

One node asks for all, since every node adds to the same sums. It asks closely only about those that missed their
objective in the last minutes.
"""

from collections.abc import Callable, Iterator
from typing import Final

from signalpost.domain.objective import Objective, Tally, is_burning
from signalpost.domain.operations.conditions import ConditionRow, Fact
from signalpost.domain.stats import last_minutes
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import MINUTE
from signalpost.engine.directory import Directory
from signalpost.store.nouns.stats import StatsStore

ASKED_EVERY: Final = MINUTE
LAST_MINUTES: Final = 6
"""Whenever one looks, five whole minutes are in as many."""


class ObjectiveFacts:
    kinds: Final = frozenset({"objectiveBurning"})

    def __init__(self, stats: StatsStore, directory: Directory, is_first: Callable[[], bool]) -> None:
        """`is_first` says whether this node tells what is no node's own."""
        self._stats = stats
        self._directory = directory
        self._is_first = is_first
        self._tallies: dict[int, tuple[Tally, Tally]] = {}
        """The last hour, and its last minutes, of each subscription that missed its objective lately."""
        self._asked_at = 0

    def sees(self, condition: ConditionRow) -> bool:
        return self._is_first()

    async def facts(self, now: int) -> list[Fact]:
        if not self._is_first():
            return []
        if abs(now - self._asked_at) >= ASKED_EVERY:  # the clock may have been set back
            self._tallies, self._asked_at = await self._ask(now), now
        return [*self._burning(now)]

    async def _ask(self, now: int) -> dict[int, tuple[Tally, Tally]]:
        recent, found = last_minutes(LAST_MINUTES, now), {}
        for tenant_id, numbers in (await self._stats.late_since(recent[0])).items():
            of_hour = await self._stats.tallies(tenant_id, numbers, last_minutes(60, now))
            of_minutes = await self._stats.tallies(tenant_id, numbers, recent)
            found.update({each: (of_hour[each], tally) for each, tally in of_minutes.items() if each in of_hour})
        return found

    def _burning(self, now: int) -> Iterator[Fact]:
        for number, (of_hour, of_minutes) in self._tallies.items():
            subscription = self._directory.subscription_with(number)
            if subscription is None or subscription.status != "active":
                continue
            objective = subscription.objective
            if objective is not None and is_burning(objective, of_hour, of_minutes):
                yield _fact(subscription, objective, of_hour, now)


def _fact(subscription: Subscription, objective: Objective, of_hour: Tally, now: int) -> Fact:
    return Fact(
        kind="objectiveBurning",
        tenant_id=subscription.tenant_id,
        subject=subscription.id,
        name=subscription.name,
        since=now,
        detail=f"In the last hour, {of_hour.late:,} of {of_hour.ended:,} did not arrive within {objective.within:,} s; "
        f"{objective.share * 100:.5g} % are promised.",
    )
