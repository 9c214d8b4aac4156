"""Looks every few milliseconds which tenants and API keys other nodes changed.

What a node remembers of them lets callers in and keeps them out, so it counts only for `TRUSTED_FOR` after the look
that confirmed it was sent. A key that was revoked elsewhere opens nothing here any more by then: either a look has
shown it, or no look has succeeded, and no one is let in.

A caller that needs what is true by now waits for a look that begins after it asked. `look` begins one at once; all who
wait meanwhile share it. A refusal waits for the next one that is due anyway (`next_look`): what was not found may have
been made a moment ago, but callers with wrong keys cost the database nothing.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from math import inf
from typing import Final

from signalpost.domain.errors import SignalpostError, Stopping, Unavailable
from signalpost.domain.timestamps import SECOND
from signalpost.runtime.logger import log
from signalpost.store.nouns.fleet import Changes, FleetStore

TRUSTED_FOR: Final = SECOND // 10
"""How long what a look has shown counts, from when the look was sent, µs."""
SAID_AFTER: Final = 1 * SECOND
"""After how long without a look that succeeded this node says that it is not ready, µs."""
WAITED_FOR: Final = 4.0
"""For how many seconds a caller waits for a look at most, as while this node loads everything again."""
AGAIN_AFTER: Final = 0.25
"""Seconds to wait after a look that failed."""


class Lookout:
    def __init__(self, fleet: FleetStore, now: Callable[[], int], take_up: Callable[[Changes], None]) -> None:
        """`now` is a clock that runs also while the machine sleeps, µs. `take_up` is told what each look has shown."""
        self._fleet = fleet
        self._now = now
        self._take_up = take_up
        self._is_alone = fleet.terms.look_every == inf
        self._begun = 0
        """Rises with every `begin` and `forget`: a look that was under way then shows nothing that counts."""
        self._since = ""
        """Up to where all changes are known."""
        self._knows = asyncio.Event()
        """Set while this node knows where to go on."""
        self._confirmed_at: int | None = None
        """When the last look that succeeded was sent."""
        self._asked = asyncio.Event()
        self._following: asyncio.Future[None] | None = None
        """The end of the next look, for those who wait for it."""
        self._is_closed = False

    @property
    def is_recent(self) -> bool:
        """Whether what this node remembers of tenants and API keys counts."""
        return self._is_alone or self._is_confirmed_within(TRUSTED_FOR)

    @property
    def trouble(self) -> str | None:
        """Why no one is let in, in a sentence for an operator; None if there is no reason."""
        if self._is_alone or self._is_confirmed_within(SAID_AFTER):
            return None
        return "It is not known which API keys were revoked: this node refuses all until it is."

    def _is_confirmed_within(self, most: int) -> bool:
        at = self._confirmed_at
        return at is not None and self._now() - at <= most

    def forget(self) -> None:
        """Know nothing until `begin`: the database is not what it was."""
        self._begun += 1
        self._confirmed_at = None
        self._knows.clear()

    def begin(self, since: str) -> None:
        """Go on from this position, up to which everything is known."""
        self.forget()
        self._since = since
        self._knows.set()
        self._asked.set()

    async def look(self) -> None:
        """Wait for a look that begins from now on, which is at once. Raises Unavailable."""
        self._asked.set()
        await self.next_look()

    async def next_look(self) -> None:
        """Wait for the next look that is due, and begins from now on. Raises Unavailable."""
        if self._is_alone:
            return
        if self._is_closed:
            raise Stopping
        if self._following is None:
            self._following = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(WAITED_FOR):
                await asyncio.shield(self._following)
        except TimeoutError:
            raise _unknown() from None

    async def be_recent(self) -> None:
        """Wait until what this node remembers of tenants and API keys counts. Raises Unavailable."""
        if not self.is_recent:
            await self.look()

    async def run(self) -> None:
        """Look until this is cancelled."""
        try:
            while not self._is_alone:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._fleet.terms.look_every):
                        await self._asked.wait()
                self._asked.clear()
                following, self._following = self._following, None
                error = await self._look()
                _tell(following, error)
                if error is not None:
                    await asyncio.sleep(AGAIN_AFTER)
        finally:
            self._is_closed = True
            _tell(self._following, Stopping())

    async def _look(self) -> SignalpostError | None:
        """Look until it shows what counts. Returns what was in the way."""
        while True:
            await self._knows.wait()
            begun, began_at = self._begun, self._now()
            try:
                changes = await self._fleet.changes(self._since)
                if begun == self._begun:
                    self._take_up(changes)
                    self._since, self._confirmed_at = changes.position, began_at
                    return None
            except Exception as error:
                if begun != self._begun:
                    continue
                if isinstance(error, SignalpostError):
                    return error  # the beats say it
                log.exception("what other nodes changed could not be read; trying again")
                return _unknown()


def _unknown() -> Unavailable:
    return Unavailable("This node does not know what other nodes changed. Repeat the request in a moment.")


def _tell(waiting: asyncio.Future[None] | None, error: SignalpostError | None) -> None:
    """Tell those who wait for a look how it ended."""
    if waiting is None:
        return
    if error is None:
        waiting.set_result(None)
    else:
        waiting.set_exception(error)
        waiting.exception()  # no caller may be waiting any more
