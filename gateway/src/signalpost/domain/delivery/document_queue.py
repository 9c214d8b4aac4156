"""A document with unsettled deliveries in a lane, and which of them goes next (C17).

At most one delivery of it is in flight; the lowest ready sequence goes first. A delivery that waits behind others is a
sequence here.
"""

from collections import deque
from collections.abc import Set
from heapq import heapify, heappop, heappush

from msgspec import Struct

from signalpost.domain.delivery.delivery import Delivery


class DocumentQueue(Struct, eq=False, gc=False):
    """Lanes have hundreds of thousands of these. So members that most never need are made when they are needed, and the
    garbage collector, which would stop everything to look at them, does not know of them (nothing here refers back)."""

    id: str
    ready: list[Delivery] = []
    """A heap by sequence: those that are open, and those whose retry is due."""
    in_flight: Delivery | None = None
    listed: bool = False
    """Whether it is in its lane's `SendOrder`."""
    blocked: deque[int] | None = None
    holding_back: set[int] | None = None
    """Sequences of deliveries that await their retry and hold later ones back (strict order)."""

    def block(self, sequence: int) -> None:
        if self.blocked is None:
            self.blocked = deque()
        self.blocked.append(sequence)

    def hold_back_behind(self, sequence: int) -> None:
        """Send nothing later before this delivery, which awaits its retry (strict order)."""
        if self.holding_back is None:
            self.holding_back = set()
        self.holding_back.add(sequence)

    def release(self, sequence: int) -> None:
        """Hold nothing back behind this delivery any more."""
        if self.holding_back:
            self.holding_back.discard(sequence)

    def has_room(self, most: int) -> bool:
        """Whether one more may be open, of at most `most`."""
        return not self.holding_back and len(self.ready) + (self.in_flight is not None) < most

    @property
    def next(self) -> Delivery | None:
        """The lowest ready delivery that nothing holds back. A replay is never held back: it goes before a new event
        that waits for an earlier one's retry (strict order)."""
        lowest = self.ready[0] if self.ready else None
        if not self.holding_back or lowest is None or lowest.run > 0 or lowest.sequence < min(self.holding_back):
            return lowest
        return min((delivery for delivery in self.ready if delivery.run > 0), default=None)

    def has_any_ready(self, sequences: Set[int]) -> bool:
        return any(delivery.sequence in sequences for delivery in self.ready)

    def make_ready(self, delivery: Delivery) -> None:
        heappush(self.ready, delivery)

    def take_next(self) -> Delivery:
        """Take away `next`, which must exist: it is in flight from now on."""
        delivery = self.next
        assert delivery is not None
        if self.ready[0] is delivery:
            heappop(self.ready)
        else:
            self.ready.remove(delivery)
            heapify(self.ready)
        self.in_flight = delivery
        return delivery

    def take_up_to(self, sequence: int) -> list[Delivery]:
        """Take away what is ready up to a sequence."""
        taken = [delivery for delivery in self.ready if delivery.sequence <= sequence]
        self.ready = [delivery for delivery in self.ready if delivery.sequence > sequence]
        heapify(self.ready)
        return taken

    @property
    def waits_for_replay(self) -> bool:
        """Whether a delivery of the document waits behind one that is not in its first run."""
        if not self.ready or self.ready[0].run == 0:
            return False
        return bool(self.blocked) or any(delivery.run == 0 for delivery in self.ready)

    @property
    def is_done(self) -> bool:
        """Whether no delivery of the document is left here."""
        return not self.ready and self.in_flight is None and not self.blocked and not self.holding_back
