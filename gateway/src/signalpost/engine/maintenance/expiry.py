"""Expires signature requests once their deadline has passed.

The store lists what will expire, in the order of time, and is read a batch at a time. Each expiry is a command like any
other and is decided when its turn comes, so a signature that was committed before it wins. The only state here is when
to look again: at the next expiry, at a nearer one that a commit brings, or soon, if the store could not be written.
So it makes no difference whether a gateway ran when the deadline passed.

Every node of a fleet looks, so that a deadline is met of which only the node that committed it knows yet. What is due
is a job: the node that gets it expires everything, and gives it up right after.

An expiry cannot be undone, so it waits until the time has really passed: setting the wall clock ahead while the process
runs expires nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from signalpost.commands.workflow import ExpireSignatureRequest
from signalpost.domain.errors import NotFound, SignalpostError
from signalpost.domain.timestamps import SECOND
from signalpost.engine.maintenance.jobs import Jobs
from signalpost.runtime.clock import Clock, passed
from signalpost.runtime.logger import log
from signalpost.store.nouns.documents import Expiry
from signalpost.store.store import Store

BATCH = 250
"""How many expire together: few enough that other changes of the tenant wait for at most one commit more."""
LOOK_EVERY = 30.0
"""Maximum seconds between two looks, because the clock may be set."""
AGAIN_AFTER = 2.0
"""Seconds to wait after the store could not be written, and while another node expires what is due."""
JOB = "expiries"


class Expiries:
    def __init__(
        self,
        store: Store,
        clock: Clock,
        enqueue: Callable[[ExpireSignatureRequest], Awaitable[asyncio.Future[Any]]],
    ) -> None:
        """`enqueue` waits for a place in the queue instead of being refused."""
        self._store = store
        self._jobs = Jobs(store.fleet)
        self._clock = clock
        self._enqueue = enqueue
        self._next: int | None = None
        """When something expires next; None if that is not known."""
        self._sooner = asyncio.Event()
        self._failing = False

    def note(self, at: int) -> None:
        """Note that something was committed that expires at this time."""
        if self._next is None or at < self._next:
            self._next = at
            self._sooner.set()

    async def run(self) -> None:
        while True:
            self._next = None
            self._sooner.clear()
            seconds = await self._pass()
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._sooner.wait()

    async def _pass(self) -> float:
        """Expire everything whose deadline has passed. Returns the seconds until the next look."""
        try:
            upcoming = await self._expire_due()
        except SignalpostError as error:
            if not self._failing:
                log.warning("signature requests cannot expire now; trying again", error=str(error))
            self._failing = True
            return AGAIN_AFTER
        except Exception:
            log.exception("signature requests cannot expire now; trying again")
            return AGAIN_AFTER
        self._failing = False
        if upcoming is None:
            return LOOK_EVERY
        if self._next is None:
            self._next = upcoming
        # A loop's timers may be a millisecond early.
        return min(LOOK_EVERY, max(0.0, (upcoming - passed(self._clock)) / SECOND) + 0.001)

    async def _expire_due(self) -> int | None:
        """Expire what is due, if no other node does. Returns when to look next; None if nothing is known that will
        expire. Raises Unavailable."""
        upcoming = await self._store.documents.expiring(None, 1)
        if not upcoming:
            return None
        if upcoming[0].at > passed(self._clock):
            return upcoming[0].at
        if not await self._jobs.take(JOB):
            return passed(self._clock) + round(AGAIN_AFTER * SECOND)
        try:
            return await self._expire_all_due()
        finally:
            await self._jobs.give_up(JOB)

    async def _expire_all_due(self) -> int | None:
        """Expire what is due. Returns when the next one expires; None if there is none. Raises Unavailable."""
        last: Expiry | None = None
        while True:
            found = await self._store.documents.expiring(last, BATCH)
            now = passed(self._clock)
            due = [expiry for expiry in found if expiry.at <= now]
            results = await asyncio.gather(*(self._expire(each, now) for each in due), return_exceptions=True)
            self._raise_or_log(results)
            if len(due) < len(found):
                return found[len(due)].at
            if len(found) < BATCH:
                return None
            last = found[-1]

    async def _expire(self, expiry: Expiry, now: int) -> None:
        command = ExpireSignatureRequest(tenant_id=expiry.tenant_id, document_id=expiry.document_id, as_of=now)
        with suppress(NotFound):  # its tenant was deleted, and the document is about to be erased
            await (await self._enqueue(command))

    def _raise_or_log(self, results: list[BaseException | None]) -> None:
        for error in results:
            if isinstance(error, SignalpostError):
                raise error
            if error is not None:
                # The others still expire: one that always fails must not block them for ever.
                log.exception("a signature request cannot expire", error)
