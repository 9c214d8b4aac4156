"""Retries by hand that a lane has not acted on yet, or acted on since its last record.

A retry *waits* for the lane's next record, which reads the row of its delivery; then the lane acts on it. It is *held*
while an attempt of its delivery is in flight, or while this node has not heard of the change of the subscription after
which it was requested. It is *done* once the lane acted on it. The store keeps its row until a record says that, so a
restart finds what was not done.
"""

from collections.abc import Iterable

from signalpost.commands.command import RequestedRetry
from signalpost.domain.delivery.delivery import Delivery, State
from signalpost.domain.delivery.exception_row import Row
from signalpost.domain.delivery.lane import Lane
from signalpost.domain.subscription import Subscription


class RetriesByHand:
    def __init__(self) -> None:
        self.waiting: dict[int, RequestedRetry] = {}
        """Each is under its number, because a lane that is loaded again may hear of one twice, from the store and from
        its commit."""
        self.held: dict[int, list[RequestedRetry]] = {}
        """All that are held for a delivery are under its sequence."""
        self._met: set[int] = set()
        """Waiting ones, by number, whose delivery was settled since by an attempt that began after they were
        requested: a restart sends what is open before it acts on what was requested."""
        self.done: list[int] = []

    def restore(self, retries: Iterable[RequestedRetry]) -> None:
        """Take up what the store has. What came with a commit meanwhile still waits."""
        self._let_wait(retries)
        self.held = {}
        self._met = set()
        self.done = []

    def take(self, retry: RequestedRetry, lane: Lane) -> None:
        """Take up a new one. If an attempt is in flight, it is held until that ends, from now on: the lane acts on the
        others after its next record, when the attempt may be over."""
        if lane.is_in_flight(retry.sequence, retry.document_id):
            self._hold(retry)
        else:
            self.waiting[retry.number] = retry

    def take_unknown(self, retries: Iterable[RequestedRetry], lane: Lane) -> None:
        """Take up those that this lane has not heard of."""
        known = {retry.number for held in self.held.values() for retry in held}.union(self.waiting, self.done)
        for retry in retries:
            if retry.number not in known:
                self.take(retry, lane)

    def act(self, retry: RequestedRetry, row: Row | None, subscription: Subscription, lane: Lane, now: int) -> None:
        """Act on one that waits, or hold it until that is possible. `row` as for `Lane.retry_by_hand`."""
        del self.waiting[retry.number]
        if retry.number in self._met or subscription.has_skipped_since(retry.of_version):
            self._met.discard(retry.number)
            self.done.append(retry.number)
        elif retry.of_version <= subscription.version and lane.retry_by_hand(
            retry.sequence, retry.document_id, row, subscription.attempts, now
        ):
            self.done.append(retry.number)
        else:
            self._hold(retry)

    def note_end(self, delivery: Delivery) -> None:
        """Note that an attempt of a delivery has ended. One that is settled needs no retry that it was held for."""
        is_settled = delivery.state is State.SETTLED
        if is_settled:
            self._met |= {retry.number for retry in self.waiting.values() if retry.sequence == delivery.sequence}
        held = self.held.pop(delivery.sequence, [])
        if is_settled:
            self.done += [retry.number for retry in held]
        else:
            self._let_wait(held)

    def let_all_wait(self) -> None:
        """Have those that are held tried again after the next record: the subscription has changed."""
        for held in self.held.values():
            self._let_wait(held)
        self.held.clear()

    def take_done(self) -> tuple[int, ...]:
        """The numbers of those that are done, to be recorded."""
        done, self.done = self.done, []
        return tuple(done)

    def _let_wait(self, retries: Iterable[RequestedRetry]) -> None:
        self.waiting |= {retry.number: retry for retry in retries}

    def _hold(self, retry: RequestedRetry) -> None:
        self.held.setdefault(retry.sequence, []).append(retry)
