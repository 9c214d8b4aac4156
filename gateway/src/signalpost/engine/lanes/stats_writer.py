"""Counts attempts by outcome, and adds the counts to the statistics in the store every few seconds.

What the recorder has written is added here; a write that fails is added to the next. A crash loses what was not
written: statistics, and nothing else.
"""

import asyncio
from typing import Final

from signalpost.domain.delivery.delivery import State
from signalpost.domain.errors import SignalpostError
from signalpost.domain.stats import Rollups, add, with_sums
from signalpost.domain.subscription import Subscription
from signalpost.runtime.logger import log
from signalpost.store.nouns.lanes import LaneFlush
from signalpost.store.store import Store

EVERY: Final = 5.0


class StatsWriter:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._minutes: Rollups = {}
        self._shadows: set[int] = set()
        """The numbers of shadows, which are in no sum of their tenants."""
        self._added = asyncio.Event()
        """Whether there is anything to write."""

    def add(self, flush: LaneFlush, subscription: Subscription) -> None:
        """Add the attempts of a subscription's lane that were recorded."""
        if subscription.shadow_of is not None:
            self._shadows.add(subscription.number)
        given_up = [sequence for sequence, row in flush.rows.items() if row is not None and row.state == State.FAILED]
        add(self._minutes, flush.tenant_id, flush.subscription_number, flush.attempts, given_up)
        self._added.set()

    async def run(self) -> None:
        while True:
            await self._added.wait()
            await asyncio.sleep(EVERY)
            await self.write()

    async def write(self) -> None:
        """Write what was added up, if anything was."""
        minutes, self._minutes = self._minutes, {}
        self._added.clear()
        if not minutes:
            return
        try:
            await self._store.stats.add(with_sums(minutes, self._shadows))
        except SignalpostError as error:
            log.warning("statistics could not be written; trying again", error=str(error))
            for key, counts in self._minutes.items():
                before = minutes.get(key)
                minutes[key] = counts if before is None else [*map(int.__add__, before, counts)]
            self._minutes = minutes
            self._added.set()
