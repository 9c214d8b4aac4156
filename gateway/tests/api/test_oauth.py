"""Clients that ask for tokens of endpoints: given, shown without the secret, changed, taken away, tried."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from gateway.tests.token_server import CLIENT_SECRET, TOKEN, TokenServer, token_server

from signalpost.sender.addresses import parse_allow_targets

if TYPE_CHECKING:
    from gateway.tests.api.conftest import World


@pytest.fixture(scope="module")
def server() -> Iterator[TokenServer]:
    with token_server() as made:
        yield made


@pytest.fixture(scope="module")
def world(make_world: Callable[..., "World"], server: TokenServer) -> "World":
    return make_world(allow_targets=parse_allow_targets(server.origin))


def subscribe(world: "World", server: TokenServer, path: str = "/a", **more: Any) -> dict[str, Any]:
    usual = {"url": server.origin + path, "oauth": server.client, "headers": {}, "retryDelays": []}
    made: dict[str, Any] = world.create_subscription(**{**usual, **more})
    return made


def tried(world: "World", made: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = world.send("POST", f"/v1/subscriptions/{made['id']}/test").ok()
    return result


def test_it_is_shown_without_its_secret(world: "World", server: TokenServer) -> None:
    made = subscribe(world, server)
    path = f"/v1/subscriptions/{made['id']}"
    shown = world.get(path)
    assert shown.ok()["oauth"] == {
        "tokenUrl": f"{server.origin}/token", "clientId": "client", "scope": "", "credentialsIn": "header",
    }  # fmt: skip
    entries = world.get(f"/v1/audit?object={made['id']}")
    assert f'"client {server.origin}"'.encode() in entries.body
    document = world.create_document()
    [event] = world.get(f"/v1/events?externalId={document['externalId']}").ok()["data"]
    preview = world.send("POST", f"{path}/preview", {"eventId": event["event"]["id"]})
    assert b'"authorization":"Bearer [secret]"' in preview.body
    for answer in (shown, entries, preview, world.get("/v1/subscriptions")):
        assert CLIENT_SECRET.encode() not in answer.body


def test_a_test_carries_a_token_and_says_why_if_none_came(world: "World", server: TokenServer) -> None:
    made = subscribe(world, server, "/tested")
    result = tried(world, made)
    assert result["delivered"]
    assert ["authorization", "***"] in [[each["name"], each["value"]] for each in result["exchange"]["requestHeaders"]]
    assert server.tokens_at("/tested") == {f"Bearer {server.good}"}
    server.end_tokens()
    assert tried(world, made)["error"] == "unauthorised"
    assert tried(world, made)["delivered"]

    wrong = subscribe(world, server, "/wrong", oauth={**server.client, "clientSecret": "another"})
    result = tried(world, wrong)
    assert (result["error"], result["diagnosis"]["cause"]) == ("token", "no_token")
    assert "invalid_client" in result["detail"]
    assert server.tokens_at("/wrong") == set()
    draft = {"url": f"{server.origin}/draft", "eventTypes": ["documentCreated"], "oauth": server.client}
    assert world.send("POST", "/v1/subscriptions/test", draft).ok()["delivered"]


def test_the_ten_cases_carry_the_token_and_a_refused_one_says_nothing_of_it(
    world: "World", server: TokenServer
) -> None:
    made = subscribe(world, server, "/cases")
    assert tried(world, made)["delivered"]
    world.send("POST", f"/v1/subscriptions/{made['id']}/test-run").ok()
    assert server.tokens_at("/cases") == {f"Bearer {server.good}"}


def test_a_patch_changes_it_whole_and_takes_it_away(world: "World", server: TokenServer) -> None:
    made = subscribe(world, server, "/changed")
    path = f"/v1/subscriptions/{made['id']}"
    world.send("PATCH", path, {"name": "Other"}).ok()
    assert tried(world, made)["delivered"]
    wrong = world.send("PATCH", path, {"oauth": {"tokenUrl": "https://elsewhere.example/token", "clientId": "client"}})
    wrong.refused(422, "/oauth/clientSecret")
    assert "oauth" not in world.send("PATCH", path, {"oauth": None}).ok()
    assert tried(world, made)["statusCode"] == 401
    assert None in server.tokens_at("/changed")


def test_its_tokens_go_to_no_other_origin_than_it_was_given_for(world: "World", server: TokenServer) -> None:
    path = f"/v1/subscriptions/{subscribe(world, server)['id']}"
    moved = world.send("PATCH", path, {"url": "https://elsewhere.example/"})
    assert moved.refused(422, "/oauth")["errors"][0]["code"] == "give_again"
    assert world.send("PATCH", path, {"url": f"{server.origin}/other"}).status == 200
    assert world.send("PATCH", path, {"url": "https://elsewhere.example/", "oauth": server.client}).status == 200


@pytest.mark.parametrize("path", ["/v1/subscriptions", "/v1/subscriptions/check", "/v1/subscriptions/test"])
def test_what_cannot_be_used_is_named(world: "World", server: TokenServer, path: str) -> None:
    body = {"url": "https://endpoint.example/", "eventTypes": ["documentCreated"]}
    old = {"header": "Authorization", "secret": "known of old"}
    for members, at, code in (
        ({"oauth": {**server.client, "tokenUrl": "https://127.0.0.1/token"}}, "/oauth/tokenUrl", "address_refused"),
        ({"oauth": {**server.client, "tokenUrl": "login.example"}}, "/oauth/tokenUrl", "not_https"),
        ({"oauth": {**server.client, "credentialsIn": "cookie"}}, "/oauth/credentialsIn", "not_allowed"),
        ({"oauth": {**server.client, "clientSecret": "two\r\nlines"}}, "/oauth/clientSecret", "wrong_form"),
        ({"oauth": server.client, "headers": {"AUTHORIZATION": "Basic x"}}, "/oauth", "header_taken"),
        ({"oauth": server.client, "signAlso": [old]}, "/oauth", "header_taken"),
    ):
        problem = world.send("POST", path, {**body, **members}).refused(422, at)
        assert problem["errors"][0]["code"] == code


def test_no_header_takes_the_place_of_the_token_later(world: "World", server: TokenServer) -> None:
    path = f"/v1/subscriptions/{subscribe(world, server)['id']}"
    world.send("PATCH", path, {"headers": {"Authorization": "Basic x"}}).refused(422, "/oauth")
    world.send("PATCH", path, {"headers": {"Authorization": "Basic x"}, "oauth": None}).ok()
    world.send("PATCH", path, {"oauth": server.client}).refused(422, "/oauth")


def test_a_shadow_has_its_own_and_a_promotion_swaps_them(world: "World", server: TokenServer) -> None:
    made = subscribe(world, server, "/original")
    new = {"shadowOf": made["id"], "url": f"{server.origin}/new", "oauth": {**server.client, "scope": "new"}}
    shadow = world.send("POST", "/v1/subscriptions", new).ok(201)
    world.send("POST", f"/v1/subscriptions/{shadow['id']}/promote", {"anyway": True}).ok()
    assert world.get(f"/v1/subscriptions/{made['id']}").ok()["oauth"]["scope"] == "new"
    assert world.get(f"/v1/subscriptions/{shadow['id']}").ok()["oauth"]["scope"] == ""
    assert tried(world, made)["delivered"]
    assert TOKEN in str(server.tokens_at("/new"))
