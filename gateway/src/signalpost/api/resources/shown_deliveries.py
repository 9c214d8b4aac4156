"""Deliveries as clients see them, each with the cause of where it is."""

from msgspec.structs import replace

from signalpost.api.portal_views import listed_for
from signalpost.api.resources.exchanges import kept_exchange
from signalpost.api.routing.context import RequestContext
from signalpost.api.routing.shapes.deliveries import Attempt, AttemptSummary, Delivery, DeliveryCause
from signalpost.domain.delivery.explanation import KnownFacts, LastAttempt, explain
from signalpost.domain.delivery.outcome import Failure
from signalpost.domain.event import EventType
from signalpost.domain.language.names import Subject
from signalpost.domain.timestamps import format_timestamp
from signalpost.domain.wishes import why_passed_over
from signalpost.engine.lanes.lane_health import LaneView
from signalpost.store.nouns.deliveries import AttemptRow, DeliveryStatus, DeliveryView
from signalpost.store.nouns.log import LogRow


def status_of(view: DeliveryView | None) -> DeliveryStatus | None:
    return None if view is None else view.status


def shown(
    context: RequestContext, lane: LaneView, entry: LogRow, view: DeliveryView | None, subject: Subject | None
) -> Delivery:
    """A delivery, or that there is none, with the cause. `subject` is looked at for why no attempt was made."""
    subscription = lane.subscription
    explanation = explain(_known(context, lane, entry, view, subject))
    return Delivery(
        subscription_id=subscription.id,
        subscription_name=subscription.name,
        event_id=entry.id,
        sequence=entry.sequence,
        event_type=EventType(entry.type).wire,
        external_id=entry.document_id,
        title=entry.title,
        created_at=format_timestamp(entry.at),
        status=status_of(view),
        next_attempt_at=None if view is None or view.due is None else format_timestamp(view.due),
        last_attempt=None if view is None or view.last_attempt is None else _shown_last(view.last_attempt),
        cause=DeliveryCause(code=explanation.cause, detail=explanation.sentence, event_id=explanation.event),
    )


def listed(
    context: RequestContext, lane: LaneView, entry: LogRow, view: DeliveryView | None, subject: Subject | None
) -> Delivery:
    return listed_for(context.portal, shown(context, lane, entry, view, subject))


def _known(
    context: RequestContext, lane: LaneView, entry: LogRow, view: DeliveryView | None, subject: Subject | None
) -> KnownFacts:
    subscription = lane.subscription
    if view is None:
        return KnownFacts(subscription=subscription, sequence=entry.sequence, event_type=entry.type, status=None)
    return KnownFacts(
        subscription=subscription,
        sequence=entry.sequence,
        event_type=entry.type,
        status=view.status,
        due=view.due,
        failed_attempts=view.attempts,
        max_attempts=view.max_attempts,
        last_attempt=None if view.last_attempt is None else _last(view.last_attempt),
        passed_over=why_passed_over(subscription, entry.at, subject) if view.status == "skipped" else "",
        probe_at=view.probe_at,
        last_error=view.last_error,
        retry_asked=view.retry_asked,
        behind_event=None if view.behind is None else view.behind.id,
        ahead=view.ahead,
        held_up=replace(
            lane.held_up,
            in_flight=context.services.lane_views.is_sending(subscription, entry.sequence, entry.document_id),
        ),
    )


def _last(attempt: AttemptRow) -> LastAttempt:
    error = None if attempt.failure is None else attempt.detail or attempt.failure
    return LastAttempt(attempt.started_at, error, attempt.detail, attempt.number, attempt.run)


def _shown_last(attempt: AttemptRow) -> AttemptSummary:
    return AttemptSummary(
        number=attempt.number,
        started_at=format_timestamp(attempt.started_at),
        duration_ms=round(attempt.elapsed_us / 1000, 3),
        status_code=attempt.status,
        error=None if attempt.failure is None else Failure(attempt.failure),
        detail=attempt.detail or None,
    )


def shown_attempt(attempt: AttemptRow) -> Attempt:
    return Attempt.of(
        attempt,
        duration_ms=round(attempt.elapsed_us / 1000, 3),
        status_code=attempt.status,
        error=None if attempt.failure is None else Failure(attempt.failure),
        detail=attempt.detail or None,
        answer=attempt.answer.decode("utf-8", "replace"),
        exchange=kept_exchange(attempt.exchange),
    )
