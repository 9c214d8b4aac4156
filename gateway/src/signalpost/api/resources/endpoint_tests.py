"""Tests of endpoints: send a sample event now, to a subscription or to one that is not saved yet."""

from msgspec import UNSET
from msgspec.structs import replace

from signalpost.api.portal_views import case_for, test_for
from signalpost.api.resources.diagnoses import diagnosis_of_test
from signalpost.api.resources.exchanges import shown_exchange
from signalpost.api.resources.subscription_checks import oauth_check, vetted
from signalpost.api.resources.subscriptions import PATH, find, new_key_pair, secret_of
from signalpost.api.routing.context import RequestBody, RequestContext
from signalpost.api.routing.route import SUBSCRIBES, Example, Reply, Route
from signalpost.api.routing.shapes.subscriptions import CaseResult, TestResult, TestRun
from signalpost.commands.deliveries import not_sent_but_read
from signalpost.domain.access.portal_link import Capability
from signalpost.domain.access.tenant import OPERATIONS_TENANT
from signalpost.domain.delivery.exchange import exchange_of
from signalpost.domain.delivery.outcome import Outcome
from signalpost.domain.delivery.receiver_cases import CaseFinding, has_passed
from signalpost.domain.documents import sample
from signalpost.domain.erasure import is_erased
from signalpost.domain.errors import Conflict, NotFound, TooMany
from signalpost.domain.event import BY_WIRE, Event
from signalpost.domain.language.condition_reader import read_condition
from signalpost.domain.language.subject import subject_of
from signalpost.domain.new_webhook import endpoint_members
from signalpost.domain.secrets import secrets_of, without_secrets
from signalpost.domain.subscription import UNSAVED, WEBHOOK, Subscription, bits_of
from signalpost.domain.subscription_requests import SubscriptionRequest, SubscriptionTest
from signalpost.domain.timestamps import format_timestamp

_LOOKED_AT = 100
"""How many of the last events are looked at for one to test with."""
_END_OF_TIME = 2**62


async def test(context: RequestContext) -> TestResult:
    context.query()
    wanted: SubscriptionTest = await context.read_body()
    found = await find(context)
    if found.is_read:
        raise not_sent_but_read()
    if wanted.secret is not UNSET:
        found = _signing_with_next_secret(found, context.services.clock.wall())
    name = found.event_types[0] if wanted.event_type is UNSET else wanted.event_type
    event = None if found.kind == WEBHOOK or wanted.event_type is not UNSET else await _newest_wanted(context, found)
    if event is None:
        now, random_bits = context.services.clock.wall(), context.services.random_bits
        event = sample.event(BY_WIRE[name], context.tenant_id, now, random_bits)
    return _test_result(context, event, found, await context.services.engine.endpoint_tests.run(found, event))


def _signing_with_next_secret(found: Subscription, now: int) -> Subscription:
    """The subscription as it will be once its rotation has ended. Raises Conflict."""
    if found.with_secrets_of(now).next_secret is None:
        raise Conflict("no_rotation", "No rotation is in progress, so there is no new secret to test.")
    return found.promoted(now)


async def test_draft(context: RequestContext) -> TestResult:
    """Test an endpoint that has no subscription yet. Nothing is stored."""
    new: SubscriptionRequest = await context.read_body(url=vetted(context), oauth=oauth_check(context))
    now = context.services.clock.wall()
    draft = replace(
        UNSAVED,
        id=context.new_id(),
        tenant_id=context.tenant_id,
        url=new.url,
        secret=secret_of(context, new.secret),
        headers=new.headers,
        key_pair=new_key_pair(context, wanted=new.sign_with_key_pair),
        **endpoint_members(new, now),
        filters=((0, bits_of(new.event_types)),),
        created_at=now,
        updated_at=now,
    )
    event = sample.event(BY_WIRE[new.event_types[0]], context.tenant_id, now, context.services.random_bits)
    return _test_result(context, event, draft, await context.services.engine.endpoint_tests.run(draft, event))


def _test_result(context: RequestContext, event: Event, tested: Subscription, outcome: Outcome) -> TestResult:
    url, outcome = tested.url, without_secrets(outcome, secrets_of(tested))
    result = TestResult(
        event_id=event.id,
        delivered=outcome.failure is None,
        started_at=format_timestamp(outcome.started_at),
        duration_ms=round(outcome.elapsed_us / 1000, 3),
        status_code=outcome.status,
        error=outcome.failure,
        detail=outcome.detail or None,
        answer=outcome.answer.decode("utf-8", "replace"),
        exchange=None if outcome.trace is None else shown_exchange(exchange_of(outcome.trace, url)),
        diagnosis=diagnosis_of_test(url, outcome),
    )
    return test_for(context.portal, result)


async def run_cases(context: RequestContext) -> TestRun:
    context.query()
    found = await find(context)
    if found.kind != WEBHOOK or context.tenant_id == OPERATIONS_TENANT:
        detail = "The ten cases are events of documents, for webhooks. Send this subscription a test instead."
        raise Conflict("no_cases", detail)
    run = context.services.engine.endpoint_tests.run_cases
    findings = await run(found, secret_of(context, UNSET), context.services.random_bits)
    cases = [case_for(context.portal, _case_result(each)) for each in findings]
    return TestRun(has_passed(findings), cases)


def _case_result(finding: CaseFinding) -> CaseResult:
    case, outcome = finding.case, finding.outcome
    return CaseResult(
        name=case.name,
        title=case.title,
        sent=case.sent,
        clause=case.clause,
        verdict=finding.verdict,
        advice=finding.advice,
        event_id=finding.event_id,
        started_at=None if outcome is None else format_timestamp(outcome.started_at),
        duration_ms=None if outcome is None else round(outcome.elapsed_us / 1000, 3),
        status_code=None if outcome is None else outcome.status,
        error=None if outcome is None else outcome.failure,
        detail=None if outcome is None else outcome.detail or None,
        answer=None if outcome is None else outcome.answer.decode("utf-8", "replace"),
    )


async def _newest_wanted(context: RequestContext, found: Subscription) -> Event | None:
    """The newest of the last events that the subscription would be sent; None if there is none among them."""
    log, condition = context.services.store.log, None if found.when is None else read_condition(found.when)
    last = await log.sequence_at(context.tenant_id, _END_OF_TIME) - 1
    events = await log.events(context.tenant_id, range(last, max(0, last - _LOOKED_AT), -1))
    return next(
        (
            event
            for event in events
            if event.type & found.filters[-1][1]
            and not is_erased(event)
            and (condition is None or condition.why_not(subject_of(event)) is None)
        ),
        None,
    )


ROUTES = (
    Route(
        name="test_draft",
        method="POST",
        path="/v1/subscriptions/test",
        summary="Send a sample event to an endpoint before you create a subscription; nothing is stored",
        roles=SUBSCRIBES,
        handler=test_draft,
        body=RequestBody(SubscriptionRequest),
        replies={200: Reply("What the endpoint answered.", TestResult)},
        errors=(TooMany,),
        example=Example({"url": "https://example.com/hooks", "eventTypes": ["documentCreated"]}),
    ),
    Route(
        name="test_subscription",
        method="POST",
        path=PATH + "/test",
        summary="Send a sample event now, outside the log",
        roles=SUBSCRIBES,
        handler=test,
        portal=Capability.TEST,
        body=RequestBody(SubscriptionTest, optional=True),
        replies={200: Reply("What the endpoint answered.", TestResult)},
        errors=(NotFound, Conflict, TooMany),
        example=Example({"eventType": "documentCreated"}),
    ),
    Route(
        name="run_test_cases",
        method="POST",
        path=PATH + "/test-run",
        summary="Send the ten cases that a receiver must stand, outside the log, with a verdict on each",
        roles=SUBSCRIBES,
        handler=run_cases,
        portal=Capability.TEST,
        replies={200: Reply("What the endpoint answered to each case, and what to mend.", TestRun)},
        errors=(NotFound, Conflict, TooMany),
        example=Example(),
    ),
)
