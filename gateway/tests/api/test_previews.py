"""Previews: what would be sent of a past event, or why nothing would. Nothing is sent."""

from typing import TYPE_CHECKING, Any

import pytest

from signalpost.engine.connectors.identity import key_of

if TYPE_CHECKING:
    from gateway.tests.api.conftest import World

HOOK = "https://hooks.slack.com/services/T0/B0/canaryofawebhook"


@pytest.fixture
def connection(world: "World") -> str:
    config = {"signIn": {"with": "webhook", "url": HOOK}}
    return str(world.send("POST", "/v1/connections", {"kind": "slack", "config": config}).ok(201)["id"])


@pytest.fixture
def events(world: "World") -> list[str]:
    """A creation, and a change of the title."""
    made = world.send("POST", "/v1/documents", {**world.document, "title": "Old & <new>"})
    path = f"/v1/documents/{made.ok(201)['externalId']}"
    changed = world.send("PATCH", path, {"title": "New"})
    return [made.headers["signalpost-event"], changed.headers["signalpost-event"]]


def subscription(connection: str, **more: Any) -> dict[str, Any]:
    text = "{{ document.title }}, once {{ before.title | default: 'nothing' }}".replace("'", '"')
    return {"connection": connection, "config": {"text": text}, **more}


def test_the_exact_request_is_shown_with_its_secrets_struck_out(
    world: "World", connection: str, events: list[str]
) -> None:
    wanted = {"kind": "slack", "eventTypes": ["documentCreated"], "status": "paused", **subscription(connection)}
    path = f"/v1/subscriptions/{world.send('POST', '/v1/subscriptions', wanted).ok(201)['id']}/preview"
    answer = world.send("POST", path, {"eventId": events[0]})
    shown = answer.ok()
    assert (shown["wanted"], shown["why"]) == (True, None)
    assert shown["request"]["method"] == "POST"
    assert shown["request"]["body"]["text"].startswith("Old &amp; &lt;new&gt;, once ")
    assert b"canary" not in answer.body
    assert shown["request"]["url"].startswith("https://hooks.slack.com")
    later = world.send("POST", path, {"eventId": events[1]}).ok()
    assert later["request"]["body"]["text"] == "New, once Old &amp; &lt;new&gt;"


def test_a_subscription_that_is_still_to_be_made_is_shown_with_a_sample_that_it_wants(
    world: "World", connection: str
) -> None:
    path, when = "/v1/destinations/slack/preview", {"field": "document.status", "changedTo": "executed"}
    after = {"seconds": 60, "if": {"field": "document.contractValue", "above": 5}}
    draft = subscription(connection, sample=["documentUpdated"], when=when, after=after)
    draft["config"] = {"text": "{{ document.status }}, {{ before.status }}, {{ document.contractValue }}"}
    shown = world.send("POST", path, draft).ok()
    assert (shown["wanted"], shown["waits"]) == (True, 60)
    assert shown["request"]["body"]["text"] == "executed, created, 6"
    world.send("POST", path, {**draft, "sample": ["documentUpdated", "nothing"]}).refused(422, "/sample/1")
    world.send("POST", path, {**draft, "sample": []}).refused(422, "/sample")
    world.send("POST", path, {"sample": ["documentUpdated"]}).refused(422, "/connection", "/config")


def test_a_subscription_that_is_still_to_be_made_says_why_it_would_send_nothing(
    world: "World", connection: str, events: list[str]
) -> None:
    draft = subscription(connection, eventId=events[1], when={"field": "document.status", "changedTo": "executed"})
    shown = world.send("POST", "/v1/destinations/slack/preview", draft).ok()
    assert (shown["wanted"], shown["request"]) == (False, None)
    assert "document.status did not change" in shown["why"]
    wanted = {**draft, "when": {"field": "document.title", "changed": True}}
    assert world.send("POST", "/v1/destinations/slack/preview", wanted).ok()["wanted"] is True


def test_a_kind_that_looks_first_shows_what_it_would_make(world: "World", events: list[str]) -> None:
    sign_in = {"with": "customConnection", "clientId": "id", "clientSecret": "canary-of-a-client"}
    xero = world.send("POST", "/v1/connections", {"kind": "xero_bill", "config": {"signIn": sign_in}}).ok(201)["id"]
    line = {"description": "{{ document.title }}", "unitAmount": 12.5, "accountCode": "400"}
    config = {"contact": "Smith & Sons", "due": "2027-01-31", "lines": [line]}
    asked = {"connection": xero, "config": config, "eventId": events[1]}
    shown = world.send("POST", "/v1/destinations/xero_bill/preview", asked).ok()
    assert (shown["request"]["method"], shown["request"]["body"]) == ("GET", None)
    [bill] = shown["then"]
    assert (bill["method"], bill["headers"]["authorization"]) == ("PUT", "[secret]")
    assert bill["body"]["Invoices"][0]["LineItems"] == [
        {"Description": "New", "Quantity": 1.0, "UnitAmount": 12.5, "AccountCode": "400"}
    ]


def test_keys_are_those_with_which_the_event_is_sent(world: "World", events: list[str]) -> None:
    config = {"origin": "https://api.example.com", "signIn": {"with": "bearer", "token": "canary-token"}}
    connection = world.send("POST", "/v1/connections", {"kind": "http", "config": config}).ok(201)["id"]
    wanted = {"kind": "http", "connection": connection, "config": {"path": "/in"}, "status": "paused"}
    made = world.send("POST", "/v1/subscriptions", {**wanted, "eventTypes": ["documentCreated"]}).ok(201)
    path = f"/v1/subscriptions/{made['id']}/preview"
    first, again, other = (world.send("POST", path, {"eventId": each}).ok() for each in (events[0], *events))
    headers = first["request"]["headers"]
    assert headers["idempotency-key"] == key_of(made["id"], events[0])
    assert headers == again["request"]["headers"]
    assert other["request"]["headers"]["idempotency-key"] == key_of(made["id"], events[1])
    assert (headers["authorization"], headers["content-type"]) == ("[secret]", "application/json")


def test_a_delay_is_shown_and_what_is_so_by_now_decides(world: "World", connection: str, events: list[str]) -> None:
    still = {"field": "document.title", "is": "New"}
    draft = subscription(connection, eventId=events[0], after={"seconds": 3600, "if": still})
    shown = world.send("POST", "/v1/destinations/slack/preview", draft).ok()
    assert (shown["wanted"], shown["waits"]) == (True, 3600)
    assert shown["request"]["body"]["text"].startswith("Old")
    draft["after"]["if"] = {"not": still}
    shown = world.send("POST", "/v1/destinations/slack/preview", draft).ok()
    assert (shown["wanted"], shown["request"]) == (False, None)
    assert shown["why"].startswith("Not sent: by now document.title is 'New'")
    del draft["after"]
    assert world.send("POST", "/v1/destinations/slack/preview", draft).ok()["waits"] is None


def test_a_webhook_shows_its_event(world: "World", events: list[str]) -> None:
    url = "https://hooks.slack.com/services/T0/B0/canary?sig=canary"
    made = world.create_subscription(headers={"x-key": "canary"}, url=url)
    answer = world.send("POST", f"/v1/subscriptions/{made['id']}/preview", {"eventId": events[0]})
    assert answer.ok()["request"]["body"]["id"] == events[0]
    assert answer.ok()["request"]["url"] == "https://hooks.slack.com/services/T0/B0/***?sig=***"
    assert b"canary" not in answer.body


def test_what_cannot_be_previewed_is_refused_by_name(world: "World", connection: str, events: list[str]) -> None:
    path = "/v1/destinations/slack/preview"
    world.send("POST", path, {}).refused(422, "/eventId", "/connection", "/config")
    nothing = "d24c0644-1d31-47fa-960e-b0cc8b4f136c"
    world.send("POST", path, subscription(nothing, eventId=events[0])).refused(422, "/connection")
    wrong = {"connection": connection, "eventId": events[0], "config": {"text": "{{ document.titel }}"}}
    world.send("POST", path, wrong).refused(422, "/config/text")
    world.send("POST", path, subscription(connection, eventId=nothing)).refused(422, "/eventId")
    assert world.send("POST", "/v1/destinations/slakc/preview", {}).status == 404
