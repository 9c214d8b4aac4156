"""The receiver kit against a gateway: what it sends is handled once, whatever happened on the way."""

from collections.abc import Callable
from typing import Any

import pytest
from gateway.tests.acceptance.client import Client, until
from gateway.tests.acceptance.gateway_process import GatewayProcess
from gateway.tests.acceptance.page import verify_signature
from gateway.tests.acceptance.receiver import FAIL, Answer, Endpoint, ReceivedRequest
from standardwebhooks import Webhook as StandardWebhook
from standardwebhooks import WebhookVerificationError

from signalpost_receiver import Event, Outcome, Receiver, ReceiverError
from signalpost_receiver.http_feed import HttpFeed

Endpoints = Callable[..., Endpoint]


class Shop:
    """A customer's program that is built with the kit."""

    def __init__(self, secret: str) -> None:
        self.receiver = Receiver(secrets=[secret])
        self.receiver.on("documentCreated", "documentUpdated")(self.handle)
        self.handled: list[Event] = []
        self.outcomes: list[Outcome] = []
        self.failures = 0

    def handle(self, event: Event) -> None:
        if self.failures:
            self.failures -= 1
            raise RuntimeError("the shop is closed")
        self.handled.append(event)

    def answer(self, request: ReceivedRequest) -> Answer:
        try:
            result = self.receiver.receive(request.body, request.headers)
        except ReceiverError as error:
            return Answer(error.status, body=str(error).encode())
        self.outcomes.append(result.outcome)
        return Answer(result.status)


@pytest.fixture
def hook(endpoint: Endpoints) -> Endpoint:
    return endpoint(FAIL)


def open_shop(api: Client, hook: Endpoint) -> tuple[Shop, Any]:
    subscription = api.subscribe(hook.url)
    shop = Shop(subscription["secret"])
    hook.answer = shop.answer
    return shop, subscription


def test_c2_an_event_is_handled_once_through_failures_replays_and_samples(api: Client, hook: Endpoint) -> None:
    shop, subscription = open_shop(api, hook)
    shop.failures = 1
    document = api.create()
    (event,) = api.events_of(document)
    api.until_delivery(subscription, event["id"], "delivered", attempts=2)
    api.retry(subscription, event["id"])
    hook.until(3)
    api.ask("POST", f"/v1/subscriptions/{subscription['id']}/test")

    assert [handled.id for handled in shop.handled] == [event["id"]]
    assert (shop.handled[0].attempt, shop.handled[0].is_replay, shop.handled[0].is_test) == (2, False, False)
    until(lambda: len(shop.outcomes) == 3)
    assert shop.outcomes == [Outcome.HANDLED, Outcome.DUPLICATE, Outcome.TEST]


def test_what_never_arrived_is_found_in_the_log(shared: GatewayProcess, api: Client, hook: Endpoint) -> None:
    last = api.ask("GET", "/v1/events?after=0&limit=250")["last"]
    while (page := api.ask("GET", f"/v1/events?after={last}&limit=250"))["data"]:
        last = page["last"]
    shop, subscription = open_shop(api, hook)
    arrived = api.create()
    until(lambda: len(shop.handled) == 1)
    api.change_subscription(subscription, status="paused")
    missed = api.create(title="Missed")

    host, port = shared.address
    found = shop.receiver.reconcile(HttpFeed(f"http://{host}:{port}", shared.operator_key, limit=1), last)

    assert [(event.id, event.sequence) for event in found.missed] == [
        (api.events_of(missed)[0]["id"], last + 2),
    ]
    assert (found.resume_from, found.failed, found.lost) == (last + 2, [], 0)
    assert [event.document and event.document.title for event in shop.handled] == ["A title", "Missed"]
    assert shop.handled[0].id == api.events_of(arrived)[0]["id"]
    api.change_subscription(subscription, status="active")
    hook.until(2)
    until(lambda: shop.outcomes[1:] == [Outcome.DUPLICATE])


def test_c20_c21_other_libraries_verify_what_is_sent_also_during_a_rotation(api: Client, hook: Endpoint) -> None:
    shop, old = open_shop(api, hook)
    api.change_subscription(old, signWithKeyPair=True)
    api.create()
    hook.until(1)
    new = api.ask("POST", f"/v1/subscriptions/{old['id']}/secret/rotate")
    api.create()
    before, during = hook.until(2)[:2]
    api.ask("POST", f"/v1/subscriptions/{old['id']}/secret/promote")
    api.create()
    hook.until(3)
    after = hook.requests[2]
    until(lambda: len(shop.handled) == 2)
    for request, fits in ((before, [old]), (during, [old, new]), (after, [new])):
        for shown in (old, new):
            accepted = [accepts(request, shown) for accepts in (by_standardwebhooks, by_svix, by_the_kit)]
            assert accepted == [shown in fits] * 3
        assert [by_the_page(request, shown) for shown in (old, new)] == [fits[0] == old, fits[0] == new]
    assert [handled.id for handled in shop.handled] == [before.id, during.id]


def by_the_page(request: ReceivedRequest, shown: Any) -> bool:
    return bool(verify_signature(request.body, request.headers, shown["secret"].encode()))


def by_standardwebhooks(request: ReceivedRequest, shown: Any) -> bool:
    return _accepts(StandardWebhook(shown["standardWebhooksSecret"]).verify, request)


def by_svix(request: ReceivedRequest, shown: Any) -> bool:
    from svix.webhooks import Webhook  # takes half a second, and each process that runs tests loads this file

    return _accepts(Webhook(shown["standardWebhooksSecret"]).verify, request)


def by_the_kit(request: ReceivedRequest, shown: Any) -> bool:
    try:
        return Receiver(secrets=shown["secret"]).verify(request.body, request.headers).id == request.id
    except ReceiverError:
        return False


def _accepts(verify: Callable[[Any, Any], Any], request: ReceivedRequest) -> bool:
    try:
        verify(request.body.decode(), request.headers)
    except WebhookVerificationError:
        return False
    return True
