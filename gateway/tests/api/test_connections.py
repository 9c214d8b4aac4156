"""Connections over HTTP, and subscriptions that use them: what is taken, what is shown, what is refused."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from gateway.tests.destinations.kinds import PEM

from signalpost.sender.addresses import parse_allow_targets

if TYPE_CHECKING:
    from gateway.tests.api.conftest import World

CANARY = "xoxb-0123456789-canary"
BOT = {"kind": "slack", "name": "Ours", "config": {"signIn": {"with": "bot", "token": CANARY, "channel": "#legal"}}}
UPDATES = {"eventTypes": ["documentUpdated"], "status": "paused"}
EXECUTED = {"field": "document.status", "changedTo": "executed"}
SHAPE = ["id", "kind", "name", "state", "reason", "heldUntil", "account", "createdAt", "updatedAt", "config"]


@pytest.fixture
def connection(world: "World") -> dict[str, Any]:
    made: dict[str, Any] = world.send("POST", "/v1/connections", BOT).ok(201)
    return made


def path_of(connection: dict[str, Any]) -> str:
    return f"/v1/connections/{connection['id']}"


def message(connection: dict[str, Any], **more: Any) -> dict[str, Any]:
    config = {"text": "*{{ document.title }}* is signed."}
    return {"kind": "slack", "connection": connection["id"], "config": config, **UPDATES, **more}


# --- Destinations -----------------------------------------------------------------------------------------------------


def test_the_kinds_are_listed_with_what_each_asks_for(world: "World") -> None:
    kinds = {each["kind"]: each for each in world.get("/v1/destinations").ok()["data"]}
    assert {"slack", "http"} <= set(kinds)
    slack = kinds["slack"]
    assert slack["title"] == "Slack"
    assert {"connection", "config"} <= set(slack)
    assert any(preset["name"] == "slack-executed" and preset["inputs"] for preset in slack["presets"])
    assert "password" in str(slack["connection"])


# --- Connections ------------------------------------------------------------------------------------------------------


def test_a_connection_shows_no_secret_to_anyone(world: "World", connection: dict[str, Any]) -> None:
    assert list(connection) == SHAPE
    assert connection["config"] == {"signIn": {"with": "bot", "token": None, "channel": "#legal"}}
    assert (connection["state"], connection["reason"]) == ("ready", None)
    listed = world.get("/v1/connections?limit=250")
    assert connection in listed.ok()["data"]
    patched = world.send("PATCH", path_of(connection), {"name": "Theirs"})
    assert patched.ok()["name"] == "Theirs"
    for answer in (world.get(path_of(connection)), listed, patched):
        assert CANARY.encode() not in answer.body


def test_a_connection_has_an_etag_that_changes_hold(world: "World", connection: dict[str, Any]) -> None:
    assert world.get(path_of(connection)).headers["etag"] == '"1"'
    refused = world.send("PATCH", path_of(connection), {"name": "x"}, {"if-match": '"7"'})
    refused.refused(412)
    assert world.send("PATCH", path_of(connection), {"name": "x"}, {"if-match": '"1"'}).headers["etag"] == '"2"'


def test_a_repeated_creation_makes_one_connection(world: "World") -> None:
    first = world.send("POST", "/v1/connections", BOT, {"idempotency-key": "connect-once"})
    again = world.send("POST", "/v1/connections", BOT, {"idempotency-key": "connect-once"})
    assert again.ok(201) == first.ok(201)
    assert again.headers["idempotent-replayed"] == "true"


def test_a_patch_keeps_the_secrets_that_it_shows_as_null(world: "World", connection: dict[str, Any]) -> None:
    config = {"signIn": {**connection["config"]["signIn"], "channel": "#sales"}}
    assert world.send("PATCH", path_of(connection), {"config": config}).ok()["config"] == config
    subscription = world.send("POST", "/v1/subscriptions", message(connection)).ok(201)
    assert subscription["url"] == "https://slack.com"
    other = {"signIn": {"with": "webhook", "url": None}}
    world.send("PATCH", path_of(connection), {"config": other}).refused(422, "/config/signIn/url")


def test_a_patch_changes_what_it_names_and_null_takes_away(world: "World", connection: dict[str, Any]) -> None:
    path = path_of(connection)

    def patched(**config: Any) -> dict[str, Any]:
        changed: dict[str, Any] = world.send("PATCH", path, {"config": config}).ok()["config"]
        return changed

    sign_in = {"with": "bot", "token": None, "channel": "#sales"}
    assert patched(signIn={"channel": "#sales"}) == {"signIn": sign_in}
    again = {"signIn": {"token": CANARY}, "standIn": "https://proxy.example.com"}
    assert patched(**again) == {"signIn": sign_in, "standIn": "https://proxy.example.com"}
    assert patched(signIn={"token": CANARY, "channel": None}, standIn=None) == {"signIn": {**sign_in, "channel": None}}


def test_a_secret_goes_to_another_address_only_if_it_is_given_again(world: "World", connection: dict[str, Any]) -> None:
    elsewhere = {"standIn": "https://evil.example.com"}
    refused = world.send("PATCH", path_of(connection), {"config": elsewhere})
    refused.refused(422, "/config/signIn/token")
    assert "evil.example.com" in refused.body.decode()
    assert "standIn" not in world.get(path_of(connection)).ok()["config"]
    kept = {"signIn": {"with": "bot", "token": None}, **elsewhere}
    world.send("PATCH", path_of(connection), {"config": kept}).refused(422, "/config/signIn/token")
    given = {"signIn": {"token": CANARY}, **elsewhere}
    assert world.send("PATCH", path_of(connection), {"config": given}).ok()["config"]["standIn"] == elsewhere["standIn"]
    world.send("PATCH", path_of(connection), {"config": {"standIn": None}}).refused(422, "/config/signIn/token")


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, ["/kind", "/config"]),
        ({"kind": "webhook", "config": {}}, ["/kind"]),
        ({"kind": "slakc", "config": {}, "more": 1}, ["/kind", "/more"]),
        ({"kind": "slack", "config": []}, ["/config"]),
        ({"kind": "slack", "config": {}}, ["/config/signIn"]),
        ({"kind": "slack", "config": {"signIn": {"with": "bot", "token": 5, "x": 1}}},
         ["/config/signIn/token", "/config/signIn/x"]),
        ({"kind": "http", "config": {"origin": "http://127.0.0.1:1", "signIn": {"with": "nothing"}}},
         ["/config/origin"]),
        ({"kind": "http", "config": {"origin": "https://10.0.0.1", "signIn": {"with": "nothing"}}}, ["/config/origin"]),
    ],
)  # fmt: skip
def test_what_no_kind_takes_is_refused_by_name_and_nothing_is_kept(
    world: "World", body: dict[str, Any], pointers: list[str]
) -> None:
    before = world.get("/v1/connections").ok()
    world.send("POST", "/v1/connections", body).refused(422, *pointers)
    assert world.get("/v1/connections").ok() == before


def test_a_key_file_brings_its_account_and_shows_no_key(world: "World") -> None:
    def key_file(account: str) -> str:
        return json.dumps({"type": "service_account", "private_key": PEM, "client_email": account})

    sign_in = {"with": "serviceAccount", "privateKey": key_file("one@example.com")}
    made = world.send("POST", "/v1/connections", {"kind": "google_calendar", "config": {"signIn": sign_in}})
    shown = {"with": "serviceAccount", "clientEmail": "one@example.com", "privateKey": None}
    assert made.ok(201)["config"] == {"signIn": shown}
    another = {"config": {"signIn": {"privateKey": key_file("other@example.com")}}}
    patched = world.send("PATCH", path_of(made.ok(201)), another)
    assert patched.ok()["config"] == {"signIn": {**shown, "clientEmail": "other@example.com"}}
    assert b"PRIVATE" not in made.body + patched.body


def test_what_may_be_a_secret_in_a_url_is_struck_out_and_kept_by_what_was_shown(world: "World") -> None:
    url = "https://login.example.com/token?tenant=7&code=canary-of-a-query"
    struck = "https://login.example.com/token?tenant=***&code=***"
    sign_in = {"with": "clientCredentials", "tokenUrl": url, "clientId": "me", "clientSecret": "s3cr3t"}
    config = {"origin": "https://api.example.com", "signIn": sign_in}
    made = world.send("POST", "/v1/connections", {"kind": "http", "config": config})
    path = path_of(made.ok(201))

    def kept() -> str:
        found = world.gateway._services.directory.connection(1, made.ok(201)["id"])
        assert found is not None
        return str(found.config["signIn"]["tokenUrl"])

    assert made.ok(201)["config"]["signIn"]["tokenUrl"] == struck
    assert kept() == url
    shown = world.get(path).ok()["config"]
    for patch in ({"config": shown}, {"config": {"signIn": {"tokenUrl": struck, "clientId": "other"}}}, {"name": "x"}):
        answer = world.send("PATCH", path, patch)
        assert answer.ok()["config"]["signIn"]["tokenUrl"] == struck
        assert b"canary" not in answer.body
        assert kept() == url
    assert b"canary" not in world.get("/v1/connections").body
    other = {"signIn": {"tokenUrl": "https://login.example.com/other?code=***"}}
    world.send("PATCH", path, {"config": other}).refused(422, "/config/signIn/tokenUrl")
    moved = {"signIn": {"tokenUrl": "https://login.example.com/other?code=new-canary"}}
    world.send("PATCH", path, {"config": moved}).ok()
    assert kept().endswith("other?code=new-canary")


def test_an_address_that_the_operator_allows_is_taken(make_world: Callable[..., "World"]) -> None:
    world = make_world(allow_targets=parse_allow_targets("http://127.0.0.1:9"))
    config = {"origin": "http://127.0.0.1:9", "signIn": {"with": "bearer", "token": "t0ken"}}
    made = world.send("POST", "/v1/connections", {"kind": "http", "config": config}).ok(201)
    assert made["name"] == "HTTP service"
    patched = world.send("PATCH", path_of(made), {"config": {"origin": "http://10.1.2.3"}})
    patched.refused(422, "/config/origin")


def test_a_connection_goes_once_nothing_uses_it(world: "World", connection: dict[str, Any]) -> None:
    made = world.send("POST", "/v1/subscriptions", message(connection)).ok(201)
    refused = world.send("DELETE", path_of(connection)).refused(409, code="connection_in_use")
    assert refused["subscriptions"] == [made["id"]]
    assert world.send("DELETE", f"/v1/subscriptions/{made['id']}").status == 204
    assert world.send("DELETE", path_of(connection)).status == 204
    assert world.get(path_of(connection)).status == 404


# --- Subscriptions ----------------------------------------------------------------------------------------------------


def test_a_subscription_of_a_kind_shows_what_it_sends_and_where(world: "World", connection: dict[str, Any]) -> None:
    after = {"seconds": 259_200, "if": {"field": "document.status", "is": "awaitingApproval"}}
    made = world.send("POST", "/v1/subscriptions", message(connection, when=EXECUTED, after=after)).ok(201)
    assert "secret" not in made
    path = f"/v1/subscriptions/{made['id']}"
    for shown in (made, world.get(path).ok()):
        assert shown["kind"] == "slack"
        assert shown["connection"] == connection["id"]
        assert shown["config"]["text"] == "*{{ document.title }}* is signed."
        assert (shown["when"], shown["after"]) == (EXECUTED, after)
        assert (shown["url"], shown["headers"], shown["name"]) == ("https://slack.com", {}, "Slack: Ours")
    changed = world.send("PATCH", path, {"config": {"text": "New"}, "when": None, "after": None}).ok()
    assert changed["config"]["text"] == "New"
    assert "when" not in changed
    assert "after" not in changed


def test_a_webhook_takes_a_condition_and_a_delay(world: "World") -> None:
    made = world.create_subscription(when=EXECUTED, after={"seconds": 60})
    assert (made["when"], made["after"]) == (EXECUTED, {"seconds": 60, "if": None})
    assert "kind" not in made
    assert "secret" in made


def test_a_subscription_moves_to_another_connection_of_its_kind(world: "World", connection: dict[str, Any]) -> None:
    hooks = {"signIn": {"with": "webhook", "url": "https://hooks.slack.com/services/T0/B0/abc"}}
    other = world.send("POST", "/v1/connections", {"kind": "slack", "config": hooks}).ok(201)
    made = world.send("POST", "/v1/subscriptions", message(connection)).ok(201)
    path = f"/v1/subscriptions/{made['id']}"
    assert world.send("PATCH", path, {"connection": other["id"]}).ok()["url"] == "https://hooks.slack.com"
    channel = {"text": "x", "channel": "#legal"}
    world.send("PATCH", path, {"config": channel}).refused(422, "/config/channel")
    assert world.send("PATCH", path, {"connection": connection["id"], "config": channel}).status == 200


@pytest.mark.parametrize(
    ("changes", "pointers"),
    [
        ({"kind": "nothing"}, ["/kind", "/connection"]),
        ({"kind": 5}, ["/kind", "/connection"]),
        ({"connection": "d24c0644-1d31-47fa-960e-b0cc8b4f136c"}, ["/connection"]),
        ({"config": {"text": "{{ document.titel }}"}}, ["/config/text"]),
        ({"config": {"text": "x", "token": "t"}}, ["/config/token"]),
        ({"config": None}, ["/config"]),
        ({"url": "https://example.com", "secret": "12345678"}, ["/url", "/secret"]),
        ({"when": {"field": "document.statsu", "is": "executed"}}, ["/when/field"]),
        ({"when": {"field": "document.status", "changedTo": "exectued"}}, ["/when/changedTo"]),
        ({"after": {"seconds": 0}}, ["/after/seconds"]),
        ({"after": {"seconds": 30 * 24 * 3600}}, ["/after/seconds"]),
        ({"after": {"seconds": 5, "if": {"field": "document.x", "is": 1}}}, ["/after/if/field"]),
        ({"after": {"seconds": 5, "if": EXECUTED}}, ["/after/if/changedTo"]),
        (
            {"after": {"seconds": 5, "if": {"not": {"any": [{"field": "before.status", "is": "executed"}]}}}},
            ["/after/if/not/any/0/field"],
        ),
        ({"eventTypes": [], "config": {}}, ["/eventTypes", "/config/text"]),
    ],
)
def test_what_a_kind_does_not_take_is_refused_by_name_and_nothing_is_kept(
    world: "World", connection: dict[str, Any], changes: dict[str, Any], pointers: list[str]
) -> None:
    before = len(world.get("/v1/subscriptions?limit=250").ok()["data"])
    world.send("POST", "/v1/subscriptions", {**message(connection), **changes}).refused(422, *pointers)
    assert len(world.get("/v1/subscriptions?limit=250").ok()["data"]) == before


def test_members_of_the_other_sort_are_refused(world: "World", connection: dict[str, Any]) -> None:
    made = world.send("POST", "/v1/subscriptions", message(connection)).ok(201)
    path = f"/v1/subscriptions/{made['id']}"
    world.send("PATCH", path, {"url": "https://example.com/", "headers": {"x-a": "b"}}).refused(422, "/url", "/headers")
    world.send("POST", f"{path}/secret/rotate").refused(409, code="no_secret")
    webhook = f"/v1/subscriptions/{world.create_subscription()['id']}"
    world.send("PATCH", webhook, {"config": {}}).refused(422, "/config")
    world.send("PATCH", webhook, {"connection": connection["id"]}).refused(422, "/connection")
