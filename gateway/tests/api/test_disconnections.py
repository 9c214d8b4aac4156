"""Disconnecting: what a connection forgets, what its vendor is told, and how it goes on."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gateway.tests.fakes.google_calendar import GoogleCalendar
from gateway.tests.fakes.slack import Slack
from gateway.tests.fakes.vendor import HTML_500

from signalpost.sender.addresses import parse_allow_targets

if TYPE_CHECKING:
    from gateway.tests.api.conftest import World

BOT = {"with": "bot", "token": "xoxb-good", "channel": "#contracts"}
Making = Callable[..., "World"]


def world_with(make_world: Making, vendor: Slack | GoogleCalendar) -> "World":
    return make_world(allow_targets=parse_allow_targets(vendor.origin), public_url="https://gateway.example.com")


def connected(world: "World", kind: str, **config: Any) -> str:
    return f"/v1/connections/{world.send('POST', '/v1/connections', {'kind': kind, 'config': config}).ok(201)['id']}"


def test_a_bots_token_is_taken_back_forgotten_and_replaced(make_world: Making) -> None:
    with Slack().served() as workspace:
        world = world_with(make_world, workspace)
        path = connected(world, "slack", signIn=BOT, standIn=workspace.origin)
        cut = world.send("POST", f"{path}/disconnect").ok()
        assert workspace.token is None
        assert cut["revocation"] == {"succeeded": True, "detail": "The vendor revoked the access."}
        assert (cut["state"], cut["config"]["signIn"]) == ("broken", {**BOT, "token": None})
        assert "disconnected" in cut["reason"]
        world.send("POST", f"{path}/disconnect").refused(409, code="not_connected")
        assert world.send("POST", f"{path}/test").ok()["works"] is False
        assert world.send("PATCH", path, {"name": "Ours"}).ok()["state"] == "broken"
        world.send("PATCH", path, {"config": {"signIn": {**BOT, "token": None}}}).refused(422, "/config/signIn/token")
        workspace.token = "xoxb-new"
        mended = world.send("PATCH", path, {"config": {"signIn": {**BOT, "token": "xoxb-new"}}}).ok()
        assert (mended["state"], mended["reason"]) == ("ready", None)
        assert world.send("POST", f"{path}/test").ok()["works"] is True


def test_whatever_the_vendor_says_the_connection_forgets(make_world: Making) -> None:
    with Slack().served() as workspace:
        world = world_with(make_world, workspace)
        path = connected(world, "slack", signIn=BOT, standIn=workspace.origin)
        workspace.fail(HTML_500)
        refused = world.send("POST", f"{path}/disconnect").ok()
    with Slack().served() as closed:
        world = world_with(make_world, closed)
        path = connected(world, "slack", signIn=BOT, standIn=closed.origin)
    away = world.send("POST", f"{path}/disconnect").ok()
    for cut in (refused, away):
        assert cut["revocation"]["succeeded"] is False
        assert cut["revocation"]["detail"].startswith("Revoke the access at the vendor.")
        assert cut["config"]["signIn"]["token"] is None
    assert workspace.token == "xoxb-good"


def test_where_there_is_no_call_for_it_the_answer_says_so(make_world: Making) -> None:
    world = make_world()
    path = connected(world, "slack", signIn={"with": "webhook", "url": "https://hooks.slack.com/services/T0/B0/x"})
    cut = world.send("POST", f"{path}/disconnect").ok()
    assert cut["revocation"]["succeeded"] is False
    assert "no call" in cut["revocation"]["detail"]
    assert cut["config"]["signIn"] == {"with": "webhook", "url": None}


def test_what_would_be_sent_through_a_disconnected_connection_waits_for_its_secrets(make_world: Making) -> None:
    with Slack().served() as workspace:
        world = world_with(make_world, workspace)
        path = connected(world, "slack", signIn=BOT, standIn=workspace.origin)
        connection = path.rsplit("/", 1)[1]
        new = {
            "kind": "slack", "connection": connection, "config": {"text": "{{ document.title }}"},
            "eventTypes": ["documentCreated"],
        }  # fmt: skip
        made = world.send("POST", "/v1/subscriptions", new).ok(201)
        world.send("POST", f"{path}/disconnect").ok()
        world.send("POST", "/v1/subscriptions", new).refused(422, "/connection", code="invalid_fields")
        changed = f"/v1/subscriptions/{made['id']}"
        world.send("PATCH", changed, {"config": {"text": "It is signed"}}).refused(422, "/config")
        assert world.send("PATCH", changed, {"name": "Another"}).ok()["name"] == "Another"


def test_a_consent_is_taken_back_with_its_refresh_token_once(make_world: Making) -> None:
    with GoogleCalendar().served() as google:
        world = world_with(make_world, google)
        sign_in = {"with": "consent", "clientId": "id", "clientSecret": "secret"}
        path = connected(world, "google_calendar", signIn=sign_in, standIn=google.origin)
        let_in(world, path)
        headers = {"idempotency-key": "once"}
        cut = world.send("POST", f"{path}/disconnect", None, headers).ok()
        assert (cut["state"], cut["revocation"]["succeeded"]) == ("needs_consent", True)
        assert [asked.path for asked in google.asked][-1] == "/revoke"
        assert cut["config"]["signIn"] == {**sign_in, "clientSecret": None}
        let_in(world, path)
        asked = len(google.asked)
        again = world.send("POST", f"{path}/disconnect", None, headers).ok()
        assert again["revocation"] is None, "a call that is repeated takes back no later consent"
        assert world.get(path).ok()["state"] == "ready"
        assert len(google.asked) == asked


def test_a_disconnection_of_an_older_version_tells_the_vendor_nothing(make_world: Making) -> None:
    with Slack().served() as workspace:
        world = world_with(make_world, workspace)
        path = connected(world, "slack", signIn=BOT, standIn=workspace.origin)
        refused = world.send("POST", f"{path}/disconnect", None, {"if-match": '"7"'})
        assert refused.status == 412
        assert workspace.token == "xoxb-good"
        assert world.send("POST", f"{path}/test").ok()["works"] is True


def let_in(world: "World", path: str) -> None:
    asked = world.send("POST", f"{path}/connect").ok()
    assert world.send("POST", f"{path}/connect", {"code": "good", "state": asked["state"]}).ok()["connected"] is True
