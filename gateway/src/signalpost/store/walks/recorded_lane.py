"""What a lane's row says about its deliveries.

Only exceptions have rows. A delivery without one is derived: from an event of the log, a subscription that wanted it,
and the lane's `head`, `open` and `gaps`, which say whether it is settled.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import cached_property

from signalpost.domain.delivery.delivery import State
from signalpost.domain.delivery.reading import ReadLane
from signalpost.domain.subscription import Subscription, wanted
from signalpost.store.nouns.deliveries import DeliveryStatus
from signalpost.store.nouns.lanes import EndpointHealth
from signalpost.store.packing.lanes import decode_gaps, decode_health
from signalpost.store.packing.sequences import unpack_sequences

STATUS: dict[State, DeliveryStatus] = {
    State.AWAITING_RETRY: "retrying",
    State.BLOCKED: "pending",
    State.FAILED: "failed",
}
"""The status of a delivery by the state of its exception row."""


def asked_for(subscription: Subscription, sequence: int, event_type: int) -> bool:
    """Whether a subscription wanted an event of that type when it was made."""
    return sequence > subscription.starts_after and event_type & wanted(subscription.filters, sequence) != 0


class RecordedLane:
    """A lane as it was last recorded: it tells settled deliveries from others."""

    def __init__(self, subscription: Subscription, head: int, packed: bytes, gaps: bytes, health: bytes) -> None:
        self.subscription = subscription
        self.head = max(head, subscription.skip_to) if subscription.is_read else head
        self._recorded_head = head
        self._packed = packed
        self._gaps = gaps
        self._health = health
        self.retries_asked: set[int] = set()
        """Sequences for which a retry by hand was asked that the lane has yet to act upon."""

    def take_retry(self, sequence: int, of_version: int) -> None:
        """Take up a retry by hand that the lane has yet to act upon, unless the backlog was skipped since then."""
        if not self.subscription.has_skipped_since(of_version):
            self.retries_asked.add(sequence)

    @cached_property
    def _parts(self) -> tuple[Sequence[int], tuple[tuple[int, int], ...]]:
        """What is open, and the gaps."""
        opened, gaps = unpack_sequences(self._packed), decode_gaps(self._gaps)
        if not self.subscription.is_read:
            return opened, gaps
        lane = ReadLane.recorded(self._recorded_head, opened, self.subscription.skip_to, gaps)
        return lane.open, lane.gaps

    @cached_property
    def _decoded_health(self) -> EndpointHealth:
        return decode_health(self._health)

    @property
    def probe_at(self) -> int | None:
        """When the endpoint's open breaker lets the next attempt through; None while it is closed."""
        return self._decoded_health.breaker.probe_at

    @property
    def last_error(self) -> str | None:
        """The endpoint's last failure."""
        return self._decoded_health.last_error

    @property
    def failing_since(self) -> int | None:
        """When the first of the endpoint's failures in a row was; None while it does not fail."""
        return self._decoded_health.breaker.failing_since

    @property
    def delivered_at(self) -> int | None:
        """When the endpoint last took a delivery, if that is known."""
        return self._decoded_health.delivered_at

    @property
    def lost(self) -> int:
        """How many events the retention removed before they were delivered."""
        return self._decoded_health.lost

    @property
    def certificate_ends(self) -> int | None:
        """When the certificate ends that the endpoint last showed, if that is known."""
        return self._decoded_health.certificate_ends

    def due(self, status: DeliveryStatus, retry_due: int) -> int | None:
        """When a delivery of that status may be sent; None if that is at once, or unknown. `retry_due` is its row's
        time if it is retried."""
        if status == "retrying":
            return max(retry_due, self.probe_at or 0) or None
        return self.probe_at if status == "pending" else None

    def open_between(self, low: int, top: int) -> Sequence[int]:
        """Open deliveries with a sequence from `low` to `top`, in order."""
        opened, _ = self._parts
        return opened[bisect_left(opened, low) : bisect_right(opened, top)]

    def open_among(self, ordered: Sequence[int]) -> set[int]:
        """The open deliveries that have one of these sequences, which are in order."""
        return {*ordered}.intersection(self.open_between(ordered[0], ordered[-1])) if ordered else set()

    def never_taken_in_among(self, ordered: Sequence[int]) -> Iterator[int]:
        """The sequences, of some that are given in order, that the lane went past without taking them in."""
        for first, last in self._parts[1]:
            yield from ordered[bisect_left(ordered, first) : bisect_right(ordered, last)]

    def status(self, sequence: int, state: int | None) -> DeliveryStatus | None:
        """A delivery's status, given the state of its exception row if it has one. One for which nothing was sent
        counts as delivered here: only its last attempt tells.

        Returns None if the lane skipped the event, which then has no delivery.
        """
        if state is not None:
            return STATUS[State(state)]
        if sequence > self.head or self.open_between(sequence, sequence):
            return "pending"
        if any(first <= sequence <= last for first, last in self._parts[1]):
            return None
        return "delivered"
