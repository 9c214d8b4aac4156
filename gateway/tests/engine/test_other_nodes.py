"""What lanes of other nodes did is seen in the statistics, once for all who watch."""

import asyncio
from typing import Any, cast

from signalpost.domain.errors import Unavailable
from signalpost.domain.stats import WHOLE_TENANT
from signalpost.domain.timestamps import SECOND
from signalpost.engine.other_nodes import LOOK_EVERY, OtherNodes
from signalpost.engine.revisions import Revisions, Topic
from signalpost.runtime.clock import Clock
from signalpost.store.nouns.stats import StatsStore


class Stats:
    def __init__(self, *counts: dict[int, list[int]]) -> None:
        self.counts = list(counts)

    async def read(self, tenant_id: int, number: int, step: str, starts: Any) -> Any:
        assert (tenant_id, number, step) == (7, WHOLE_TENANT, "minute")
        if not self.counts:
            raise Unavailable("The database does not answer.")
        return self.counts.pop(0)


class Time:
    now = 1_000 * SECOND

    def wall(self) -> int:
        return self.now

    steady = wall


def looked(stats: Stats, *pauses: int) -> list[set[Topic]]:
    """What each look notes that comes so long after the one before."""
    time, revisions = Time(), Revisions("aa")
    others = OtherNodes(cast(StatsStore, stats), cast(Clock, time), revisions)

    async def scenario() -> list[set[Topic]]:
        noted = []
        for pause in pauses:
            time.now += pause
            before = revisions.position
            await others.look(7)
            noted.append(revisions.since(7, before))
        return noted

    return asyncio.run(scenario())


def test_attempts_that_were_counted_since_the_last_look_are_noted() -> None:
    stats = Stats({60: [1]}, {60: [1]}, {60: [2]}, {60: [2], 120: [1]})
    changed = {Topic.DELIVERIES, Topic.REPLAYS}
    assert looked(stats, *[LOOK_EVERY] * 5) == [set(), set(), changed, changed, set()]


def test_several_who_watch_look_once() -> None:
    stats = Stats({60: [1]}, {60: [2]}, {60: [3]})
    assert looked(stats, LOOK_EVERY, 0, LOOK_EVERY - 1) == [set(), set(), set()]
    assert len(stats.counts) == 2
