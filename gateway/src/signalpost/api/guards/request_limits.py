"""How much clients may have of a gateway at a time, and how fast it refuses them."""

from collections.abc import Callable
from typing import Final, Self

from msgspec import Struct

from signalpost.runtime.clock import Clock
from signalpost.sharing.loop_shares import LoopShares
from signalpost.sharing.refusals import REFUSALS_PER_SECOND, STRANGERS_PER_SECOND, Refusals
from signalpost.sharing.shares import Shares
from signalpost.sharing.tenant_rates import TenantRates

MAX_LARGE_ANSWERS: Final = 32
"""How many large answers, some 4 MiB each, may be in memory at a time because clients have not read them yet."""
MAX_VIEWERS: Final = 64
"""How many may watch what changes at a time. Each holds a connection, and has pages made again."""
FOR_VIEWERS: Final = 4
FOR_READERS: Final = 4
FOR_CHANGES: Final = 2
FOR_REFUSALS: Final = 10
"""One of so many connections may be held by viewers, by readers who wait for an event, by changes that wait for their
commit, or by refusals that wait and are not those of changes."""


class RequestLimits(Struct, frozen=True, kw_only=True):
    at_work: Shares
    """The requests that are at work, and the forms that arrive."""
    large_answers: Shares
    """The large answers that are held until their clients have read them."""
    viewers: Shares
    """The streams that tell what changes."""
    readers: Shares
    """The readers of subscriptions who wait for an event."""
    loop: LoopShares
    """The event loop's time for requests that change nothing, shared by tenant."""
    rates: TenantRates
    """Limits the requests per second of tenants that have such a limit."""
    max_waiting: int
    """How many changes may wait for their commit, by queue. It is less than the number of connections, so that clients
    that flood the gateway are refused and others still find a connection."""
    refusals: Refusals
    over_share: Refusals
    """Refuses requests beyond their caller's share of those at work. Few may wait: they hold connections that others
    need."""
    strangers: Refusals
    """Refuses requests of unknown callers: without a key, with a wrong one, or to paths that do not exist."""

    @classmethod
    def of_connections(cls, count: int, clock: Clock, share_of: Callable[[int], int]) -> Self:
        """The limits of a gateway that accepts `count` connections. `share_of` returns this node's part of what a
        tenant may ask for in a second."""
        return cls(
            at_work=Shares(count),
            large_answers=Shares(MAX_LARGE_ANSWERS),
            viewers=Shares(min(MAX_VIEWERS, max(1, count // FOR_VIEWERS))),
            readers=Shares(max(1, count // FOR_READERS)),
            loop=LoopShares(clock),
            rates=TenantRates(clock, "request_rate", "requests", share_of),
            max_waiting=max(1, count // FOR_CHANGES),
            refusals=Refusals(clock, REFUSALS_PER_SECOND, count),
            over_share=Refusals(clock, REFUSALS_PER_SECOND, max(1, count // FOR_REFUSALS)),
            strangers=Refusals(clock, STRANGERS_PER_SECOND, max(1, count // FOR_REFUSALS)),
        )
