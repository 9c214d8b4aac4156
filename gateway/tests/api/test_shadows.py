"""Shadows of subscriptions: who may make one, of what, what it has of its original, comparison and promotion."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from gateway.tests.api.conftest import Answer, World
from gateway.tests.api.two_tenants import CONNECTION, in_tenant, make_key, make_tenant
from gateway.tests.console.test_portal import Guest
from gateway.tests.http_server import LocalServer, QuietHandler

from signalpost.api.routes import ROUTES
from signalpost.sender.addresses import parse_allow_targets
from signalpost_receiver import sign

ABSENT = "01a20e98-25ba-7b43-8f2d-f3d7f20c1d84"


class Receiver:
    """An endpoint that answers each document as its title says at each path: `/old` and `/new` may differ."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], tuple[int, bytes]] = {}
        """What is answered, by path and title; 200 to everything else."""
        self.requests: list[tuple[str, Mapping[str, str], bytes]] = []
        receiver = self

        class Handler(QuietHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                title = json.loads(body)["data"]["document"]["title"]
                status, answer = receiver.answers.get((self.path, title), (200, b"ok"))
                self.reply(status, answer)

        self.server = LocalServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def at(self, *paths: str) -> list[tuple[str, Mapping[str, str], bytes]]:
        """The requests to some paths."""
        return [each for each in self.requests if each[0] in paths]


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture(scope="module")
def world(make_world: Callable[..., World], receiver: Receiver) -> World:
    return make_world(allow_targets=parse_allow_targets(receiver.url))


def make(world: World, of: Mapping[str, Any], url: str = "https://new.example/hook", **given: Any) -> Answer:
    return world.send("POST", "/v1/subscriptions", {"shadowOf": of["id"], "url": url, **given})


def shadowed(world: World, **given: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A subscription, and its shadow."""
    original = world.create_subscription(**given)
    return original, make(world, original).ok(201)


def path(made: Mapping[str, Any], more: str = "") -> str:
    return f"/v1/subscriptions/{made['id']}{more}"


# --- What a shadow is -------------------------------------------------------------------------------------------------


def test_a_shadow_has_what_its_original_wants_and_a_secret_of_its_own(world: World) -> None:
    when, after = {"field": "document.title", "is": "x"}, {"seconds": 60}
    original = world.create_subscription(name="Orders", when=when, after=after, rateLimit=5)
    shadow = make(world, original).ok(201)
    assert shadow["name"] == "Shadow of Orders"
    assert (shadow["shadowOf"], shadow["retryDelays"], shadow["status"]) == (original["id"], [], "active")
    for name in ("eventTypes", "when", "after", "rateLimit"):
        assert shadow[name] == original[name]
    assert shadow["secret"] not in (None, original["secret"])
    assert "shadowOf" not in world.get(path(original)).ok()
    assert world.get(path(original)).ok()["shadow"] == shadow["id"]
    listed = {each["id"]: each for each in world.get("/v1/subscriptions?limit=250").ok()["data"]}
    assert listed[shadow["id"]]["shadowOf"] == original["id"]
    assert listed[original["id"]]["shadow"] == shadow["id"]


def test_a_shadow_follows_each_change_of_its_original(world: World) -> None:
    original, shadow = shadowed(world)
    when = {"field": "document.title", "is": "y"}
    changes = {"eventTypes": ["documentDeleted"], "when": when, "after": {"seconds": 9, "if": None}, "rateLimit": 3}
    world.send("PATCH", path(original), changes).ok()
    answer = world.get(path(shadow))
    shown = answer.ok()
    assert {name: shown[name] for name in changes} == changes
    assert answer.headers["etag"] == '"2"'
    world.send("PATCH", path(original), {"name": "Another", "status": "active"}).ok()
    assert world.get(path(shadow)).headers["etag"] == '"2"', "it has nothing of that"
    assert world.get(path(shadow)).ok()["status"] == "active"
    assert world.send("PATCH", path(shadow), {"status": "paused", "name": "Mine"}).ok()["name"] == "Mine"
    assert world.get(path(original)).ok()["status"] == "active"


def test_values_of_headers_go_to_no_other_origin_than_they_were_given_for(world: World) -> None:
    """C18"""
    original = world.create_subscription(headers={"x-key": "canary"})
    refused = make(world, original).refused(422, "/headers/x-key")
    assert refused["errors"][0]["code"] == "give_again"
    make(world, original, "https://receiver.example.com/new", headers={"x-key": "1"}).refused(422, "/headers")
    same = make(world, original, "https://receiver.example.com/new").ok(201)
    assert same["headers"] == {"x-key": None}
    world.send("PATCH", path(original), {"headers": {"x-other": "1"}}).ok()
    assert world.get(path(same)).ok()["headers"] == {"x-other": None}
    world.send("PATCH", path(same), {"headers": {}}).refused(422, "/headers")
    world.send("PATCH", path(same), {"url": "https://new.example/"}).refused(422, "/headers/x-other")
    moved = world.send("PATCH", path(same), {"url": "https://new.example/", "headers": {"x-mine": "1"}}).ok()
    assert moved["headers"] == {"x-mine": None}
    world.send("PATCH", path(original), {"headers": {"x-third": "1"}}).ok()
    assert world.get(path(same)).ok()["headers"] == {"x-mine": None}, "these are its own"
    back = world.send("PATCH", path(same), {"url": "https://receiver.example.com/new"}).ok()
    assert back["headers"] == {"x-third": None}


# --- What is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("eventTypes", ["documentCreated"]),
        ("when", None),
        ("after", None),
        ("rateLimit", 5),
        ("ordering", "strict"),
        ("retryDelays", [1]),
        ("objective", {"share": 0.9, "within": 60}),
        ("contacts", ["a@example.com"]),
        ("startsAfter", 0),
        ("startsAt", "2026-01-01T00:00:00Z"),
    ],
)
def test_what_a_shadow_does_not_have_is_refused_by_name(world: World, member: str, value: Any) -> None:
    original, shadow = shadowed(world)
    body = {"shadowOf": original["id"], "url": "https://new.example/hook", member: value}
    for call in ("/v1/subscriptions", "/v1/subscriptions/check"):
        problem = world.refuses("POST", call, body, at=(f"/{member}",))
        assert problem["errors"][0]["code"] == "not_of_shadows"
    if not member.startswith("starts"):
        world.refuses("PATCH", path(shadow), {member: value}, at=(f"/{member}",))


def test_what_cannot_have_a_shadow_is_refused(world: World) -> None:
    def refused(shadow_of: Any, code: str, url: str = "https://new.example/hook", at: str = "/shadowOf") -> None:
        body = {"shadowOf": shadow_of, "url": url}
        for call in ("/v1/subscriptions", "/v1/subscriptions/check"):
            problem = world.refuses("POST", call, body, at=(at,))
            assert problem["errors"][0]["code"] == code

    original, shadow = shadowed(world)
    refused(ABSENT, "not_found")
    refused(shadow["id"], "is_a_shadow")
    refused(None, "wrong_type")
    connection = world.send("POST", "/v1/connections", CONNECTION).ok(201)["id"]
    config = {"kind": "slack", "connection": connection, "config": {"text": "x"}, "eventTypes": ["documentCreated"]}
    refused(world.send("POST", "/v1/subscriptions", config).ok(201)["id"], "not_a_webhook")
    alone = world.create_subscription()
    refused(alone["id"], "same_url", alone["url"], "/url")
    refused(alone["id"], "address_refused", "https://127.0.0.1/", "/url")
    make_tenant(world, "other")
    foreign = world.send("POST", "/v1/subscriptions", dict(world.subscription), in_tenant("other")).ok(201)
    refused(foreign["id"], "not_found")
    assert world.send("DELETE", path(alone)).status == 204
    refused(alone["id"], "not_found")
    make(world, original).refused(409, code="shadow_exists")
    world.refuses("PATCH", path(original), {"url": "https://new.example/hook"}, at=("/url",))
    world.refuses("PATCH", path(shadow), {"url": original["url"]}, at=("/url",))


def test_a_viewer_compares_and_changes_nothing(world: World) -> None:
    original, shadow = shadowed(world)
    viewer, app = make_key(world, "viewer", "default"), make_key(world, "app", "default")
    assert world.get(path(shadow, "/comparison"), **viewer).ok()["compared"] == 0
    world.get(path(shadow, "/comparison"), **app).refused(403)
    for call in (path(shadow, "/promote"), "/v1/subscriptions"):
        body = {} if call.endswith("promote") else {"shadowOf": original["id"], "url": "https://new.example"}
        world.send("POST", call, body, viewer).refused(403)
    subscriber = make_key(world, "subscriber", "default")
    world.send("POST", path(shadow, "/promote"), {"anyway": True}, subscriber).ok()


def test_no_portal_link_reaches_a_shadow(world: World) -> None:
    original, shadow = shadowed(world)
    guest = Guest(world).enter(can=["edit", "create", "retry", "secret", "test"])
    listed = guest.get("/portal").body
    assert original["id"].encode() in listed
    assert shadow["id"].encode() not in listed
    assert guest.get(f"/portal/subscriptions/{original['id']}").status == 200
    assert guest.get(f"/portal/subscriptions/{shadow['id']}").status == 404
    link = {"name": "Acme", "subscriptions": [shadow["id"]], "can": ["edit"]}
    world.refuses("POST", "/v1/portal-links", link, at=("/subscriptions/0",))


# --- Its life ---------------------------------------------------------------------------------------------------------


def test_a_shadow_goes_with_its_original_and_makes_room_for_another(world: World) -> None:
    original, shadow = shadowed(world)
    assert world.send("DELETE", path(shadow)).status == 204
    assert "shadow" not in world.get(path(original)).ok()
    second = make(world, original).ok(201)
    assert world.send("DELETE", path(original)).status == 204
    world.get(path(second)).refused(404)
    [told] = [
        each
        for each in world.get("/v1/audit?newest=true&limit=2").ok()["data"]
        if each["object"] == {"kind": "subscription", "id": second["id"]}
    ]
    assert told["action"] == "subscription.delete"


def test_a_shadow_counts_as_a_subscription_of_its_tenant(world: World) -> None:
    make_tenant(world, "small")
    there = in_tenant("small")
    world.send("PATCH", "/v1/tenants/small", {"limits": {"subscriptions": 1}}).ok()
    original = world.send("POST", "/v1/subscriptions", dict(world.subscription), there).ok(201)
    body = {"shadowOf": original["id"], "url": "https://new.example"}
    world.send("POST", "/v1/subscriptions", body, there).refused(403)
    world.send("PATCH", "/v1/tenants/small", {"limits": {"subscriptions": 2}}).ok()
    world.send("POST", "/v1/subscriptions", body, there).ok(201)
    assert world.send("DELETE", path(original), None, there).status == 204
    assert world.get("/v1/tenants/small").ok()["use"]["subscriptions"] == 0


def test_a_replay_of_all_subscriptions_leaves_shadows_out(world: World) -> None:
    _, shadow = shadowed(world)
    span = {"from": "2020-01-01T00:00:00Z", "to": "2099-01-01T00:00:00Z", "status": "all"}
    world.send("POST", path(shadow, "/replays"), span).refused(409, code="is_a_shadow")
    asked = world.send("POST", "/v1/replays", {**span, "dryRun": True}).ok()
    assert shadow["id"] not in [each["subscriptionId"] for each in asked["data"]]


# --- Where it is seen that one fails ----------------------------------------------------------------------------------

NAMING_SHADOWS = {"list_subscriptions", "list_subscription_names", "find_anything", "list_audit"}
"""What says which subscriptions there are, and who changed them."""
WITHOUT_END = "follow_changes"


def test_a_shadow_that_fails_is_seen_at_the_shadow_alone(world: World, receiver: Receiver) -> None:
    """No list of what many got, no count and no state of its tenant has it."""
    make_tenant(world, "failing")
    there = in_tenant("failing")
    body = {"url": f"{receiver.url}/old", "eventTypes": ["documentCreated"]}
    original = world.send("POST", "/v1/subscriptions", body, there).ok(201)
    other = {"shadowOf": original["id"], "url": f"{receiver.url}/new"}
    shadow = world.send("POST", "/v1/subscriptions", other, there).ok(201)
    receiver.answers = {("/new", "t"): (500, b"broken")}
    world.send("POST", "/v1/documents", {**world.document, "title": "t"}, there)

    def get(target: str) -> Any:
        return world.get(target, **there).ok()

    of_shadow = f"/v1/deliveries?status=failed&subscriptionId={shadow['id']}"
    world.wait_until(lambda: get(of_shadow)["data"] and get(path(original, "/deliveries?status=delivered"))["data"])
    assert get(path(shadow))["health"]["state"] == "failing"
    [event] = get("/v1/events?before=latest")["data"]
    assert get(f"/v1/deliveries?eventId={event['event']['id']}")["data"][0]["subscriptionId"] == original["id"]
    [arrived] = get(f"/v1/events/arrivals?sequences={event['sequence']}")["data"]
    assert arrived == {"sequence": event["sequence"], "delivered": 1, "waiting": 0, "failed": 0, "skipped": 0}
    assert get("/v1/subscriptions?state=failing")["data"] == []
    assert get("/v1/overview")["subscriptions"] == {"healthy": 1, "failing": 0, "paused": 0, "disabled": 0}
    for route in ROUTES:
        if route.method == "GET" and "{" not in route.path and route.name not in {*NAMING_SHADOWS, WITHOUT_END}:
            for query in ("", "?status=failed", f"?eventId={event['event']['id']}"):
                said = world.get(f"{route.path}{query}", **there)
                assert shadow["id"] not in said.body.decode(errors="replace"), f"{route.name}{query}"
    receiver.answers = {}


# --- Comparison -------------------------------------------------------------------------------------------------------


def compared(world: World, receiver: Receiver, titles: int, at: str = "") -> tuple[dict[str, Any], dict[str, Any]]:
    """A subscription and its shadow, at `/old` and `/new`, that both got so many documents, `t0`, `t1` …"""
    original = world.create_subscription(url=f"{receiver.url}/old{at}", status="active", retryDelays=[])
    shadow = make(world, original, f"{receiver.url}/new{at}").ok(201)
    for number in range(titles):
        world.create_document(title=f"t{number}")
    world.wait_until(lambda: world.get(path(shadow, "/comparison")).ok()["compared"] == titles)
    return original, shadow


def test_a_comparison_counts_what_agrees_and_lists_what_differs_page_by_page(world: World, receiver: Receiver) -> None:
    receiver.answers = {
        ("/new", "t1"): (500, b"broken"),
        ("/new", "t3"): (200, b"other"),
        ("/old", "t5"): (404, b"ok"),
    }
    _, shadow = compared(world, receiver, 8)
    shown = world.get(path(shadow, "/comparison")).ok()
    counts = [shown[name] for name in ("compared", "agree", "statusDiffers", "answerDiffers")]
    assert counts == [8, 5, 2, 2]
    assert [(each["title"], each["differIn"]) for each in shown["data"]] == [
        ("t5", ["status"]), ("t3", ["answer"]), ("t1", ["status", "answer"]),
    ]  # fmt: skip
    [*_, last] = shown["data"]
    assert (last["original"]["statusCode"], last["original"]["answer"]) == (200, "ok")
    assert (last["shadow"]["statusCode"], last["shadow"]["answer"]) == (500, "broken")
    assert last["shadow"]["error"] == "status"
    assert last["eventType"] == "documentCreated"
    for side in ("original", "shadow"):
        assert 0 < shown[side]["medianMs"] <= shown[side]["p95Ms"]
    first = world.get(path(shadow, "/comparison?limit=1")).ok()
    assert [each["title"] for each in first["data"]] == ["t5"]
    second = world.get(path(shadow, f"/comparison?limit=2&cursor={first['next']}")).ok()
    assert [each["title"] for each in second["data"]] == ["t3", "t1"]
    assert second["next"] is None
    receiver.answers = {}


def test_a_subscription_that_is_no_shadow_has_nothing_to_compare(world: World) -> None:
    made = world.create_subscription()
    world.get(path(made, "/comparison")).refused(409, code="not_a_shadow")
    world.send("POST", path(made, "/promote")).refused(409, code="not_a_shadow")
    world.get(f"/v1/subscriptions/{ABSENT}/comparison").refused(404)


# --- Promotion --------------------------------------------------------------------------------------------------------


def test_a_promotion_swaps_the_endpoints_and_each_receiver_goes_on_verifying(world: World, receiver: Receiver) -> None:
    """C19, C20"""
    original, shadow = compared(world, receiver, 1, "/once")
    receiver.requests.clear()
    tag = {"if-match": '"1"'}
    world.send("POST", path(shadow, "/promote"), None, {"if-match": '"7"'}).refused(412)
    answer = world.send("POST", path(shadow, "/promote"), None, {**tag, "idempotency-key": f"p{shadow['id']}"})
    promoted = answer.ok()
    assert (promoted["id"], promoted["url"], promoted["name"]) == (
        original["id"],
        f"{receiver.url}/new/once",
        original["name"],
    )
    assert "secret" not in promoted
    again = world.send("POST", path(shadow, "/promote"), None, {**tag, "idempotency-key": f"p{shadow['id']}"})
    assert again.headers["idempotent-replayed"] == "true", "a repeat does not swap them back"
    shown = world.get(path(shadow)).ok()
    assert (shown["url"], shown["shadowOf"]) == (f"{receiver.url}/old/once", original["id"])
    world.create_document(title="after")
    secrets = {"/old/once": original["secret"], "/new/once": shadow["secret"]}
    requests = world.wait_until(lambda: len(found := receiver.at(*secrets)) == 2 and found)
    assert requests
    for called, headers, body in requests:
        assert headers[sign.PAGE_SIGNATURE] == sign.Signer(secrets[called]).page_signature(body)
        assert ("signalpost-shadow" in headers) == (called == "/old/once")
    told = world.get("/v1/audit?newest=true&limit=50").ok()["data"]
    about = [each for each in told if each["action"] == "subscription.promote-shadow"]
    assert {each["object"]["id"] for each in about[:2]} == {original["id"], shadow["id"]}
    assert b"/new" not in json.dumps(about[:2]).encode(), "of a URL the audit shows the origin"


def test_after_a_change_of_a_url_nothing_is_compared_that_a_late_node_may_have_sent_to_the_former_one(
    world: World, receiver: Receiver
) -> None:
    original, shadow = compared(world, receiver, 1, "/late")
    promoted = world.send("POST", path(shadow, "/promote")).ok()
    world.create_document(title="after")
    event = world.events()[-1]["event"]["id"]
    deliveries = [path(each, f"/deliveries/{event}") for each in (original, shadow)]
    world.wait_until(lambda: all(world.get(each).ok()["status"] == "delivered" for each in deliveries))
    shown = world.get(path(shadow, "/comparison")).ok()
    assert shown["compared"] == 0
    moved_within = datetime.fromisoformat(shown["since"]) - datetime.fromisoformat(promoted["updatedAt"])
    assert moved_within == timedelta(minutes=1)


def test_after_a_promotion_each_has_its_secret_since_then(world: World, receiver: Receiver) -> None:
    """What either sent before, and is counted for it, was signed with the other one."""
    original, shadow = compared(world, receiver, 1, "/since")
    promoted = world.send("POST", path(shadow, "/promote")).ok()
    for each in (original, shadow):
        assert world.get(path(each, "/secret")).ok()["since"] == promoted["updatedAt"]


def test_a_shadow_that_fails_is_promoted_only_if_that_is_asked_for(world: World, receiver: Receiver) -> None:
    original = world.create_subscription(url=f"{receiver.url}/old", status="active")
    shadow = make(world, original, f"{receiver.url}/new").ok(201)
    problem = world.send("POST", path(shadow, "/promote")).refused(409, code="shadow_not_ready")
    assert "has not taken an event yet" in problem["detail"]
    receiver.answers = {("/new", "fails"): (503, b"")}
    world.create_document(title="fails")
    world.wait_until(lambda: world.get(path(shadow)).ok()["health"]["state"] == "failing")
    problem = world.send("POST", path(shadow, "/promote"), {"anyway": False}).refused(409, code="shadow_not_ready")
    assert "503" in problem["detail"]
    assert world.send("POST", path(shadow, "/promote"), {"anyway": True}).ok()["url"] == f"{receiver.url}/new"
    receiver.answers = {}
