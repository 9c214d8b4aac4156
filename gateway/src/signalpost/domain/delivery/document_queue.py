"""A document with something unsettled in a lane, and which of that goes next (C17).

At most one delivery of it flies; the lowest ready sequence goes first. What waits behind others is a sequence here.
"""

from collections import deque
from heapq import heapify, heappop, heappush

from msgspec import Struct

from signalpost.domain.delivery.delivery import Delivery


class DocumentQueue(Struct, eq=False, gc=False):
    """Lanes have hundreds of thousands of these: what most never need is made when it is needed, and the garbage
    collector, which would stop everything to look at them, need not know of them (nothing here refers back)."""

    id: str
    ready: list[Delivery] = []
    """A heap by sequence: open or due."""
    flying: Delivery | None = None
    listed: bool = False
    """Its lane has it among those that may send."""
    blocked: deque[int] | None = None
    parked: set[int] | None = None
    """Those that wait for their retry and hold later ones back (strict order)."""

    def block(self, sequence: int) -> None:
        if self.blocked is None:
            self.blocked = deque()
        self.blocked.append(sequence)

    def park(self, sequence: int) -> None:
        if self.parked is None:
            self.parked = set()
        self.parked.add(sequence)

    def unpark(self, sequence: int) -> None:
        if self.parked:
            self.parked.discard(sequence)

    def has_room(self, most: int) -> bool:
        """Whether one more may be open, of at most so many."""
        return not self.parked and len(self.ready) + (self.flying is not None) < most

    @property
    def next(self) -> Delivery | None:
        """The lowest that is ready and that nothing holds back. Replays are not held back: where a new event waits for
        an earlier one's retry (strict order), they go before it."""
        lowest = self.ready[0] if self.ready else None
        if lowest is None or lowest.run > 0 or not self.parked or lowest.sequence < min(self.parked):
            return lowest
        return min((delivery for delivery in self.ready if delivery.run > 0), default=None)

    def make_ready(self, delivery: Delivery) -> None:
        heappush(self.ready, delivery)

    def take(self, delivery: Delivery) -> None:
        """Let it fly."""
        if self.ready[0] is delivery:
            heappop(self.ready)
        else:
            self.ready.remove(delivery)
            heapify(self.ready)
        self.flying = delivery

    def take_up_to(self, sequence: int) -> list[Delivery]:
        """Take away what is ready up to a sequence."""
        taken = [delivery for delivery in self.ready if delivery.sequence <= sequence]
        self.ready = [delivery for delivery in self.ready if delivery.sequence > sequence]
        heapify(self.ready)
        return taken

    @property
    def waits_for_replay(self) -> bool:
        """Whether something of it waits behind a delivery that is not in its first run."""
        if not self.ready or self.ready[0].run == 0:
            return False
        return bool(self.blocked) or any(delivery.run == 0 for delivery in self.ready)

    @property
    def is_done(self) -> bool:
        """Whether nothing of it is left here."""
        return not self.ready and self.flying is None and not self.blocked and not self.parked
