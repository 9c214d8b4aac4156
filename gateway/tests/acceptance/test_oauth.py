"""An endpoint that wants a token of its own token server, through a real gateway: alone, with workers, and on
PostgreSQL; over a token that ended, a token server that is away, and a restart."""

import base64
import secrets
from collections.abc import Iterator

import pytest
from gateway.tests.acceptance.conftest import Gateways
from gateway.tests.acceptance.test_master_key import keys_of, leave, rotate, until_settled
from gateway.tests.joints.api_of_node import OPERATOR_KEY
from gateway.tests.patience import ATTEMPT_TIMEOUT
from gateway.tests.token_server import CLIENT_SECRET, TOKEN, TokenServer, token_server

from signalpost_bench import postgres_server

pytestmark = pytest.mark.slow
PATIENT = [2, 2, 2, 5, 5, 10, 10, 60, 60, 60]
"""Retries enough for a slow machine to find the token server again."""
ONCE = {"retryDelays": [], "eventTypes": ["documentCreated"]}


@pytest.fixture
def server() -> Iterator[TokenServer]:
    with token_server() as made:
        yield made


@pytest.fixture(params=["alone", "with workers", "on PostgreSQL"])
def flags(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    if request.param != "on PostgreSQL":
        yield {"processes": "3"} if request.param == "with workers" else {}
        return
    with postgres_server.running(settings=postgres_server.THROWAWAY) as postgres:
        master_key = base64.b64encode(secrets.token_bytes(32)).decode()
        yield {
            "database_url": postgres.loopback_url(), "master_key": master_key, "public_url": "https://gateway.example",
            "attempt_timeout": f"{min(ATTEMPT_TIMEOUT, 15):g}", "operator_key": OPERATOR_KEY,
        }  # fmt: skip


def test_its_events_arrive_with_a_good_token_whatever_happens_to_that(
    gateways: Gateways, server: TokenServer, flags: dict[str, str]
) -> None:
    gateway = gateways(allow=server.origin, **flags)
    api = gateway.api

    def created() -> str:
        return str(api.events_of(api.create())[0]["id"])

    hook = api.subscribe(f"{server.origin}/a", oauth=server.client, eventTypes=["documentCreated"], retryDelays=PATIENT)
    api.subscribe(f"{server.origin}/b", **ONCE)
    for _ in range(2):
        api.until_delivery(hook, created(), "delivered")
    assert len(server.tokens_at("/a")) == 1

    server.end_tokens()
    renewed = api.until_delivery(hook, created(), "delivered", attempts=2)
    assert [(each["error"], each["counted"]) for each in renewed["attempts"]] == [("unauthorised", False), (None, True)]

    server.is_away = True
    gateway.kill()
    gateway.start()
    event = created()
    waiting = api.until_delivery(hook, event, "retrying")
    assert waiting["attempts"][0]["error"] == "token"
    assert f"It was asked for at {server.origin}." in waiting["attempts"][0]["detail"]
    server.is_away = False
    api.until_delivery(hook, event, "delivered", attempts=2)

    assert server.tokens_at("/b") == {None}
    shown = api.request("GET", f"/v1/subscriptions/{hook['id']}/deliveries?limit=250").body.decode()
    said = shown + gateway.stdout.read_text() + gateway.stderr.read_text()
    assert not any(secret in said for secret in (CLIENT_SECRET, TOKEN))


def test_its_secret_is_there_after_the_master_key_has_changed(gateways: Gateways, server: TokenServer) -> None:
    gateway = gateways(allow=server.origin)
    hook = gateway.api.subscribe(f"{server.origin}/a", oauth=server.client, **ONCE)
    assert rotate(gateway).returncode == 0
    until_settled(gateway)
    assert gateway.stop() == 0
    leave(gateway, keys_of(gateway)[0])
    gateway.start()
    event = gateway.api.events_of(gateway.api.create())[0]["id"]
    gateway.api.until_delivery(hook, event, "delivered")
