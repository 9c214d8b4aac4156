"""Deliveries as people read them: of one event to one subscription, or a list of many."""

from typing import Final, Literal, NamedTuple

from msgspec import Struct

from signalpost.store.nouns.log import LogRow

DeliveryStatus = Literal["pending", "delivered", "skipped", "retrying", "failed"]


class AttemptRow(Struct, frozen=True, gc=False):
    """One attempt, kept for people to read. Only a replay of what was never sent asks it."""

    sequence: int
    started_at: int
    elapsed_us: int
    number: int
    """Number of the attempt in its run: 1, 2, …"""
    run: int
    counted: bool
    status: int | None
    failure: str | None
    detail: str
    answer: bytes
    exchange: bytes = b""
    """What went over the wire, an `Exchange` as JSON; empty of a delivery that went well."""
    document_id: str = ""
    """The event's document, until the attempt is recorded. The event says it from then on."""
    on_time: bool | None = None
    """Whether the event kept its subscription's objective, if it ended with this attempt and there is one. Statistics
    ask for it when the attempt is recorded."""


class DeliveryFilter(Struct, frozen=True, kw_only=True):
    """Narrows a list of deliveries to those that match every field that is set."""

    status: DeliveryStatus | None = None
    types: int = 7
    """`EventType` values, as bits."""
    document_id: str | None = None
    created_from: int | None = None
    """The event's `createdAt` at the earliest, in microseconds since the epoch."""
    created_to: int | None = None
    """The event's `createdAt` is before this."""


class DeliveryPosition(NamedTuple):
    """A delivery's place among all deliveries of its tenant."""

    sequence: int
    subscription_number: int


class DeliveryView(Struct, frozen=True):
    """A delivery as a reader sees it."""

    subscription_id: str
    entry: LogRow
    status: DeliveryStatus
    due: int | None
    """When it may be sent: the time of its retry or, if the endpoint's breaker is open and that is later, of the next
    probe. None if there is nothing to wait for."""
    attempts: int
    """The counted failures of its current run; 0 once it is settled."""
    max_attempts: int = 0
    """How many counted failures its run may have; 0 where it has no exception row."""
    last_attempt: AttemptRow | None = None
    probe_at: int | None = None
    """When the endpoint's open breaker lets the next attempt through; None while it is closed."""
    last_error: str | None = None
    """The endpoint's last failure, whatever it was sent."""
    retry_asked: bool = False
    """Whether a caller asked for a retry by hand that the lane has yet to act upon."""
    behind: LogRow | None = None
    """The earlier event of its document that it waits for, if it is pending."""
    ahead: int = 0
    """How many events of the log the subscription has yet to take in before this one, if it is pending."""
    failing_since: int | None = None
    """When the first of the endpoint's failures in a row was; None while it does not fail."""
    delivered_at: int | None = None
    """When the endpoint last took a delivery; None if that is not known."""
    certificate_ends: int | None = None
    """When the certificate ends that the endpoint last showed; None if that is not known."""
    lost: int = 0
    """How many of the subscription's events the retention removed before they were delivered."""


class Behind(Struct, frozen=True):
    """How many later events of its document a delivery that is not settled is followed by, at the same subscription."""

    count: int
    """How many wait of those that were looked at, which are the newest ones."""
    is_capped: bool
    """Whether there are more events than were looked at."""


class ReadDelivery(NamedTuple):
    """A delivery with everything that is known about it."""

    view: DeliveryView
    attempts: list[AttemptRow]
    """Oldest first."""
    behind: Behind | None
    """None if nothing waits for it, since it is settled or was given up."""


COUNTED_AMONG: Final = 1_000
"""Among how many subscriptions of a tenant `Arrivals` are counted, which takes up to 25 µs each."""
MAX_FAILED: Final = 100
"""How many failed deliveries of an event are counted among more subscriptions than that."""


class Arrivals(Struct, frozen=True):
    """How many of the subscriptions that wanted an event got it, wait for it, or will not get it. Among more than
    `COUNTED_AMONG` only those that failed are counted, up to `MAX_FAILED`; the others are None."""

    delivered: int | None
    waiting: int | None
    failed: int
    skipped: int | None
    """There was nothing to send."""


class DeliveryViews(Struct, frozen=True):
    """One page of a list of deliveries."""

    data: tuple[DeliveryView, ...]
    next: DeliveryPosition | None = None
    """The `below` of the next page, which must have the same filter."""
    looked_back_to: int | None = None
    """When the oldest event was made that a page looked at which is short and has a next one, µs since the epoch."""
