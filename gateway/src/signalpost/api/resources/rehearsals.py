"""Rehearsals: what a changed or a new subscription would have sent of the log as it was. Nothing is written or sent."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from msgspec import UNSET, Struct
from msgspec.structs import fields, replace

from signalpost.api.resources import subscription_checks as checks
from signalpost.api.resources import subscriptions
from signalpost.api.routing.context import RequestBody, RequestContext, Variant
from signalpost.api.routing.route import SUBSCRIBES, Example, Reply, Route
from signalpost.api.routing.shapes.rehearsals import Rehearsal, RehearsalExamples, RehearsedRequests
from signalpost.domain.access.api_key import Role
from signalpost.domain.checks import Bad, Check, Several
from signalpost.domain.delivery.rehearsal import (
    NewConnectorRehearsal,
    NewReadRehearsal,
    NewRehearsal,
    RehearsalId,
    RehearsalPeriod,
    RehearsalRequest,
    wants_of,
)
from signalpost.domain.errors import Conflict, FieldError, Invalid, NotFound, TooMany
from signalpost.domain.subscription import SIGNING, UNSAVED, WEBHOOK, Subscription, bits_of
from signalpost.domain.subscription_patch import as_patched
from signalpost.domain.subscription_requests import ConnectorRequest, ReadRequest, SubscriptionRequest
from signalpost.domain.timestamps import DAY, EARLIEST, format_timestamp, parse_timestamp
from signalpost.engine.connectors.shown_requests import VendorRequests
from signalpost.engine.rehearsing.question import Question
from signalpost.engine.rehearsing.rehearsals import RehearsalResult
from signalpost.engine.rehearsing.side import Side

DAYS: Final = 7
"""How far back a rehearsal looks unless it is told."""


async def of_change(context: RequestContext) -> Rehearsal:
    context.query()
    found = await subscriptions.find(context)
    sent = _members(await context.body_as_sent(), "change")
    asked: RehearsalRequest = await context.read_body(change=_each(checks.patch_checks(context, found, sent)))
    with _below("change"):
        changed = as_patched(found, asked.change)
        then = _side(context, changed)
    try:
        now = _side(context, found)
    except (Invalid, Bad, Several):  # it cannot be read, so it sends nothing
        now = None
    question = await _question(context, asked, found.starts_after, now, then)
    return _shown(context, question, await _rehearsed(context, question), is_saved=True)


async def of_new(context: RequestContext) -> Rehearsal:
    context.query()
    sent = _members(await context.body_as_sent(), "subscription")
    found = _checks_of_new(context, sent)
    asked: NewRehearsal | NewConnectorRehearsal | NewReadRehearsal = await context.read_body(subscription=_each(found))
    with _below("subscription"):
        then = _side(context, _draft(context, asked.subscription))
        begins = await checks.beginning_of(context, asked.subscription)
    question = await _question(context, asked, 0 if begins is None else begins.starts_after, None, then)
    return _shown(context, question, await _rehearsed(context, question), is_saved=False)


def _checks_of_new(context: RequestContext, sent: Mapping[str, Any]) -> Mapping[str, Check]:
    if checks.is_read(sent):
        return checks.read_checks(context)
    return checks.connector_checks(context, sent) if checks.is_of_connector(sent) else checks.webhook_checks(context)


async def _rehearsed(context: RequestContext, question: Question) -> RehearsalResult:
    """Raises Conflict if the client leaves first: then nothing of the rehearsal goes on."""
    loop = asyncio.get_running_loop()
    gone = loop.create_task(context.request.body.gone())
    answered = loop.create_task(context.services.engine.rehearsals.run(question))
    try:
        await asyncio.wait((gone, answered), return_when=asyncio.FIRST_COMPLETED)
        if answered.done():
            return answered.result()
        raise Conflict("client_left", "The client closed the connection before the rehearsal was over.")
    finally:
        gone.cancel()
        answered.cancel()


def _members(sent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The members of a member of the body, before they are checked; empty if there are none."""
    found = sent.get(name)
    return found if isinstance(found, dict) else {}


def _each(checks_of: Mapping[str, Check]) -> Check:
    """The check of a struct of which members have checks, by their names on the wire."""

    def check(body: Struct) -> Struct:
        changed: dict[str, Any] = {}
        bads: list[Bad] = []
        for each in fields(body):
            value = getattr(body, each.name)
            if value is UNSET or each.encode_name not in checks_of:
                continue
            try:
                changed[each.name] = checks_of[each.encode_name](value)
            except (Bad, Several) as bad:
                bads += bad.under(each.encode_name)
        if bads:
            raise Several(bads)
        return replace(body, **changed)

    return check


@contextmanager
def _below(name: str) -> Iterator[None]:
    """Names what is wrong with a member of the body as seen from the whole."""
    try:
        yield
    except Invalid as invalid:
        raise Invalid([replace(each, pointer=f"/{name}{each.pointer}") for each in invalid.errors]) from None


def _draft(context: RequestContext, new: SubscriptionRequest | ConnectorRequest | ReadRequest) -> Subscription:
    """What a subscription would be that has been there from the beginning of the log. Where it begins, if it says so,
    is left to the question."""
    made = replace(
        UNSAVED,
        id=context.new_id(),
        tenant_id=context.tenant_id,
        filters=((0, bits_of(new.event_types)),),
        when=new.when,
        after=new.after,
    )
    if isinstance(new, SubscriptionRequest):
        return replace(made, url=new.url, headers=new.headers)
    if isinstance(new, ReadRequest):
        return replace(made, kind=new.kind)
    return replace(made, kind=new.kind, connection_id=new.connection, config=new.config)


def _side(context: RequestContext, subscription: Subscription) -> Side:
    """Raises Invalid if its config does not fit, Bad or Several if its condition cannot be read."""
    if subscription.kind in SIGNING:
        return Side(subscription, None)
    connection = checks.named_connection(context, subscription.connection_id)
    if connection is None:
        raise Invalid([FieldError("/connection", "not_found", "There is no connection with this id.")])
    return Side(subscription, VendorRequests(context.services.destinations, subscription, connection))


async def _question(
    context: RequestContext, asked: RehearsalPeriod, starts_after: int, now: Side | None, then: Side
) -> Question:
    """Raises Invalid for a period that ends before it begins."""
    clock, log = context.services.clock, context.services.store.log
    to_at = clock.wall() if asked.to is UNSET else parse_timestamp(asked.to)
    from_at = max(EARLIEST, to_at - DAYS * DAY) if asked.from_ is UNSET else parse_timestamp(asked.from_)
    if asked.from_ is not UNSET and to_at <= from_at:
        raise Invalid([FieldError("/to", "empty_range", "This must be later than `from`.")])
    lookahead = max(side.lookahead for side in (now or then, then))
    end = await log.sequence_at(context.tenant_id, to_at)
    return Question(
        tenant_id=context.tenant_id,
        caller=(context.principal.kind, context.principal.id),
        from_at=from_at,
        to_at=to_at,
        first=max(starts_after + 1, await log.sequence_at(context.tenant_id, from_at)),
        last=end - 1,
        ahead=await log.sequence_at(context.tenant_id, to_at + lookahead) - 1 if lookahead else end - 1,
        now=now,
        then=then,
    )


def _shown(context: RequestContext, question: Question, answer: RehearsalResult, *, is_saved: bool) -> Rehearsal:
    then, tally, examples = question.then.subscription, answer.tally, answer.examples
    first = min(answer.reached, question.last + 1)
    is_sent_later = is_saved and not then.is_read
    sees_requests = then.kind == WEBHOOK or (context.principal.role is Role.OPERATOR and not then.is_read)
    requests = answer.requests if sees_requests else []
    return Rehearsal(
        id=RehearsalId(first, question.last, wants_of(then)).text if is_sent_later else None,
        from_=format_timestamp(question.from_at),
        to=format_timestamp(question.to_at),
        from_sequence=first,
        to_sequence=question.last,
        looked_back_to=None if answer.reached_at is None else format_timestamp(answer.reached_at),
        now=tally.now,
        then=tally.then,
        both=tally.counts["both"],
        more=tally.counts["more"],
        less=tally.counts["less"],
        cannot=tally.counts["cannot"],
        examples=RehearsalExamples(
            both=examples["both"], more=examples["more"], less=examples["less"], cannot=examples["cannot"]
        ),
        requests=[RehearsedRequests(event_id=event_id, requests=each) for event_id, each in requests],
    )


_NEW: Final = RequestBody(
    NewRehearsal,
    variants=(
        Variant(
            "RehearseConnectorSubscription",
            NewConnectorRehearsal,
            lambda sent: checks.is_of_connector(_members(sent, "subscription")),
        ),
        Variant(
            "RehearseReadSubscription",
            NewReadRehearsal,
            lambda sent: checks.is_read(_members(sent, "subscription")),
        ),
    ),
)
_PERIOD: Final = {"from": "2026-01-15T09:00:00Z", "to": "2026-01-22T09:00:00Z"}
_ANSWER: Final = Reply("How many events are sent now, and would be then, with examples and exact requests.", Rehearsal)

ROUTES = (
    Route(
        name="rehearse_subscription",
        method="POST",
        path="/v1/subscriptions/{id}/rehearsals",
        summary="Show what a changed subscription would have sent of past events; nothing is stored or sent",
        roles=SUBSCRIBES,
        handler=of_change,
        body=RequestBody(RehearsalRequest),
        replies={200: _ANSWER},
        errors=(NotFound, Conflict, TooMany),
        example=Example({**_PERIOD, "change": {"eventTypes": ["documentUpdated"]}}),
    ),
    Route(
        name="rehearse_new_subscription",
        method="POST",
        path="/v1/subscriptions/rehearsals",
        summary="Show what a new subscription would have sent of past events; nothing is stored or sent",
        roles=SUBSCRIBES,
        handler=of_new,
        body=_NEW,
        replies={200: _ANSWER},
        errors=(Conflict, TooMany),
        example=Example(
            {**_PERIOD, "subscription": {"url": "https://example.com/hooks", "eventTypes": ["documentCreated"]}}
        ),
    ),
)
