"""Evidence of deliveries, and the keys by which others check it."""

from hashlib import sha256

import msgspec

from signalpost.api.http.request import Request
from signalpost.api.http.response import Response
from signalpost.api.resources import deliveries, subscriptions
from signalpost.api.resources.shown_deliveries import shown_attempt
from signalpost.api.routing.context import RequestContext
from signalpost.api.routing.route import FOLLOWS, Example, OpenRoute, Reply, Route
from signalpost.api.routing.services import Services
from signalpost.domain.access.portal_link import Capability
from signalpost.domain.erasure import is_erased
from signalpost.domain.errors import NotFound
from signalpost.domain.event import Event, EventType
from signalpost.domain.evidence import (
    PATH,
    Evidence,
    EvidenceKeys,
    EvidenceStatement,
    StatedAttempt,
    StatedEvent,
    StatedSubscription,
    url_of,
)
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import format_timestamp
from signalpost.store.nouns.deliveries import AttemptRow, ReadDelivery


async def read(context: RequestContext) -> Evidence:
    context.query()
    found = await subscriptions.find(context)
    event = await deliveries.event_in_path(context)
    delivery = await deliveries.find_delivery(context, found, event)
    body = None if is_erased(event) else event.body
    return context.services.evidence.sign(_statement(context, found, event, delivery), body)


def _statement(context: RequestContext, found: Subscription, event: Event, delivery: ReadDelivery) -> EvidenceStatement:
    digest = None if is_erased(event) else sha256(event.body).hexdigest()
    return EvidenceStatement(
        stated_at=format_timestamp(context.services.clock.wall()),
        gateway=context.services.installation.public_url,
        tenant=context.tenant_name,
        event=StatedEvent(
            id=event.id,
            sequence=event.sequence,
            type=EventType(event.type).wire,
            created_at=format_timestamp(event.at),
            sha256=digest,
        ),
        subscription=StatedSubscription(id=found.id, name=found.name, kind=found.kind),
        status=delivery.view.status,
        attempts=tuple(_attempt(found, each) for each in delivery.attempts),
    )


def _attempt(found: Subscription, row: AttemptRow) -> StatedAttempt:
    shown = shown_attempt(row)
    return StatedAttempt(
        number=shown.number,
        run=shown.run,
        started_at=shown.started_at,
        duration_ms=shown.duration_ms,
        to=url_of(found, row.started_at),
        status_code=shown.status_code,
        error=None if shown.error is None else str(shown.error),
        answer=shown.answer,
    )


async def read_keys(services: Services, _request: Request) -> Response:
    return Response(200, msgspec.json.encode(services.evidence.published), (("cache-control", "no-cache"),))


ROUTES = (
    Route(
        name="read_evidence",
        method="GET",
        path="/v1/subscriptions/{id}/deliveries/{eventId}/evidence",
        summary="Read a signed statement of what was sent and answered, for `signalpost verify`",
        roles=FOLLOWS,
        handler=read,
        portal=Capability.PAYLOAD,
        replies={200: Reply("The evidence, as it stands now.", Evidence)},
        errors=(NotFound,),
        example=Example(),
    ),
)
OPEN_ROUTES = (
    OpenRoute(
        name="read_evidence_keys",
        path=PATH,
        summary="The keys with which evidence is signed, or was",
        handler=read_keys,
        replies={200: Reply("The keys.", EvidenceKeys)},
    ),
)
