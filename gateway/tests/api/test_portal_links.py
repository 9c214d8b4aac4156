"""Portal links: who makes them, what they say, and what a customer who came by one may do and see."""

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from gateway.tests.api.two_tenants import ABSENT, in_tenant, make_key, make_tenant
from gateway.tests.listener.applications import a_request
from msgspec import convert

from signalpost.api.app import Api
from signalpost.api.guards.principals import visitor_of
from signalpost.api.portal_views import case_for, without_addresses
from signalpost.api.routes import ROUTES
from signalpost.api.routing.shapes.subscriptions import CaseResult
from signalpost.console.calls import CallFailed, Calls
from signalpost.sender.addresses import parse_allow_targets

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.tests.api.conftest import World

ALL = ["payload", "test", "retry", "replay", "edit", "secret"]


def make(world: "World", headers: Any = None, **given: Any) -> dict[str, Any]:
    body = {"name": "Acme", "subscriptions": "all", "can": [], **given}
    made: dict[str, Any] = world.send("POST", "/v1/portal-links", body, headers).ok(201)
    return made


class Customer:
    """Makes calls as a customer who came by a new link."""

    def __init__(self, world: "World", **given: Any) -> None:
        self._world = world
        services = world.gateway._services
        self.link: Any = self._run(services.store.access.portal_link(make(world, **given)["id"]))
        api = Api(services, ROUTES, ())
        self._calls = Calls(api, a_request("192.0.2.7"), visitor_of(self.link), "default")

    def _run(self, doing: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(doing, self._world.loop).result()

    def read(self, name: str, query: Any = None, **path: str) -> Any:
        return self._run(self._calls.read(name, Any, query, **path))

    def change(self, name: str, body: Any = None, **path: str) -> Any:
        return json.loads(self._run(self._calls.change(name, body, query=None, **path)) or b"null")

    def refused(self, name: str, body: Any = None, **path: str) -> tuple[int, str, list[str]]:
        with pytest.raises(CallFailed) as refusal:
            self.change(name, body, **path)
        problem = refusal.value.problem
        errors = [each.pointer for each in problem.errors] if problem.errors else []
        return problem.status, problem.code, errors


# --- Making, listing and revoking them --------------------------------------------------------------------------------


def test_a_link_is_shown_once_and_listed_without_its_url(world: "World") -> None:
    made = make(world, can=["test", "view"], embed=["https://app.example.com"], theme={"name": "Acme Contracts"})
    assert "/portal/enter/" in made["url"]
    shown = world.get(f"/v1/portal-links/{made['id']}").ok()
    assert shown == {name: value for name, value in made.items() if name != "url"}
    assert (shown["state"], shown["can"], shown["createdBy"]) == ("new", ["view", "test"], "operator")
    assert shown["theme"] == {"name": "Acme Contracts", "accent": "#2b4fc7", "radius": 6, "mode": "auto"}
    assert world.get("/v1/portal-links?limit=1").ok()["data"] == [shown]
    assert world.send("DELETE", f"/v1/portal-links/{made['id']}").status == 204
    assert world.get(f"/v1/portal-links/{made['id']}").ok()["state"] == "ended"
    world.send("DELETE", f"/v1/portal-links/{made['id']}").refused(404, code="portal_link_not_found")


def test_a_repeat_makes_no_second_link(world: "World") -> None:
    first, second = (make(world, {"idempotency-key": "a-link"}) for _ in range(2))
    assert first == second


def test_whoever_may_change_subscriptions_makes_links_and_nobody_gives_more_than_they_have(world: "World") -> None:
    body = {"name": "Acme", "subscriptions": "all", "can": []}
    for role, status in (("operator", 201), ("subscriber", 201), ("app", 403), ("viewer", 403)):
        assert world.send("POST", "/v1/portal-links", body, make_key(world, role, "default")).status == status


def test_a_link_is_for_what_its_tenant_has(world: "World") -> None:
    make_tenant(world, "elsewhere")
    own = world.create_subscription()["id"]
    body = {"name": "Acme", "subscriptions": [own, ABSENT], "can": []}
    world.refuses("POST", "/v1/portal-links", body, at=("/subscriptions/1",))
    body["subscriptions"] = [own]
    world.send("POST", "/v1/portal-links", body, in_tenant("elsewhere")).refused(422, "/subscriptions/0")
    made = make(world, subscriptions=[own])
    other = make_key(world, "subscriber", "elsewhere")
    assert world.send("GET", f"/v1/portal-links/{made['id']}", None, other).status == 404
    assert world.send("DELETE", f"/v1/portal-links/{made['id']}", None, other).status == 404
    assert world.send("GET", "/v1/portal-links", None, other).ok()["data"] == []


def test_only_a_link_to_all_subscriptions_lets_make_one(world: "World") -> None:
    body = {"name": "Acme", "subscriptions": [], "can": ["create"]}
    world.refuses("POST", "/v1/portal-links", body, at=("/can",))
    make(world, can=["create"])


@pytest.mark.parametrize(
    ("member", "value"), [("can", ["everything"]), ("expiresIn", 59), ("expiresIn", 43_201), ("name", ""), ("role", 1)]
)
def test_what_is_wrong_with_a_link_is_named(world: "World", member: str, value: Any) -> None:
    body = {"name": "Acme", "subscriptions": "all", "can": [], member: value}
    problem = world.send("POST", "/v1/portal-links", body).refused(
        422, f"/{member}/0" if isinstance(value, list) else f"/{member}"
    )
    assert problem["code"] == "invalid_fields"


# --- What a customer may do -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shop(make_world: "Callable[..., World]", url: str) -> "World":
    made = make_world(allow_targets=parse_allow_targets(url))
    given = {"url": f"{url}/401", "status": "active", "retryDelays": [1]}
    made.own = made.create_subscription(name="Own", **given)["id"]  # type: ignore[attr-defined]
    made.others = made.create_subscription(name="Others", **given)["id"]  # type: ignore[attr-defined]
    made.create_document(title="An agreement")
    made.event = made.events()[-1]["event"]["id"]  # type: ignore[attr-defined]
    for each in (made.own, made.others):  # type: ignore[attr-defined]
        path = f"/v1/subscriptions/{each}/deliveries/{made.event}"  # type: ignore[attr-defined]
        made.wait_until(lambda path=path: made.get(path).ok()["status"] == "failed")  # type: ignore[misc]
    return made


def test_a_customer_sees_the_named_subscriptions_alone(shop: Any) -> None:
    one, all_ = Customer(shop, subscriptions=[shop.own]), Customer(shop)
    assert [each["id"] for each in one.read("list_subscriptions")["data"]] == [shop.own]
    assert [each["id"] for each in all_.read("list_subscriptions")["data"]] == [shop.others, shop.own]
    assert one.read("read_delivery", id=shop.own, eventId=shop.event)["status"] == "failed"


@pytest.mark.parametrize(
    "route", [each for each in ROUTES if each.portal and "{id}" in each.path], ids=lambda it: it.name
)
def test_whatever_a_customer_asks_of_another_subscription_is_answered_as_of_none(shop: Any, route: Any) -> None:
    customer = Customer(shop, subscriptions=[shop.own], can=ALL)
    names = ("eventId", "replayId")
    path = {name: shop.event for name in names if f"{{{name}}}" in route.path}
    body = None if route.body is None else route.example.body
    answers = [customer.refused(route.name, body, id=each, **path) for each in (shop.others, ABSENT, "no-uuid")]
    assert answers == [(404, "subscription_not_found", [])] * 3


def test_a_customer_who_may_only_look_changes_nothing(shop: Any) -> None:
    customer = Customer(shop, subscriptions=[shop.own])
    for route in ROUTES:
        if route.portal is not None and route.portal != "view":
            path = {"id": shop.own, "eventId": shop.event, "replayId": ABSENT}
            assert customer.refused(route.name, **path)[:2] == (403, "not_in_portal_link")


def test_one_list_has_the_deliveries_of_what_the_link_reaches_and_of_nothing_else(shop: Any) -> None:
    for given, seen in (([shop.own], {shop.own}), ("all", {shop.own, shop.others}), ([], set())):
        customer = Customer(shop, subscriptions=given)
        for query in ({}, {"status": "failed"}, {"eventId": shop.event}):
            listed = customer.read("list_deliveries", query)["data"]
            assert {each["subscriptionId"] for each in listed if each["eventId"] == shop.event} == seen
            assert {each["subscriptionId"] for each in listed} <= seen or given == "all"
        of_others = customer.read("list_deliveries", {"subscriptionId": shop.others})["data"]
        assert bool(of_others) is (shop.others in seen)


def test_what_came_back_is_shown_where_the_link_allows_it_and_what_was_dialled_never(shop: Any) -> None:
    shown = {
        may: Customer(shop, can=["payload", "test"] if may else ["test"]).read(
            "read_delivery", id=shop.own, eventId=shop.event
        )
        for may in (True, False)
    }
    seen = shop.get(f"/v1/subscriptions/{shop.own}/deliveries/{shop.event}").ok()["attempts"][-1]["exchange"]
    assert seen["address"] == "127.0.0.1"
    for may, delivery in shown.items():
        assert {each["exchange"]["address"] for each in delivery["attempts"]} == {None}
        assert bool(delivery["attempts"][0]["exchange"]["answerHeaders"]) is may
        assert delivery["diagnosis"]["forUs"] == delivery["diagnosis"]["forCustomer"]
    tested = Customer(shop, can=["test"]).change("test_subscription", id=shop.own)
    assert (tested["statusCode"], tested["answer"], tested["exchange"]["address"]) == (401, "", None)


def test_what_came_of_the_ten_cases_is_shown_as_that_of_a_test_is(shop: Any) -> None:
    one, other = Customer(shop, can=["test"]), Customer(shop, can=["test", "payload"])
    first = one.change("run_test_cases", id=shop.own)["cases"][0]
    assert (first["verdict"], first["statusCode"], first["answer"]) == ("mend", 401, "")
    assert Customer(shop).refused("run_test_cases", id=shop.own)[:2] == (403, "not_in_portal_link")
    shown = convert({**first, "detail": "No answer from 10.0.0.7.", "advice": "10.0.0.7", "answer": "no"}, CaseResult)
    for customer, answer in ((one, ""), (other, "no")):
        told = case_for(customer.link, shown)
        assert (told.detail, told.advice, told.answer) == ("No answer from ***.", "***", answer)
    assert case_for(None, shown) == shown


def test_the_ten_cases_are_for_webhooks_of_tenants_with_documents(shop: Any) -> None:
    headers = {"signalpost-tenant": "operations"}
    body = {"url": "https://example.com/", "eventTypes": ["notice"], "status": "paused"}
    notices = shop.send("POST", "/v1/subscriptions", body, headers).ok(201)["id"]
    shop.send("POST", f"/v1/subscriptions/{notices}/test-run", None, headers).refused(409, code="no_cases")


def test_the_event_of_a_delivery_is_its_very_bytes_and_takes_a_capability(shop: Any) -> None:
    path = {"id": shop.own, "eventId": shop.event}
    sent = Customer(shop, can=["payload"]).read("read_delivered_event", **path)
    assert sent == shop.events()[-1]["event"]
    assert Customer(shop).refused("read_delivered_event", **path)[0] == 403


def test_a_customer_retries_replays_and_rotates(shop: Any) -> None:
    customer = Customer(shop, subscriptions=[shop.own], can=ALL)
    customer.change("retry_delivery", id=shop.own, eventId=shop.event)
    span = {"from": "2020-01-01T00:00:00Z", "to": "2099-01-01T00:00:00Z", "status": "all"}
    replay = customer.change("start_replay", span, id=shop.own)
    assert customer.read("read_replay", id=shop.own, replayId=replay["id"])["count"] == 1
    assert customer.change("rotate_secret", {}, id=shop.own)["secret"].startswith("whsec_")
    assert customer.read("read_secret_status", id=shop.own)["nextFingerprint"]
    customer.change("promote_secret", id=shop.own)


def test_a_customer_changes_where_it_is_sent_and_not_which_events(shop: Any) -> None:
    own = shop.create_subscription(name="To change")["id"]
    customer = Customer(shop, subscriptions=[own], can=["edit"])
    changed = customer.change("patch_subscription", {"url": "https://b.example.com/", "headers": {"x": "y"}}, id=own)
    assert (changed["url"], changed["headers"]) == ("https://b.example.com/", {"x": None})
    condition = {"title": "x"}
    for body in ({"eventTypes": ["documentDeleted"]}, {"when": condition}, {"ordering": "strict"}, {"after": None}):
        assert customer.refused("patch_subscription", body, id=own) == (422, "invalid_fields", [f"/{next(iter(body))}"])
    whole = Customer(shop, can=["edit"])
    assert whole.change("patch_subscription", {"eventTypes": ["documentDeleted"]}, id=own)["eventTypes"] == [
        "documentDeleted"
    ]


def test_the_exceptions_of_the_operator_are_not_for_customers(shop: Any, url: str) -> None:
    customer = Customer(shop, can=["edit", "create"])
    assert customer.refused("patch_subscription", {"url": f"{url}/204"}, id=shop.own) == (
        422,
        "invalid_fields",
        ["/url"],
    )
    body = {"url": f"{url}/204", "eventTypes": ["documentCreated"]}
    assert customer.refused("create_subscription", body) == (422, "invalid_fields", ["/url"])
    made = customer.change("create_subscription", {**body, "url": "https://new.example.com/", "status": "paused"})
    assert made["id"] in [each["id"] for each in customer.read("list_subscriptions")["data"]]
    connector = {"kind": "slack", "connection": ABSENT, "config": {}, "eventTypes": ["documentCreated"]}
    assert customer.refused("create_subscription", connector)[:2] == (403, "not_in_portal_link")


def test_an_exception_that_a_subscription_has_already_stays_with_it(shop: Any, url: str) -> None:
    """A form sends the URL back as it was shown."""
    subscription = shop.create_subscription(name="Before", url=f"{url}/204?token=of-its-own")["id"]
    customer = Customer(shop, subscriptions=[subscription], can=["edit"])
    changed = customer.change("patch_subscription", {"name": "After", "url": f"{url}/204?token=***"}, id=subscription)
    assert (changed["name"], changed["url"]) == ("After", f"{url}/204?token=***")
    shop.send("DELETE", f"/v1/subscriptions/{subscription}")


def test_of_an_event_that_a_condition_keeps_from_them_customers_do_not_learn(shop: Any, url: str) -> None:
    wanted = {"field": "document.title", "is": "Of this customer"}
    own = shop.create_subscription(name="Apart", url=f"{url}/204", status="active", when=wanted)["id"]
    shop.create_document(title="Of somebody else")
    event = shop.events()[-1]["event"]["id"]
    operators = f"/v1/subscriptions/{own}/deliveries"
    shop.wait_until(lambda: [each["status"] for each in shop.get(operators).ok()["data"]] == ["skipped"])
    paused = shop.create_subscription(name="Apart, paused", when=wanted)["id"]
    shop.create_document(title="Of somebody else")
    later = shop.events()[-1]["event"]["id"]
    customer = Customer(shop, can=ALL)
    for subscription, hidden in ((own, event), (paused, later)):
        for query in ({}, {"eventId": hidden}, {"status": "skipped"}, {"status": "pending"}):
            everywhere = customer.read("list_deliveries", query)["data"]
            assert [
                each for each in everywhere if (each["subscriptionId"], each["eventId"]) == (subscription, hidden)
            ] == []
            listed = customer.read("list_subscription_deliveries", query, id=subscription)
            assert [each for each in listed["data"] if each["eventId"] == hidden] == []
        path = {"id": subscription, "eventId": hidden}
        for name in ("read_delivery", "read_delivered_event", "retry_delivery"):
            assert customer.refused(name, **path) == (404, "delivery_not_found", [])


def test_customers_are_told_of_what_failed_and_is_not_sent_again_and_of_nothing_else(shop: Any, url: str) -> None:
    """The sentence, too, quotes a document that is not theirs any more."""
    made = shop.create_subscription(name="Not theirs any more", url=f"{url}/500", status="active", retryDelays=[],
                                    when={"field": "document.title", "isNot": "Of somebody else"})  # fmt: skip
    own, deliveries = made["id"], f"/v1/subscriptions/{made['id']}/deliveries"
    for title in ("Of this customer", "Of somebody else"):
        shop.create_document(title=title)
    shop.wait_until(
        lambda: sorted(each["status"] for each in shop.get(deliveries).ok()["data"]) == ["failed", "skipped"]
    )
    [failed] = shop.get(f"{deliveries}?status=failed").ok()["data"]
    nobodys = {"field": "document.title", "is": "Of nobody"}
    shop.send("PATCH", f"/v1/subscriptions/{own}", {"when": nobodys}).ok()
    customer = Customer(shop, can=ALL)
    assert customer.refused("retry_delivery", id=own, eventId=failed["eventId"])[:2] == (409, "not_wanted")
    asked = {"from": "2020-01-01T00:00:00Z", "status": "all", "dryRun": True}
    counted = customer.change("start_replay", asked, id=own)
    assert (counted["count"], counted["leftOut"]["unmet"]) == (0, 1)
    assert shop.send("POST", f"/v1/subscriptions/{own}/replays", asked).ok()["leftOut"]["unmet"] == 2
    shop.send("DELETE", f"/v1/subscriptions/{own}")


def test_what_a_customer_does_and_is_refused_is_in_the_audit_under_the_link(shop: Any) -> None:
    customer = Customer(shop, name="Acme in the audit", subscriptions=[shop.own], can=["edit"])
    customer.change("patch_subscription", {"rateLimit": 7}, id=shop.own)
    customer.refused("read_subscription", id=shop.others)

    def told() -> list[dict[str, Any]]:
        found = shop.get("/v1/audit?limit=250").ok()["data"]
        return [each for each in found if each["actor"]["name"] == "Acme in the audit"]

    entries = shop.wait_until(lambda: found if len(found := told()) == 2 else None)
    assert {each["outcome"] for each in entries} == {"done", "refused"}
    for entry in entries:
        assert (entry["actor"]["kind"], entry["actor"]["role"]) == ("portal-link", None)
        assert entry["actor"]["id"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("10.1.2.3 is a private address.", "*** is a private address."),
        ("dialled 2001:db8::1, refused", "dialled ***, refused"),
        ("::ffff:10.0.0.1", "***"),
        ("Since 10:05:33 it answers 401, as of version 1.2.3.", "Since 10:05:33 it answers 401, as of version 1.2.3."),
        ("at 2026-11-26T10:05:33.000000+00:00", "at 2026-11-26T10:05:33.000000+00:00"),
        ("face cafe", "face cafe"),
    ],
)
def test_addresses_are_struck_out_of_texts(text: str, shown: str) -> None:
    assert without_addresses(text) == shown


def test_what_was_never_sent_is_not_for_customers(world: "World") -> None:
    """Customers may never have been meant to get it."""
    made = world.create_subscription()
    path = f"/v1/subscriptions/{made['id']}/rehearsals"
    shown = world.send("POST", path, {"change": {}}).ok()
    customer = Customer(world, can=["view", "replay"])
    asked = {"rehearsal": shown["id"]}
    assert customer.refused("start_replay", asked, id=made["id"])[:2] == (403, "not_in_portal_link")
    assert customer.refused("rehearse_subscription", {"change": {}}, id=made["id"])[0] == 403
