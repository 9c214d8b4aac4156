"""Deliveries as a reader sees them: the state of each, its last attempt, and what it waits for.

A page has hundreds, so everything is asked for all of them at once.
"""

from collections.abc import Mapping, Sequence

from signalpost.domain.delivery.outcome import Failure
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import SECOND
from signalpost.store.nouns.deliveries import AttemptRow, Behind, DeliveryStatus, DeliveryView, ReadDelivery
from signalpost.store.nouns.log import LogRow
from signalpost.store.walks.delivery_queries import DeliveryQueries, RowState
from signalpost.store.walks.recorded_lane import RecordedLane, asked_for

MAX_ATTEMPTS = 1_000
"""How many attempts of a delivery are shown, the newest; only hundreds of retries by hand make more."""
LOOKS_AT_EARLIER = (4, 100)
"""How many earlier events of a document are looked at for the one that holds up a later one: few, and more where it is
not among these."""
LOOKS_AT_LATER = 100
"""How many later events of a document are looked at for those that wait behind an earlier one."""
MAX_SEQUENCE = 2**62
_UNSETTLED = ("pending", "retrying")
Delivery = tuple[RecordedLane, LogRow]
"""The delivery of an event to a lane's subscription."""


async def of_event(
    queries: DeliveryQueries, subscriptions: Sequence[Subscription], entry: LogRow
) -> dict[str, DeliveryView | None]:
    """What happened to an event at some subscriptions of its tenant; see `DeliveryStore.of_event`."""
    lanes = [*(await queries.lanes(subscriptions)).values()]
    if not lanes:
        return {}
    views = await views_of(queries, lanes[0].subscription.tenant_id, [(lane, entry) for lane in lanes])
    return {lane.subscription.id: view for lane, view in zip(lanes, views, strict=True)}


async def with_attempts(queries: DeliveryQueries, subscription: Subscription, entry: LogRow) -> ReadDelivery | None:
    """A delivery with its attempts; see `DeliveryStore.get`."""
    tenant_id = subscription.tenant_id
    lane = (await queries.lanes([subscription])).get(subscription.number)
    if lane is None:
        return None
    [view] = await views_of(queries, tenant_id, [(lane, entry)])
    if view is None:
        return None
    attempts = await queries.attempts(tenant_id, entry.sequence, subscription.number, MAX_ATTEMPTS)
    behind = await _waiting_behind(queries, lane, entry) if view.status in _UNSETTLED else None
    return ReadDelivery(view, attempts, behind)


async def _waiting_behind(queries: DeliveryQueries, lane: RecordedLane, entry: LogRow) -> Behind:
    tenant_id, number = lane.subscription.tenant_id, lane.subscription.number
    later = await queries.types_of_document(
        tenant_id, entry.document_id, entry.sequence + 1, MAX_SEQUENCE, LOOKS_AT_LATER + 1
    )
    looked_at = later[:LOOKS_AT_LATER]
    asked = [sequence for sequence, kind in looked_at if asked_for(lane.subscription, sequence, kind)]
    rows = await queries.row_states([(number, sequence) for sequence in asked])
    states = {sequence: row.state for (_, sequence), row in rows.items()}
    waiting = [sequence for sequence in asked if lane.status(sequence, states.get(sequence)) in _UNSETTLED]
    return Behind(len(waiting), len(later) > LOOKS_AT_LATER)


async def views_of(
    queries: DeliveryQueries, tenant_id: int, deliveries: Sequence[Delivery]
) -> list[DeliveryView | None]:
    """A view of each of these deliveries; None if a subscription has no delivery of an event."""
    known = [(lane, entry) for lane, entry in deliveries if asked_for(lane.subscription, entry.sequence, entry.type)]
    if not known:
        return [None] * len(deliveries)
    rows = await queries.row_states([*map(_key, known)])
    statuses: dict[tuple[int, int], DeliveryStatus] = {}
    for lane, entry in known:
        row = rows.get(key := _key((lane, entry)))
        if status := lane.status(entry.sequence, None if row is None else row.state):
            statuses[key] = status
    attempts = await queries.last_attempts(tenant_id, statuses)
    pending = [each for each in known if statuses.get(_key(each)) == "pending"]
    behind = await _held_up_by(queries, tenant_id, pending)
    return [
        _view(each, statuses[key], rows.get(key), attempts.get(key), behind.get(key))
        if (key := _key(each)) in statuses
        else None
        for each in deliveries
    ]


def _key(delivery: Delivery) -> tuple[int, int]:
    """A delivery as queries name it: by subscription and sequence."""
    lane, entry = delivery
    return lane.subscription.number, entry.sequence


def _view(
    delivery: Delivery,
    status: DeliveryStatus,
    row: RowState | None,
    last_attempt: AttemptRow | None,
    behind: LogRow | None,
) -> DeliveryView:
    lane, entry = delivery
    if status == "delivered" and _was_skipped(lane.subscription, last_attempt):
        status = "skipped"
    return DeliveryView(
        subscription_id=lane.subscription.id,
        entry=entry,
        status=status,
        due=lane.due(status, 0 if row is None else _due(lane, entry, row)),
        attempts=0 if row is None else row.failed_attempts,
        max_attempts=0 if row is None else row.max_attempts,
        last_attempt=last_attempt,
        probe_at=lane.probe_at,
        last_error=lane.last_error,
        retry_asked=entry.sequence in lane.retries_asked,
        behind=behind,
        ahead=max(0, entry.sequence - lane.head - 1) if status == "pending" else 0,
        failing_since=lane.failing_since,
        delivered_at=lane.delivered_at,
        certificate_ends=lane.certificate_ends,
        lost=lane.lost,
    )


def _was_skipped(subscription: Subscription, last_attempt: AttemptRow | None) -> bool:
    """Whether nothing was sent of a settled delivery. What does not meet a condition is passed over without a trace."""
    if last_attempt is None:
        return subscription.had_condition
    return last_attempt.failure == Failure.SKIPPED


def _due(lane: RecordedLane, entry: LogRow, row: RowState) -> int:
    """When the next attempt is due. A delay that became longer is waited for once the time of the shorter one has
    come."""
    delayed_until = entry.at + lane.subscription.delay * SECOND if lane.subscription.delay else 0
    return max(row.due, delayed_until) if row.due and not row.failed_attempts else row.due


async def _held_up_by(
    queries: DeliveryQueries, tenant_id: int, pending: Sequence[Delivery]
) -> dict[tuple[int, int], LogRow]:
    """What holds up each pending delivery: the last earlier event of the same document that is not settled or, in
    strict order only, that waits for its retry (C17). A delivery that nothing holds up is missing."""
    found: dict[tuple[int, int], LogRow] = {}
    for limit in LOOKS_AT_EARLIER:
        if not pending:
            break
        events = {entry.sequence: entry for _, entry in pending}
        earlier = await queries.earlier_of_documents(tenant_id, events.values(), limit)
        states = await _states(queries, pending, earlier)
        for lane, entry in pending:
            for before in earlier.get(entry.sequence, ()):
                if _holds_up(lane, before, states.get((lane.subscription.number, before.sequence))):
                    found[lane.subscription.number, entry.sequence] = before
                    break
        pending = [
            each for each in pending if _key(each) not in found and len(earlier.get(each[1].sequence, ())) == limit
        ]
    return found


async def _states(
    queries: DeliveryQueries, pending: Sequence[Delivery], earlier: Mapping[int, Sequence[LogRow]]
) -> dict[tuple[int, int], int]:
    """The states of the exception rows that the earlier events of pending deliveries have."""
    asked = {
        (lane.subscription.number, before.sequence)
        for lane, entry in pending
        for before in earlier.get(entry.sequence, ())
    }
    return {key: row.state for key, row in (await queries.row_states(asked)).items()} if asked else {}


def _holds_up(lane: RecordedLane, before: LogRow, state: int | None) -> bool:
    holding = ("pending", "retrying") if lane.subscription.ordering == "strict" else ("pending",)
    was_wanted = asked_for(lane.subscription, before.sequence, before.type)
    return was_wanted and lane.status(before.sequence, state) in holding
