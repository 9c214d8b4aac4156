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

    async def run(self) -> None:
        while not self._jobs.is_alone:
            await make_pass(self.pass_once, "partitions of the coming days could not be made; trying again later")
            await asyncio.sleep(EVERY)

    async def pass_once(self) -> None:
        """Make what is lacking, unless another node sees to it. Raises Unavailable."""
        if await self._jobs.take("preparation") and not await self._store.retention.prepare(self._clock.wall(), DAYS):
            log.error(
                "partitions for the coming days are missing, and this user may not create them: run `signalpost db "
                "partitions`"
                " every day as the user that owns the tables",
                days=DAYS,
            )
