"""The small queries that pages of deliveries, and single ones, are made of."""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol

from signalpost.domain.subscription import Subscription
from signalpost.store.nouns.deliveries import AttemptRow, DeliveryPosition
from signalpost.store.nouns.log import LogRow
from signalpost.store.walks.log_queries import LogQueries
from signalpost.store.walks.recorded_lane import RecordedLane


class ListedDelivery(NamedTuple):
    """A delivery that a page may have."""

    sequence: int
    subscription_number: int
    state: int | None
    """The state of its exception row, if it has one."""
    is_skipped: bool = False
    """Whether its last attempt found nothing to send, as far as the page asks for that."""


class DeliveryScope(NamedTuple):
    """The exception rows that are asked for belong to one subscription or, where that is None, to a whole tenant."""

    tenant_id: int
    subscription_number: int | None


class DeliveryPart(NamedTuple):
    """A part of a list of deliveries, newest first."""

    below: DeliveryPosition
    limit: int


class RowState(NamedTuple):
    """What an exception row says of its delivery."""

    state: int
    due: int
    failed_attempts: int
    max_attempts: int


class DeliveryQueries(LogQueries, Protocol):
    """The queries that lists of deliveries need, all as of one moment."""

    async def lanes(self, subscriptions: Sequence[Subscription]) -> dict[int, RecordedLane]:
        """Lanes by the numbers of their subscriptions, the highest first, with the retries by hand that they have yet
        to act upon. The lane of a subscription that was deleted a moment ago is missing."""
        ...

    async def lanes_with_unsettled(self, subscriptions: Sequence[Subscription], top: int) -> dict[int, RecordedLane]:
        """Only the lanes that may have anything up to the sequence `top` that is neither settled nor has an exception
        row, by the numbers of their subscriptions, without the retries by hand."""
        ...

    async def row_counts(
        self, tenant_id: int, sequences: Collection[int], left_out: Collection[int]
    ) -> Counter[tuple[int, int]]:
        """How many exception rows a tenant has, by their sequence and state, without those of the subscriptions with
        the numbers in `left_out`."""
        ...

    async def skipped_for_good(self, tenant_id: int, sequences: Collection[int]) -> list[tuple[int, int]]:
        """Deliveries of these events that are settled as there was nothing to send, in any order: the sequence and the
        subscription of each."""
        ...

    async def types_between(self, tenant_id: int, low: int, top: int, types: int, limit: int) -> list[tuple[int, int]]:
        """The sequences and types of events of some types (as bits) from `top` down to `low`, newest first."""
        ...

    async def types_of_document(
        self, tenant_id: int, document_id: str, low: int, top: int, limit: int
    ) -> list[tuple[int, int]]:
        """The sequences and types of a document's events from `top` down to `low`, newest first."""
        ...

    async def types_of(self, tenant_id: int, sequences: Collection[int], types: int) -> list[tuple[int, int]]:
        """The sequences and types of those of some events that have one of some types (as bits)."""
        ...

    async def rows_in_state(
        self, whose: DeliveryScope, state: int, low: int, part: DeliveryPart
    ) -> list[ListedDelivery]:
        """Deliveries with an exception row in some state, down to the sequence `low`."""
        ...

    async def rows_of_events(
        self, whose: DeliveryScope, sequences: Collection[int], states: Collection[int], part: DeliveryPart
    ) -> list[ListedDelivery]:
        """Deliveries of some events with an exception row in one of some states."""
        ...

    async def skipped(self, tenant_id: int, low: int, part: DeliveryPart) -> list[tuple[int, int]]:
        """Deliveries of a tenant whose last attempt found nothing to send, down to the sequence `low`: the sequence and
        the subscription of each."""
        ...

    async def skipped_between(self, tenant_id: int, low: int, top: int) -> list[tuple[int, int]]:
        """Deliveries of events from `low` to `top` whose last attempt found nothing to send, in any order."""
        ...

    async def entries(self, tenant_id: int, sequences: Collection[int]) -> dict[int, LogRow]:
        """Events by sequence, without their bodies, with their titles."""
        ...

    async def row_states(self, deliveries: Collection[tuple[int, int]]) -> dict[tuple[int, int], RowState]:
        """The exception rows that some deliveries have, which are given by subscription and sequence."""
        ...

    async def unattempted(self, tenant_id: int, deliveries: Collection[tuple[int, int]]) -> frozenset[tuple[int, int]]:
        """Which of some deliveries, given by subscription and sequence, have no attempt."""
        ...

    async def attempts(self, tenant_id: int, sequence: int, subscription_number: int, limit: int) -> list[AttemptRow]:
        """The newest attempts of a delivery, oldest first."""
        ...

    async def last_attempts(
        self, tenant_id: int, deliveries: Collection[tuple[int, int]]
    ) -> dict[tuple[int, int], AttemptRow]:
        """The last attempt of each of some deliveries, which are given by subscription and sequence."""
        ...

    async def earlier_of_documents(
        self, tenant_id: int, events: Collection[LogRow], limit: int
    ) -> dict[int, list[LogRow]]:
        """For each of some events, by sequence: the events of the same document before it, newest first, at most
        `limit` of each. An event that has none may be missing."""
        ...
