"""Deliveries of a lane that await their retry, whose retry is due, or that are in flight as a retry.

All that are due before the *horizon* are here. Later ones may be only in the store, until a refill loads the next of
them. Without a horizon all are here.
"""

from heapq import heapify, heappop, heappush, nsmallest
from typing import NamedTuple

from signalpost.domain.delivery.delivery import AT_ONCE, Delivery, DeliveryInput, State, is_untried


class _Oldest(NamedTuple):
    """When the deliveries that are not in flight are or were due."""

    due: int | None
    """The first time that one of them is or was due, µs."""
    at_once: bool
    """Whether one is to be sent at once, without regard to the time."""


class RetryQueue(dict[int, Delivery]):
    """The deliveries by sequence, and which of them is due first."""

    def __init__(self, kept: int) -> None:
        """`kept`: how many stay here if the others are left to the store."""
        super().__init__()
        self.horizon: int | None = None
        self._kept = kept
        self._due: list[tuple[int, int]] = []
        """A heap of (due, sequence) of those that wait; entries that no longer hold are dropped when they surface."""
        self._oldest: _Oldest | None = None
        """The oldest as last found; None once that may have changed."""

    def put(self, delivery: Delivery) -> None:
        """Let a delivery wait until it is due."""
        self[delivery.sequence] = delivery
        self._oldest = None
        heappush(self._due, (delivery.due, delivery.sequence))

    def remove(self, sequence: int) -> Delivery | None:
        """Take out a delivery that waits no longer; None if it is not here."""
        self._oldest = None
        return self.pop(sequence, None)

    def note_flight(self) -> None:
        """Note that one of the deliveries goes, or that it waits again as before."""
        self._oldest = None

    def take_due(self, now: int) -> list[Delivery]:
        """The deliveries that came due since the last call; they are RETRY_READY from here on."""
        due_now = []
        while self._due and self._due[0][0] <= now:
            due, sequence = heappop(self._due)
            if self._waits(due, sequence):
                delivery = self[sequence]
                delivery.advance(DeliveryInput.COME_DUE)
                due_now.append(delivery)
        return due_now

    @property
    def next_due(self) -> int | None:
        """When the next retry is due, here or only in the store, µs."""
        first = self._first_due
        return self.horizon if first is None else first

    def oldest_due(self, now: int) -> int | None:
        """When the first of those that wait for their retry, or for their turn since, is or was due, µs; what a person
        asked for is due now."""
        if self._oldest is None:
            self._oldest = self._find_oldest()
        return self._due_of(self._oldest, now)

    def seen_oldest_due(self, now: int) -> int | None:
        """The same for any thread, which keeps nothing of what it finds."""
        return self._due_of(self._oldest or self._find_oldest(), now)

    def _find_oldest(self) -> _Oldest:
        waiting = {delivery.due for delivery in [*self.values()] if delivery.state is not State.IN_FLIGHT}
        return _Oldest(min(waiting - {AT_ONCE}, default=None), AT_ONCE in waiting)

    def _due_of(self, oldest: _Oldest, now: int) -> int | None:
        due, at_once = oldest
        if at_once:
            return now if due is None else min(due, now)
        return self.horizon if due is None else due

    @property
    def wants_refill(self) -> bool:
        """Whether to read more from the store: there are some, none here awaits its retry any more, and few of the due
        ones are left. A refill would read the rows of those again."""
        return self.horizon is not None and self._first_due is None and len(self) <= self._kept // 4

    @property
    def _first_due(self) -> int | None:
        while self._due and not self._waits(*self._due[0]):
            heappop(self._due)
        return self._due[0][0] if self._due else None

    def _waits(self, due: int, sequence: int) -> bool:
        delivery = self.get(sequence)
        return delivery is not None and delivery.state is State.AWAITING_RETRY and delivery.due == due

    def is_left_to_store(self, due: int) -> bool:
        """Whether one that is due then need not be here."""
        return self.horizon is not None and due >= self.horizon

    def hurry(self, by: int) -> None:
        """Have everything that is untried due so many µs earlier, be it here or only in the store."""
        for delivery in self.values():
            if is_untried(delivery.run, delivery.failed_attempts):
                delivery.hurry(by)
        self._leave_to_store(None if self.horizon is None else self.horizon - by)

    def narrow(self) -> None:
        """If there are twice as many as are kept, leave those that are due last to the store."""
        if len(self) <= 2 * self._kept:
            return
        waiting = [d.due for d in self.values() if d.state is State.AWAITING_RETRY]
        self._leave_to_store(nsmallest(self._kept, waiting)[-1] + 1)

    def _leave_to_store(self, horizon: int | None) -> None:
        """Keep only those here that are due before a new horizon."""
        self.horizon = horizon
        waiting = [(d.due, s) for s, d in self.items() if d.state is State.AWAITING_RETRY]
        for due, sequence in waiting:
            if self.is_left_to_store(due):
                del self[sequence]
        self._oldest = None
        self._due = [(due, sequence) for due, sequence in waiting if not self.is_left_to_store(due)]
        heapify(self._due)
