"""Previews: what a subscription, or one that is still to be made, would make of a past event. Nothing is sent."""

from typing import Any

from msgspec.structs import replace

from signalpost.api.configs import config_check
from signalpost.api.resources import subscriptions
from signalpost.api.resources.events import find_event
from signalpost.api.routing.context import RequestBody, RequestContext, Variant
from signalpost.api.routing.route import OPERATOR, Example, Reply, Route
from signalpost.commands.deliveries import not_sent_but_read
from signalpost.domain.checks import Bad
from signalpost.domain.documents.fitting_sample import fitting
from signalpost.domain.errors import Conflict, FieldError, Invalid, NotFound
from signalpost.domain.event import BY_WIRE, Event
from signalpost.domain.subscription import UNSAVED, Subscription
from signalpost.domain.subscription_requests import NewPreview, PreviewRequest, SamplePreview
from signalpost.engine.connectors.preview import Past, Preview, preview

_EXAMPLE = "01a20e92-1d5f-76d4-985f-8a63b2c66f94"


async def of_subscription(context: RequestContext) -> Preview:
    context.query()
    asked: PreviewRequest = await context.read_body()
    found = await subscriptions.find(context)
    if found.is_read:
        raise not_sent_but_read()
    event = await _event(context, asked.event_id)
    made = await context.services.store.connections.made(found.number, [event.document_id])
    return await _answer(context, found, event, made.get(event.document_id, {}))


async def of_kind(context: RequestContext) -> Preview:
    context.query()
    services, kind = context.services, context.path_text("kind")
    if services.destinations.kind(kind) is None:
        raise NotFound("kind_not_found", "No kind of destination with this name is installed here.")
    named = (await context.body_as_sent()).get("connection")
    connection = services.directory.connection(context.tenant_id, named) if isinstance(named, str) else None

    def check_connection(connection_id: str) -> str:
        if connection is None or connection.kind != kind:
            raise Bad("not_found", "There is no connection of this kind with this id.")
        return connection_id

    asked: NewPreview | SamplePreview = await context.read_body(
        connection=check_connection, config=config_check(services, kind, connection, context.principal.role)
    )
    event = _sample(context, asked) if isinstance(asked, SamplePreview) else await _event(context, asked.event_id)
    draft = replace(
        UNSAVED,
        id=context.new_id(),
        tenant_id=context.tenant_id,
        kind=kind,
        connection_id=asked.connection,
        config=asked.config,
        when=asked.when,
        after=asked.after,
    )
    return await _answer(context, draft, event, {})


def _sample(context: RequestContext, asked: SamplePreview) -> Event:
    conditions = [asked.when, None if asked.after is None else asked.after.condition]
    return fitting(
        types=[BY_WIRE[each] for each in asked.sample],
        conditions=[each for each in conditions if each is not None],
        tenant_id=context.tenant_id,
        now=context.services.clock.wall(),
        random_bits=context.services.random_bits,
    )


async def _event(context: RequestContext, event_id: str) -> Event:
    event = await find_event(context, event_id)
    if event is None:
        detail = "There is no event with this id, or it is no longer kept. List them: GET /v1/events."
        raise Invalid([FieldError("/eventId", "not_found", detail)])
    return event


async def _answer(context: RequestContext, found: Subscription, event: Event, made: dict[str, str]) -> Preview:
    services = context.services
    connection: Any = None
    if found.connection_id is not None:
        connection = services.directory.connection(context.tenant_id, found.connection_id)
    newest = await services.store.log.newest(context.tenant_id, event.document_id)
    past = Past(event=event, newest=newest or event, made=made)
    return preview(services.destinations, found, connection, past, services.clock.wall())


ROUTES = (
    Route(
        name="preview_subscription",
        method="POST",
        path="/v1/subscriptions/{id}/preview",
        summary="Show what a subscription would send for a past event; nothing is sent",
        roles=OPERATOR,
        handler=of_subscription,
        body=RequestBody(PreviewRequest),
        replies={200: Reply("Whether the event is wanted, and the request without its secrets.", Preview)},
        errors=(NotFound, Conflict),
        example=Example({"eventId": _EXAMPLE}),
    ),
    Route(
        name="preview_destination",
        method="POST",
        path="/v1/destinations/{kind}/preview",
        summary="Show what a new subscription would send for a past event, or a sample; nothing is created or sent",
        roles=OPERATOR,
        handler=of_kind,
        body=RequestBody(
            NewPreview, variants=(Variant("PreviewSample", SamplePreview, lambda sent: "sample" in sent),)
        ),
        replies={200: Reply("Whether the event is wanted, and the request without its secrets.", Preview)},
        errors=(NotFound,),
        example=Example({"eventId": _EXAMPLE, "connection": _EXAMPLE, "config": {"text": "{{ document.title }}"}}),
    ),
)
