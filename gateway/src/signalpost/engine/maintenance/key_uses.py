"""When API keys were last used: noted in memory at every request, and kept about once an hour, all in one write.

A crash forgets the uses of the last hour. A key that is in use is then shown as used a little too long ago, never as
used too recently.
"""

import asyncio
from contextlib import suppress

from signalpost.domain.access.api_key import ApiKey
from signalpost.domain.errors import SignalpostError
from signalpost.runtime.clock import Clock
from signalpost.store.store import Store

WRITTEN_EVERY = 3600.0


class KeyUses:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._unwritten: dict[int, int] = {}
        """The last use of each key, by its number, that the store does not have yet."""

    def note(self, key: ApiKey) -> None:
        self._unwritten[key.number] = self._clock.wall()

    def last(self, key: ApiKey) -> int | None:
        """When a key, as the store has it, was last used, in µs; None if it never was."""
        return self._unwritten.get(key.number, key.last_used_at)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(WRITTEN_EVERY)
            await self.write()

    async def write(self) -> None:
        """Have the store keep what was noted. What it cannot take now stays noted."""
        written = dict(self._unwritten)
        if not written:
            return
        with suppress(SignalpostError):
            await self._store.access.note_uses(written)
            for number, at in written.items():
                if self._unwritten[number] == at:
                    del self._unwritten[number]
