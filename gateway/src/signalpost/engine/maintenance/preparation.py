"""Makes room ahead for what will be written in the coming days, if a database needs that: then no one has to make it
in the middle of a commit, and a user that may not make it is known of days before."""

import asyncio
from typing import Final

from signalpost.engine.maintenance.jobs import Jobs
from signalpost.engine.maintenance.passes import make_pass
from signalpost.runtime.clock import Clock
from signalpost.runtime.logger import log
from signalpost.store.store import Store

EVERY: Final = 3600.0
DAYS: Final = 7


class Preparation:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._jobs = Jobs(store.fleet)
        self.lacks_since: int | None = None
        """Since when partitions are missing that only an operator can make, µs since the epoch; 0 if none are missing;
        None on a node that does not see to it."""

    async def run(self) -> None:
        while not self._jobs.is_alone:
            await make_pass(self.pass_once, "partitions of the coming days could not be made; trying again later")
            await asyncio.sleep(EVERY)

    async def pass_once(self) -> None:
        """Make what is lacking, unless another node sees to it. Raises Unavailable."""
        if not await self._jobs.take("preparation"):
            self.lacks_since = None
            return
        now = self._clock.wall()
        if await self._store.retention.prepare(now, DAYS):
            self.lacks_since = 0
        else:
            self.lacks_since = self.lacks_since or now
            log.error(
                "partitions for the coming days are missing, and this user may not create them: run `signalpost db "
                "partitions`"
                " every day as the user that owns the tables",
                days=DAYS,
            )
