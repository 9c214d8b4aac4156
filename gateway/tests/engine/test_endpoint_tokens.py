"""Webhooks whose endpoints want a token: asked for once, renewed in time and after a 401, and what happens if none
comes."""

import asyncio
import json
from base64 import b64decode, b64encode
from urllib.parse import parse_qsl

import pytest
from gateway.tests.bodies import subscription_patch
from gateway.tests.engine.scripted_world import TENANT, RunningGateway, ScriptedWorld
from gateway.tests.engine.test_engine_notice_kinds import log_of_notices, until_open, until_told_to_be_over
from gateway.tests.world.network import Reply, SentRequest, VendorCall, VendorReply
from gateway.tests.world.vendors import HOST, ORIGIN, SECRET, TOKEN_PATH, FakeVendor

from signalpost.commands.erasures import EraseDocument
from signalpost.commands.subscriptions import PatchSubscription
from signalpost.domain.delivery.delivery import State
from signalpost.domain.delivery.outcome import Failure

pytest_plugins = ["gateway.tests.engine.engine_fixtures"]

CLIENT = {"tokenUrl": ORIGIN + TOKEN_PATH, "clientId": "client", "clientSecret": SECRET, "scope": "hooks"}
AWAY = VendorReply(503, b'{"error": "busy"}', {"retry-after": "30"})


@pytest.fixture
def server(world: ScriptedWorld) -> FakeVendor:
    """The token endpoint, and an endpoint `a` that takes the tokens that are good."""
    vendor = world.vendors[HOST] = FakeVendor()

    def answer(sent: SentRequest) -> Reply:
        token = vendor.tokens.get(sent.headers.get("authorization", "").removeprefix("Bearer "))
        return Reply() if token is not None and token.ends_at > sent.at else Reply(status=401)

    world.endpoint("a").answer = answer
    return vendor


def attempts(world: ScriptedWorld, sequence: int) -> list[tuple[str | None, int]]:
    return [(each.failure, each.counted) for each in world.attempts("a", sequence)]


def test_one_token_is_asked_for_by_all_who_wait_and_renewed_before_its_end(
    world: ScriptedWorld, server: FakeVendor
) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", oauth=CLIENT)
        await gateway.subscribe("b")
        await gateway.create(*"defg")
        await gateway.until(lambda: len(world.endpoint("a").sequences) == 4)
        assert len(server.token_calls) == 1
        await asyncio.sleep(server.token_seconds - 50)
        await gateway.create("h")
        await gateway.until(lambda: len(world.endpoint("a").sequences) == 5)

    world.run(scenario)
    assert len(server.token_calls) == 2
    call = server.token_calls[0]
    assert call.headers["authorization"] == "Basic " + b64encode(f"client:{SECRET}".encode()).decode()
    assert dict(parse_qsl(call.body.decode())) == {"grant_type": "client_credentials", "scope": "hooks"}
    assert {each.headers["authorization"] for each in world.endpoint("a").calls} == {"Bearer token-1", "Bearer token-2"}
    assert not any("authorization" in each.headers for each in world.endpoint("b").calls)
    assert {failure for sequence in range(1, 6) for failure, _ in attempts(world, sequence)} == {None}


def test_id_and_secret_are_encoded_before_they_go_in_the_header(world: ScriptedWorld, server: FakeVendor) -> None:
    """RFC 6749, 2.3.1. A colon in the id would be taken for the end of it."""
    secret = "p:ss w%rd&+"

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", oauth={**CLIENT, "clientId": "a:client", "clientSecret": secret})
        await gateway.create("d")
        await gateway.until(lambda: world.endpoint("a").sequences == [1])

    world.run(scenario)
    [call] = server.token_calls
    said = b64decode(call.headers["authorization"].removeprefix("Basic ")).decode()
    assert said == "a%3Aclient:p%3Ass+w%25rd%26%2B"


def test_id_and_secret_go_in_the_form_if_that_is_asked_for(world: ScriptedWorld, server: FakeVendor) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", oauth={**CLIENT, "credentialsIn": "form"})
        await gateway.create("d")
        await gateway.until(lambda: world.endpoint("a").sequences == [1])

    world.run(scenario)
    [call] = server.token_calls
    assert "authorization" not in call.headers
    sent = dict(parse_qsl(call.body.decode()))
    assert (sent["client_id"], sent["client_secret"]) == ("client", SECRET)


def test_a_401_to_a_token_that_was_good_costs_no_attempt(world: ScriptedWorld, server: FakeVendor) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", oauth=CLIENT)
        await gateway.create("d")
        await gateway.until(lambda: world.endpoint("a").sequences == [1])
        server.end_tokens()
        await gateway.create("e")
        await gateway.until(lambda: world.endpoint("a").sequences == [1, 2])
        await gateway.until_recorded()

    world.run(scenario)
    assert attempts(world, 2) == [("unauthorised", 0), (None, 1)]
    assert len(server.token_calls) == 2


def test_an_endpoint_that_refuses_every_token_fails_its_deliveries_and_costs_a_token_a_minute(
    world: ScriptedWorld, server: FakeVendor
) -> None:
    """The endpoint takes some events with the same tokens, which it never does for others."""
    good = world.endpoint("a").answer
    world.endpoint("a").answer = lambda sent: good(sent) if sent.sequence % 2 else Reply(status=401)
    server.token_seconds = 1e6

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", oauth=CLIENT)
        began = gateway.loop.time()
        for number in range(40):
            await gateway.create(f"d{number}")
            await asyncio.sleep(0.5)
        await gateway.until(
            lambda: [row.state for row in world.deliveries("a").values()] == [State.FAILED] * 20, 10_000, every=30
        )
        assert len(server.token_calls) <= 2 + (gateway.loop.time() - began) / 60

    world.run(scenario)
    assert {sum(counted for _, counted in attempts(world, sequence)) for sequence in range(2, 42, 2)} == {4}


def test_a_token_endpoint_that_is_away_fails_the_attempt_which_says_so(
    world: ScriptedWorld, server: FakeVendor
) -> None:
    server.give = lambda _call: AWAY

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", oauth=CLIENT)
        await gateway.create("d", "e")
        await gateway.until(lambda: bool(server.token_calls))
        await gateway.until_recorded()
        assert "the vendor answered 503" in str(gateway.health("a")["lastError"])
        assert [call.at for call in server.token_calls] == [server.token_calls[0].at]
        server.give = lambda _call: None
        await gateway.until(lambda: len(world.endpoint("a").sequences) == 2)
        await gateway.until_recorded()

    world.run(scenario)
    assert server.token_calls[1].at - server.token_calls[0].at >= 30, "it asked to wait"
    [failed, delivered] = world.attempts("a", 1)
    assert (failed.failure, failed.counted, delivered.failure) == (Failure.TOKEN, 1, None)
    assert failed.status is None
    assert failed.detail == f"No token came: the vendor answered 503 (busy). It was asked for at {ORIGIN}."


def test_a_client_that_is_refused_disables_nothing_and_its_new_secret_counts_at_once(
    world: ScriptedWorld, server: FakeVendor
) -> None:
    server.refuses = "invalid_client"

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", oauth=CLIENT)
        await gateway.create("d")
        await gateway.until(lambda: bool(server.token_calls))
        await gateway.until_recorded()
        assert gateway.of("a").status == "active"
        assert "invalid_client" in str(gateway.health("a")["lastError"])
        server.refuses = None
        patch = subscription_patch(oauth={**CLIENT, "clientSecret": "another secret"})
        await gateway.submit(PatchSubscription(tenant_id=1, subscription_id=world.ids["a"], patch=patch))
        await gateway.retry("a", 1)
        await gateway.until(lambda: world.endpoint("a").sequences == [1])

    world.run(scenario)
    assert [failure for failure, _ in attempts(world, 1)] == [Failure.TOKEN, None]


def test_a_document_that_is_erased_while_an_attempt_waits_for_a_token_is_not_sent(
    world: ScriptedWorld, server: FakeVendor
) -> None:
    server.give = lambda _call: VendorReply(200, b'{"access_token": "late"}', after=5.0)
    world.endpoint("a").answer = lambda _sent: Reply()

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", types=1, oauth=CLIENT)
        await gateway.create("gone")
        await gateway.until(lambda: bool(server.token_calls))
        gone, erasure = world.uuid("gone"), world.uuid("erasure")
        erase = EraseDocument(tenant_id=TENANT, tenant="default", document_id=gone, erasure_id=erasure)
        await gateway.submit(world.delete("gone"), erase)
        await gateway.create("another")
        await gateway.until(lambda: bool(world.endpoint("a").calls))
        await asyncio.sleep(60)

    world.run(scenario)
    assert world.endpoint("a").sequences == [3]


def test_an_attempt_that_waits_for_a_token_as_the_gateway_stops_does_not_count(
    world: ScriptedWorld, server: FakeVendor
) -> None:
    server.give = lambda _call: VendorReply(200, b"{}", after=9.0)

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", oauth=CLIENT)
        await gateway.create("d")
        await gateway.until(lambda: bool(server.token_calls))

    async def again(gateway: RunningGateway) -> None:
        await gateway.until(lambda: world.endpoint("a").sequences == [1])

    world.run(scenario, grace=1.0)
    assert [counted for _, counted in attempts(world, 1)] in ([], [0])
    server.give = lambda _call: None
    world.run(again)
    assert world.endpoint("a").calls[0].attempt == 1


@pytest.mark.parametrize("token", ["two words\r\nx-other: 1", "", 5, None, "é", "x" * 9_000])
def test_a_token_that_no_header_can_have_is_not_sent(world: ScriptedWorld, server: FakeVendor, token: object) -> None:
    server.give = lambda _call: VendorReply(200, json.dumps({"access_token": token}).encode())

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", oauth=CLIENT)
        await gateway.create("d")
        await gateway.until(lambda: bool(server.token_calls))
        await gateway.until_recorded()

    world.run(scenario)
    assert attempts(world, 1) == [(Failure.TOKEN, 1)]
    assert world.endpoint("a").calls == []


@pytest.mark.parametrize("kind", ["MAC", "DPoP", "N_A", "", 7, ["Bearer"]])
def test_a_token_of_another_type_than_bearer_is_refused_with_its_name(
    world: ScriptedWorld, server: FakeVendor, kind: object
) -> None:
    """RFC 6749, 7.1: a client must not use a token whose type it does not understand."""
    server.give = lambda _call: VendorReply(200, json.dumps({"access_token": "good", "token_type": kind}).encode())

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", oauth=CLIENT, retryDelays=[])
        await gateway.create("d")
        await gateway.until(lambda: bool(world.attempts("a", 1)), every=1)

    world.run(scenario)
    [attempt] = world.attempts("a", 1)
    assert (attempt.failure, world.endpoint("a").calls) == (Failure.TOKEN, [])
    assert str(attempt.detail).startswith(f"The token is of the type {kind}.")


@pytest.mark.parametrize("kind", [{"token_type": "Bearer"}, {"token_type": "bEaReR"}, {}])
def test_the_type_of_a_token_may_be_in_any_letters_and_may_be_missing(
    world: ScriptedWorld, server: FakeVendor, kind: dict[str, str]
) -> None:
    world.endpoint("a").answer = lambda _sent: Reply()
    server.give = lambda _call: VendorReply(200, json.dumps({"access_token": "good", **kind}).encode())

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", oauth=CLIENT)
        await gateway.create("d")
        await gateway.until(lambda: world.endpoint("a").sequences == [1])

    world.run(scenario)


@pytest.mark.parametrize(
    "reply",
    [
        VendorReply(302, b"", {"location": f"{ORIGIN}/elsewhere"}),
        VendorReply(200, b'{"access_token": "late"}', after=60.0),
    ],
    ids=["redirect", "slow"],
)
def test_a_token_endpoint_that_misbehaves_fails_the_attempt_and_nothing_is_sent(
    world: ScriptedWorld, server: FakeVendor, reply: VendorReply
) -> None:
    server.give = lambda _call: reply

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", oauth=CLIENT, retryDelays=[])
        await gateway.create("d")
        await gateway.until(lambda: bool(world.attempts("a", 1)), every=1)

    world.run(scenario)
    assert attempts(world, 1) == [(Failure.TOKEN, 1)]
    assert len(server.token_calls) == 1
    assert world.endpoint("a").calls == []


def test_neither_secret_nor_token_is_in_what_is_kept(world: ScriptedWorld, server: FakeVendor) -> None:
    """Neither if the endpoint or the token endpoint repeat them."""
    token = "t0k3n-of-the-endpoint"
    server.give = lambda _call: VendorReply(200, json.dumps({"access_token": token}).encode())
    world.endpoint("a").answer = lambda sent: Reply(
        status=500, body=f"refused {sent.headers['authorization']}".encode()
    )

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", oauth=CLIENT, retryDelays=[1])
        await gateway.create("d")
        await gateway.until(lambda: len(world.attempts("a", 1)) == 2, every=1)
        server.give = lambda _call: VendorReply(500, json.dumps({"error": f"no use with {SECRET}"}).encode())
        gateway.of("a")
        patch = subscription_patch(oauth={**CLIENT, "scope": "other"})
        await gateway.submit(PatchSubscription(tenant_id=1, subscription_id=world.ids["a"], patch=patch))
        await gateway.create("e")
        await gateway.until(lambda: len(world.attempts("a", 2)) == 2, every=1)

    world.run(scenario)
    kept = [each for sequence in (1, 2) for each in world.attempts("a", sequence)]
    assert kept[0].answer == b"refused Bearer [secret]"
    assert kept[-1].detail.startswith("No token came: the vendor answered 500 (no use with [secret]).")
    for each in kept:
        assert not any(secret in repr(each) for secret in (token, SECRET))


def test_that_no_token_comes_is_told_to_operators_until_one_comes(world: ScriptedWorld, server: FakeVendor) -> None:
    world.look_every = 30.0
    server.give = lambda _call: VendorReply(503)

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", oauth=CLIENT, retryDelays=[600] * 4)
        await gateway.create("d")
        await until_open(gateway, "subscriptionFailing", within=1_200)
        await asyncio.sleep(120)
        server.give = lambda _call: None
        await gateway.until(lambda: world.endpoint("a").sequences == [1], every=5)
        await until_told_to_be_over(gateway)

    world.run(scenario)
    told = log_of_notices(world)
    assert [each["what"] for each in told] == ["opened", "closed"]
    assert f"No token came: the vendor answered 503. It was asked for at {ORIGIN}." in told[0]["sentence"]


def test_a_secret_that_is_changed_while_a_token_is_asked_for_counts_from_the_next_attempt(
    world: ScriptedWorld, server: FakeVendor
) -> None:
    new = "the-new-secret-of-the-client"

    def give(call: VendorCall) -> VendorReply | None:
        said = b64decode(call.headers["authorization"].removeprefix("Basic ")).decode()
        return None if said == f"client:{new}" else VendorReply(400, b'{"error": "invalid_client"}', after=3.0)

    server.give = give

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", oauth=CLIENT)
        await gateway.create("d")
        await gateway.until(lambda: bool(server.token_calls))
        patch = subscription_patch(oauth={**CLIENT, "clientSecret": new})
        await gateway.submit(PatchSubscription(tenant_id=1, subscription_id=world.ids["a"], patch=patch))
        await gateway.create("e")
        await gateway.until(lambda: sorted(world.endpoint("a").sequences) == [1, 2])
        await gateway.until_recorded()

    world.run(scenario)
    assert attempts(world, 1) == [(Failure.TOKEN, 1), (None, 1)]
    assert attempts(world, 2) == [(None, 1)]
    assert len(server.token_calls) == 2
