"""How often tenants do something that is limited: no more often in any second than they may."""

import asyncio
from collections.abc import Callable, Hashable
from math import ceil

from signalpost.domain.errors import TooMany
from signalpost.domain.timestamps import SECOND
from signalpost.runtime.clock import Clock
from signalpost.sharing.rate_limit import RateLimit


class TenantRates:
    """The holder of a rate is a tenant, or an operator in it. Nothing is kept of a tenant that is not limited."""

    def __init__(self, clock: Clock, code: str, what: str, share_of: Callable[[int], int]) -> None:
        """`code` and `what` (such as "requests") tell a tenant that there were too many. `share_of` is this node's part
        of what may be done in a second at all nodes."""
        self._clock = clock
        self._code = code
        self._what = what
        self._share_of = share_of
        self._of: dict[Hashable, RateLimit] = {}

    def take(self, holder: Hashable, per_second: int) -> None:
        """Count one now. Raises TooMany, and counts nothing, if the holder has had all that it may in this second."""
        wait = self._wait(holder, per_second)
        if wait > 0:
            detail = (
                f"At most {per_second} {self._what} a second are allowed in this tenant. Repeat this one in a moment."
            )
            raise TooMany(self._code, detail, retry_after=ceil(wait / SECOND))

    async def turn(self, holder: Hashable, per_second: int) -> None:
        """Wait until there may be one more, and count it."""
        while (wait := self._wait(holder, per_second)) > 0:
            await asyncio.sleep(wait / SECOND)

    def _wait(self, holder: Hashable, per_second: int) -> int:
        """Counts one and returns 0, or returns in how many µs there may be one."""
        rate = self._of.get(holder)
        if rate is None:
            rate = self._of[holder] = RateLimit()
        now = self._clock.steady()
        wait = rate.earliest(self._share_of(per_second), now) - now
        if wait > 0:
            return wait
        rate.start(now)
        return 0
