"""A secret's rotation as a receiver and an owner see it (C21)."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gateway.tests.acceptance.client import Client, until
from gateway.tests.acceptance.gateway_process import GatewayProcess
from gateway.tests.acceptance.page import verify_signature
from gateway.tests.acceptance.receiver import FAIL, Endpoint, ReceivedRequest, first
from standardwebhooks import Webhook as StandardWebhook

from signalpost_receiver import Receiver

Endpoints = Callable[..., Endpoint]
OWN = "an owner's own, ü"
PAGE, ALTERNATE, STANDARD = "plexus-webhook-signature", "plexus-webhook-signature-alternate", "webhook-signature"


def rotate(api: Client, subscription: Any, **asked: Any) -> Any:
    return api.ask("POST", f"/v1/subscriptions/{subscription['id']}/secret/rotate", asked or None)


def promote(api: Client, subscription: Any) -> Any:
    return api.ask("POST", f"/v1/subscriptions/{subscription['id']}/secret/promote")


def next_request(api: Client, hook: Endpoint) -> ReceivedRequest:
    """The first request of an event that is made now."""
    (event,) = api.events_of(api.create())
    return hook.until_of(event["id"], 1)[0]


def page_accepts(request: ReceivedRequest, secret: str) -> bool:
    return bool(verify_signature(request.body, request.headers, secret.encode()))


def all_accept(request: ReceivedRequest, shown: Any) -> None:
    """The receiver kit and the Standard Webhooks library, each with the form of the secret that it is given."""
    assert Receiver(secrets=shown["secret"]).verify(request.body, request.headers).id == request.id
    StandardWebhook(shown["standardWebhooksSecret"]).verify(request.body.decode(), request.headers)


def none_accepts(request: ReceivedRequest, shown: Any) -> None:
    with pytest.raises(Exception, match="no signature fits"):
        Receiver(secrets=shown["secret"]).verify(request.body, request.headers)
    with pytest.raises(Exception, match="No matching signature"):
        StandardWebhook(shown["standardWebhooksSecret"]).verify(request.body.decode(), request.headers)


@pytest.mark.parametrize(("before", "after"), [({}, {}), ({}, {"secret": OWN}), ({"secret": OWN}, {})])
def test_during_the_overlap_both_secrets_sign_and_after_a_promotion_only_the_new_one(
    api: Client, endpoint: Endpoints, before: Any, after: Any
) -> None:
    """C19–C21"""
    hook = endpoint()
    old = api.subscribe(hook.url, **before)
    new = rotate(api, old, **after)
    assert new["secret"] != old["secret"]
    if after:
        assert new["secret"] == OWN
        assert base64.b64decode(new["standardWebhooksSecret"].removeprefix("whsec_")) == OWN.encode()

    request = next_request(api, hook)
    assert page_accepts(request, old["secret"])
    alternate = {PAGE: request.headers[ALTERNATE]}
    assert verify_signature(request.body, alternate, new["secret"].encode())
    names = [line.split(":")[0] for line in request.header_lines]
    assert [names.count(name) for name in (PAGE, ALTERNATE, STANDARD)] == [1, 1, 1]
    entries = request.headers[STANDARD].split(" ")
    assert [entry[:3] for entry in entries] == ["v1,", "v1,"]
    for shown, entry in ((old, entries[0]), (new, entries[1])):
        all_accept(request, shown)
        alone = {**request.headers, STANDARD: entry}
        StandardWebhook(shown["standardWebhooksSecret"]).verify(request.body.decode(), alone)

    assert promote(api, old)["rotationEndsAt"] is None
    request = next_request(api, hook)
    assert page_accepts(request, new["secret"])
    assert not page_accepts(request, old["secret"])
    assert ALTERNATE not in request.headers
    assert request.headers[STANDARD].count("v1,") == 1
    all_accept(request, new)
    none_accepts(request, old)


def test_without_an_overlap_the_new_secret_is_the_only_one_at_once(api: Client, endpoint: Endpoints) -> None:
    hook = endpoint()
    old = api.subscribe(hook.url)
    new = rotate(api, old, overlapHours=0)
    assert new["rotationEndsAt"] is None
    request = next_request(api, hook)
    assert page_accepts(request, new["secret"])
    assert ALTERNATE not in request.headers
    all_accept(request, new)
    none_accepts(request, old)


def test_a_receiver_that_changes_its_secret_in_the_overlap_refuses_nothing(api: Client, endpoint: Endpoints) -> None:
    """The receiver knows the old secret, then both, then the new one; some deliveries need a retry meanwhile."""
    hook = endpoint(first(FAIL, then=FAIL._replace(status=200)))
    old = api.subscribe(hook.url)
    requests = [next_request(api, hook)]
    new = rotate(api, old)
    requests.append(next_request(api, hook))
    both = Receiver(secrets=[new["secret"], old["secret"]])
    promote(api, old)
    requests.append(next_request(api, hook))
    hook.until(6)
    for request in hook.requests:
        assert both.verify(request.body, request.headers).id == request.id
    retried = hook.until_of(requests[-1].id, 2)
    assert [page_accepts(request, new["secret"]) for request in retried] == [True, True]


@pytest.mark.slow
@pytest.mark.parametrize("kill", [True, False])
def test_a_restart_in_the_middle_goes_on_with_both(
    gateways: Callable[..., GatewayProcess], endpoint: Endpoints, *, kill: bool
) -> None:
    hook = endpoint()
    gateway = gateways()
    old = gateway.api.subscribe(hook.url)
    new = rotate(gateway.api, old)
    if kill:
        gateway.kill()
        gateway.start()
    else:
        gateway.restart()
    request = next_request(gateway.api, hook)
    assert page_accepts(request, old["secret"])
    all_accept(request, old)
    all_accept(request, new)
    assert gateway.api.subscription(old)["rotationEndsAt"] == new["rotationEndsAt"]
    promote(gateway.api, old)
    all_accept(next_request(gateway.api, hook), new)


@pytest.mark.slow
def test_no_secret_of_a_rotation_is_in_the_database_or_the_logs(
    gateways: Callable[..., GatewayProcess], endpoint: Endpoints
) -> None:
    """A rotation that was repeated with its Idempotency-Key leaves none either."""
    hook = endpoint()
    gateway = gateways(log_level="debug")
    api = gateway.api
    old = api.subscribe(hook.url)
    path = f"/v1/subscriptions/{old['id']}/secret/rotate"
    new = api.ask("POST", path, {"secret": "the owner's new secret"}, idempotency_key="k")
    assert api.ask("POST", path, {"secret": "the owner's new secret"}, idempotency_key="k") == new
    next_request(api, hook)
    until(lambda: not api.deliveries(old, status="pending"))
    secrets = [shown[name] for shown in (old, new) for name in ("secret", "standardWebhooksSecret")]

    def found(*files: Path) -> list[str]:
        kept = b"".join(file.read_bytes() for file in files)
        return [secret for secret in secrets if secret.removeprefix("whsec_").encode() in kept]

    database = sorted(gateway.data_dir.glob("signalpost.db*"))
    assert len(database) > 1, "its WAL is looked through as well"
    assert found(*database, gateway.stderr, gateway.stdout) == []
    for answer in (api.subscription(old), api.ask("GET", "/v1/subscriptions"), api.change_subscription(old, name="x")):
        assert [secret for secret in secrets if secret in json.dumps(answer, ensure_ascii=False)] == []
    assert gateway.stop() == 0
    assert found(*gateway.data_dir.glob("signalpost.db*"), gateway.stderr) == []
