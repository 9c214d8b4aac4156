"""How much of the event loop's time a tenant's requests that change nothing may take: a tenth, while others want it.

Each of them is short, but a few clients that ask again as soon as they are answered keep the loop busy in every round,
and another tenant's change passes through several rounds. So what each request took is measured, and the tenant's next
one waits for nine times as long. A tenant that no one else calls beside never waits, and neither do changes that are
made: they have queues and limits of their own. A refusal of one waits for what reading its body took, and for what
the rest of a refusal usually takes.
"""

import asyncio
from collections.abc import Hashable
from typing import Final

from msgspec import Struct

from signalpost.domain.timestamps import SECOND
from signalpost.runtime.clock import Clock
from signalpost.sharing.shares import Caller

RESTS: Final = 9
"""How many times as long as a request took its tenant's next one waits."""
LISTENING: Final = 0.00015
"""How many seconds of the loop's time the listener takes to read a request and write its answer, which is not measured:
more than what answers that are kept take."""
REFUSAL: Final = 0.00035
"""How many seconds more a refused change counts for, beside what reading its body took: what parsing, refusing and
logging it take, and the search for what is wrong with it, which takes the interpreter from the loop."""
AT_ONCE: Final = 10_000
"""How many µs a tenant's requests may be ahead of their time, so that a few that come together do not wait."""
MOST: Final = SECOND // 10
"""How much of the loop's time a request counts for at most (µs): what streams may have done so for hours."""
BESIDE: Final = SECOND
"""For how long after calls of two tenants neither counts as alone (µs)."""


class _Share(Struct):
    free_at: int = 0
    """When all requests so far have had their time, steady µs."""
    expected: int = 0
    """The time that a request is given before it is known what it takes: that of the last one (µs)."""


class LoopShares:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._of: dict[Hashable, _Share] = {}
        self._last_caller: int | None = None
        self._met_at = -BESIDE
        """When a call of one tenant last followed one of another."""

    def note_call(self, tenant_id: int) -> None:
        """A tenant calls, or a caller in it, whatever they ask for."""
        if tenant_id != self._last_caller:
            if self._last_caller is not None:
                self._met_at = self._clock.steady()
            self._last_caller = tenant_id

    async def turn(self, group: Hashable) -> None:
        """Wait until a request of this group of callers may take some of the loop's time."""
        if (wait := self.begin(group)) > 0:
            await asyncio.sleep(wait / SECOND)

    async def pay(self, caller: Caller, seconds: float) -> None:
        """Wait until something that took so much of the loop's time may be answered."""
        self.note_call(caller.tenant_id)
        await self.turn(caller.group)
        self.end(caller.group, seconds)

    @property
    def is_shared(self) -> bool:
        """Whether several tenants call."""
        return self._clock.steady() - self._met_at < BESIDE

    def begin(self, group: Hashable) -> int:
        """In how many µs one more request of this group may take some of the loop's time; it counts from now on."""
        if not self.is_shared:
            self._of.clear()
            return 0
        now = self._clock.steady()
        share = self._of.setdefault(group, _Share())
        wait = share.free_at - AT_ONCE - now
        share.free_at = max(share.free_at, now) + share.expected
        return max(0, wait)

    def end(self, group: Hashable, seconds: float) -> None:
        """A request took so much of the loop's time."""
        if (share := self._of.get(group)) is not None:
            time = (1 + RESTS) * min(int((LISTENING + seconds) * SECOND), MOST)
            share.free_at += time - share.expected
            share.expected = time
