"""How many attempts may be in flight, and who may begin one more: slots of the process, of tenants, of endpoints.

    process ─┬─ tenant ─┬─ endpoint
             │          └─ endpoint
             └─ tenant ─── endpoint

An attempt holds a slot of its endpoint, of that one's tenant and of the process. Each has a bound, and one rule shares
what lies under it: *a holder may take another slot only while it holds fewer than `MAX_HELD_PER_FREE_SLOT` times the
free slots*. A holder that is alone gets four fifths; n holders that want all they can get have cap / (n + 1/4) each,
and as much stays free for a newcomer. So the holders need not be counted, and there is always room for one more.
(Switches share their buffers like this: "dynamic thresholds", Choudhury and Hahne, 1998.)

Some hold their slots for long: they hang, drip, or answer after 4.9 s, which is no failure. However many these are,
they have a half, shared by the same rule: in a second tree of the same shape, in which the attempts of slow endpoints
hold slots as well. An endpoint is taken for slow until it answered fast.
"""

from typing import NamedTuple

from msgspec import Struct

MAX_HELD_PER_FREE_SLOT = 4


class Limits(Struct, frozen=True, kw_only=True):
    """The maximum numbers of concurrent attempts."""

    process: int = 512
    """Above some thousand ready sockets an event loop stalls."""
    tenant: int = 512
    endpoint: int = 128


DEFAULTS = Limits()


def share(free: int, mine: int) -> int:
    """How many more a holder of `mine` slots may take, one after the other, while `free` slots are free."""
    return max(0, -((mine - MAX_HELD_PER_FREE_SLOT * free) // (MAX_HELD_PER_FREE_SLOT + 1)))


class Slots:
    __slots__ = ("above", "chain", "held", "most")

    def __init__(self, most: int, above: "Slots | None" = None) -> None:
        self.most = most
        self.above = above
        self.chain: tuple[Slots, ...] = (self, *(above.chain if above is not None else ()))
        """The slots themselves and all above them. An attempt takes a slot of each."""
        self.held = 0

    @property
    def room(self) -> int:
        """How many more may be taken now, within its own bound and the bounds above it."""
        free = self.most - self.held
        if self.above is not None:
            free = min(free, share(self.above.room, self.held))
        return max(0, free)

    def take(self, count: int) -> None:
        """Take slots, whether or not there is room. A negative count gives slots back."""
        for slots in self.chain:
            slots.held += count


class Trees(NamedTuple):
    """The slots of a tenant or of the process: all of them, and those for slow endpoints."""

    every: Slots
    slow: Slots


def process_slots(limits: Limits) -> Trees:
    return Trees(Slots(limits.process), Slots(_half(limits.process)))


def tenant_slots(most: int, process: Trees) -> Trees:
    return Trees(Slots(most, process.every), Slots(_half(most), process.slow))


def bound(trees: Trees, most: int) -> None:
    """A holder that has more begins no attempt until it gave enough back."""
    trees.every.most, trees.slow.most = most, _half(most)


class EndpointSlots:
    __slots__ = ("_every", "_holds", "_slow", "is_slow", "most")

    def __init__(self, limits: Limits, tenant: Trees) -> None:
        self.most = limits.endpoint
        self._every = Slots(limits.endpoint, tenant.every)
        self._slow = Slots(limits.endpoint, tenant.slow)
        self.is_slow = True
        self._holds = self._every.chain + self._slow.chain
        """Where each of its attempts holds a slot."""

    @property
    def held(self) -> int:
        return self._every.held

    @property
    def room(self) -> int:
        return min(self._every.room, self._slow.room) if self.is_slow else self._every.room

    def take(self) -> None:
        for slots in self._holds:
            slots.held += 1

    def give_back(self) -> None:
        for slots in self._holds:
            slots.held -= 1

    def regard(self, *, slow: bool) -> None:
        """Treat the endpoint, and all slots that it holds, as slow or not slow from now on."""
        if slow != self.is_slow:
            self.is_slow = slow
            self._slow.take(self.held if slow else -self.held)
            self._holds = self._every.chain + self._slow.chain if slow else self._every.chain


def _half(most: int) -> int:
    return max(1, most // 2)
