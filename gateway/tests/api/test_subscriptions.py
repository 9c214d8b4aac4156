"""Subscriptions: what is shown when and to whom, pages, changes, and the end."""

import base64
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from signalpost.sender.addresses import parse_deny_targets

if TYPE_CHECKING:
    from gateway.tests.api.conftest import World

SHAPE = [
    "id", "name", "url", "eventTypes", "headers", "status", "ordering", "rateLimit", "retryDelays", "startsAfter",
    "rotationEndsAt", "createdAt", "updatedAt", "trace", "health",
]  # fmt: skip
HEALTH = {"state", "failingSince", "lastError", "breaker", "lag", "oldestDueAt"}
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00")


def path_of(subscription: dict[str, Any]) -> str:
    return f"/v1/subscriptions/{subscription['id']}"


def test_a_creation_shows_the_secret_once_and_reads_never(world: "World") -> None:
    answer = world.send("POST", "/v1/subscriptions", {**world.subscription, "headers": {"X-Key": "hidden value"}})
    made = answer.ok(201)
    assert answer.headers["location"] == path_of(made)
    assert answer.headers["etag"] == '"1"'
    assert set(made) == {*SHAPE, "secret", "standardWebhooksSecret"}
    assert made["secret"] == made["standardWebhooksSecret"]
    assert made["secret"].startswith("whsec_")
    assert len(base64.b64decode(made["secret"][6:], validate=True)) == 32
    assert made["headers"] == {"X-Key": None}
    shown = {name: made[name] for name in SHAPE}
    patched = world.send("PATCH", path_of(made), {"headers": {"X-Key": "hidden as well"}})
    listed = next(each for each in world.get("/v1/subscriptions").ok()["data"] if each["id"] == made["id"])
    for each in (world.get(path_of(made)).ok(), listed, patched.ok()):
        assert list(each) == SHAPE
        assert {**each, "updatedAt": shown["updatedAt"]} == shown
    for body in (answer.body, patched.body, world.get(path_of(made)).body, world.get("/v1/subscriptions").body):
        assert b"hidden" not in body
    assert made["secret"].encode() not in world.get("/v1/subscriptions").body


def test_an_owner_s_secret_is_shown_in_both_forms(world: "World") -> None:
    made = world.create_subscription(secret="geheim, ü")
    assert made["secret"] == "geheim, ü"
    assert base64.b64decode(made["standardWebhooksSecret"].removeprefix("whsec_")) == "geheim, ü".encode()


def test_two_made_secrets_differ(world: "World") -> None:
    assert world.create_subscription()["secret"] != world.create_subscription()["secret"]


def test_what_is_left_out_has_its_default(world: "World") -> None:
    made = world.send(
        "POST", "/v1/subscriptions", {"url": "https://receiver.example.com/x", "eventTypes": ["documentDeleted"]}
    ).ok(201)
    assert made["name"] == "receiver.example.com"
    assert (made["status"], made["ordering"], made["rateLimit"]) == ("active", "loose", None)
    assert (made["retryDelays"], made["headers"]) == ([10, 60, 300], {})
    assert made["startsAfter"] == world.last()
    assert TIMESTAMP.fullmatch(made["createdAt"])
    assert made["updatedAt"] == made["createdAt"]
    assert set(made["health"]) >= HEALTH
    assert made["health"]["state"] == "healthy"
    assert made["health"]["breaker"] == "closed"
    assert (made["health"]["lag"], made["health"]["lastError"], made["health"]["oldestDueAt"]) == (0, None, None)
    assert world.send("DELETE", path_of(made)).status == 204


def test_while_nothing_is_sent_it_is_told_until_when_the_oldest_event_that_waits_is_kept(
    make_world: Callable[..., "World"],
) -> None:
    world = make_world(retention_days=7)
    paused = path_of(world.create_subscription())
    assert world.get(paused).ok()["health"]["keptUntil"] is None
    for _ in range(2):
        world.create_document()
    made = datetime.fromisoformat(world.events()[0]["event"]["createdAt"])
    [listed] = world.get("/v1/subscriptions").ok()["data"]
    for health in (world.get(paused).ok()["health"], listed["health"]):
        assert health["lag"] == 2
        assert TIMESTAMP.fullmatch(health["keptUntil"])
        assert datetime.fromisoformat(health["keptUntil"]) == made + timedelta(days=7)
    world.send("PATCH", paused, {"status": "active", "skipBacklog": True}).ok()
    assert world.get(paused).ok()["health"]["keptUntil"] is None


def test_the_operator_s_retry_delays_are_the_default(make_world: Callable[..., "World"]) -> None:
    world = make_world(retry_delays=(1, 2))
    assert world.create_subscription()["retryDelays"] == [1, 2]
    assert world.create_subscription(retryDelays=[5])["retryDelays"] == [5]


def test_one_to_a_host_that_the_operator_denies_is_refused(make_world: Callable[..., "World"]) -> None:
    world = make_world(deny_targets=parse_deny_targets("evil.example,8.8.8.0/24"))
    for host in ("evil.example", "hooks.evil.example", "8.8.8.8"):
        body = {"url": f"https://{host}/", "eventTypes": ["documentCreated"]}
        (bad,) = world.refuses("POST", "/v1/subscriptions", body, at=("/url",))["errors"]
        assert bad["code"] == "address_refused"
        assert "DENY_TARGETS" in bad["detail"]


def test_a_paused_one_counts_what_waits_for_it(world: "World") -> None:
    made = world.create_subscription()
    assert made["health"]["state"] == "paused"
    for _ in range(3):
        world.create_document()
    world.wait_until(lambda: world.get(path_of(made)).ok()["health"]["lag"] == 3)


def test_a_patch_changes_what_it_names_and_nothing_else(world: "World") -> None:
    made = world.create_subscription(headers={"A": "1"}, rateLimit=5)
    changes: dict[str, Any] = {
        "name": "New", "url": f"{made['url']}/new", "eventTypes": ["documentUpdated"], "ordering": "strict",
        "rateLimit": None, "retryDelays": [1], "headers": {"B": "2"},
    }  # fmt: skip
    expected = {name: made[name] for name in SHAPE[:-1]}
    for number, (field, value) in enumerate(changes.items(), 2):
        answer = world.send("PATCH", path_of(made), {field: value})
        changed = answer.ok()
        expected[field] = {"B": None} if field == "headers" else value
        assert answer.headers["etag"] == f'"{number}"'
        assert {**changed, "updatedAt": 0} == {**expected, "updatedAt": 0, "health": changed["health"]}
        assert changed["updatedAt"] > expected["updatedAt"]
        expected["updatedAt"] = changed["updatedAt"]
    assert world.last() == made["startsAfter"]


def test_a_header_s_value_goes_to_another_origin_only_if_it_is_given_again(world: "World") -> None:
    """Values are write-only, so a changed URL must not be a way to have them sent to oneself."""
    url = "https://receiver.example.com:8443"
    path = path_of(world.create_subscription(url=f"{url}/a", headers={"X-Key": "hidden", "X~": "too"}))
    elsewhere = (
        "https://attacker.example.com:8443/a", "https://receiver.example.com/a", "https://a.receiver.example.com:8443/a",
    )  # fmt: skip
    for other in elsewhere:
        bad = world.refuses("PATCH", path, {"url": other}, at=("/headers/X-Key", "/headers/X~0"))["errors"]
        assert {each["code"] for each in bad} == {"give_again"}
        assert other.rpartition("/")[0] in bad[0]["detail"]
        assert "hidden" not in str(bad)
    assert world.get(path).ok()["url"] == f"{url}/a"
    for same in ("https://RECEIVER.example.com:8443/b?c=d", "https://RECEIVER.example.com:8443/b?c=***", f"{url}/a"):
        world.send("PATCH", path, {"url": same}).ok()
    moved = world.send("PATCH", path, {"url": elsewhere[0], "headers": {"X-Key": "given again"}}).ok()
    assert (moved["url"], moved["headers"]) == (elsewhere[0], {"X-Key": None})
    assert world.send("PATCH", path, {"url": elsewhere[1], "headers": {}}).ok()["headers"] == {}
    assert world.send("PATCH", path, {"url": elsewhere[0]}).ok()["url"] == elsewhere[0]


def test_a_patch_that_changes_nothing_is_none(world: "World") -> None:
    made = world.create_subscription(headers={"A": "1"})
    before = world.state()
    for patch in ({}, {"name": made["name"]}, {"headers": {"A": "1"}}, {"status": "paused", "skipBacklog": False},
                  {"eventTypes": ["documentCreated", "documentCreated"], "retryDelays": [10, 60, 300]}):  # fmt: skip
        answer = world.send("PATCH", path_of(made), patch)
        assert answer.headers["etag"] == '"1"'
        assert answer.ok()["updatedAt"] == made["updatedAt"]
    assert world.state() == before


def test_etags_go_round(world: "World") -> None:
    path = path_of(world.create_subscription())
    etag = world.get(path).headers["etag"]
    assert world.send("PATCH", path, {"name": "x"}, {"if-match": etag}).headers["etag"] == '"2"'
    for header in (etag, 'W/"2"', "2", ""):
        world.refuses("PATCH", path, {"name": "y"}, status=412, headers={"if-match": header})
        world.refuses("DELETE", path, status=412, headers={"if-match": header})
    for header in ("*", '"1", "3"'):
        world.send("PATCH", path, {"name": f"for {header}"}, {"if-match": header}).ok()
    assert world.send("DELETE", path, headers={"if-match": '"4"'}).status == 204


def test_after_its_deletion_it_is_not_there(world: "World") -> None:
    made = world.create_subscription(headers={"A": "1"})
    event = world.create_document()
    assert event
    entry = world.events(world.last() - 1)[0]["event"]["id"]
    answer = world.send("DELETE", path_of(made))
    assert (answer.status, answer.body) == (204, b"")
    for method, below, body in (
        ("GET", "", None),
        ("PATCH", "", {"name": "x"}),
        ("DELETE", "", None),
        ("GET", "/deliveries", None),
        ("GET", f"/deliveries/{entry}", None),
        ("POST", f"/deliveries/{entry}/retry", None),
    ):
        world.refuses(method, path_of(made) + below, body, status=404, code="subscription_not_found")
    assert made["id"] not in [each["id"] for each in world.get("/v1/subscriptions?limit=250").ok()["data"]]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 250])
def test_pages_go_from_the_newest_to_the_oldest_without_gap_or_repeat(
    make_world: Callable[..., "World"], limit: int
) -> None:
    world = make_world()
    made = [world.create_subscription()["id"] for _ in range(7)]
    removed = made.pop(3)
    world.send("DELETE", f"/v1/subscriptions/{removed}")
    found, cursor, pages = [], "", 0
    while True:
        page = world.get(f"/v1/subscriptions?limit={limit}{cursor}").ok()
        assert set(page) == {"data", "next"}
        assert len(page["data"]) <= limit
        found += [each["id"] for each in page["data"]]
        pages += 1
        assert pages < 20
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
        if pages == 1:  # what is made meanwhile moves nothing
            world.create_subscription()
    assert found == made[::-1]


def test_the_default_page_has_50(make_world: Callable[..., "World"]) -> None:
    world = make_world()
    assert world.get("/v1/subscriptions").ok() == {"data": [], "next": None}
    for _ in range(51):
        world.create_subscription()
    page = world.get("/v1/subscriptions").ok()
    assert len(page["data"]) == 50
    rest = world.get(f"/v1/subscriptions?cursor={page['next']}").ok()
    assert (len(rest["data"]), rest["next"]) == (1, None)


# --- What is shown of a URL -------------------------------------------------------------------------------------------

HOOK = "https://receiver.example.com/hook?sig=canary-of-a-query&v=2"
SHOWN = "https://receiver.example.com/hook?sig=***&v=***"


def test_no_answer_shows_the_values_of_a_url_s_query(world: "World") -> None:
    answer = world.send("POST", "/v1/subscriptions", {**world.subscription, "url": HOOK})
    made = answer.ok(201)
    assert made["url"] == SHOWN
    listed = world.get("/v1/subscriptions")
    for body in (answer.body, world.get(path_of(made)).body, listed.body):
        assert b"canary" not in body
    assert [each["url"] for each in listed.ok()["data"] if each["id"] == made["id"]] == [SHOWN]


def test_a_url_as_it_is_shown_leaves_the_present_one(world: "World") -> None:
    made = world.create_subscription(url=HOOK)
    unchanged = world.send("PATCH", path_of(made), {"url": SHOWN})
    assert (unchanged.headers["etag"], unchanged.ok()["url"]) == ('"1"', SHOWN)
    renamed = world.send("PATCH", path_of(made), {"url": SHOWN, "name": "Renamed"}).ok()
    assert (renamed["url"], renamed["name"]) == (SHOWN, "Renamed")
    # Only the whole URL is the one that is there.
    assert world.send("PATCH", path_of(made), {"url": HOOK}).headers["etag"] == '"2"'


def test_another_url_with_something_struck_out_is_refused(world: "World") -> None:
    made = world.create_subscription(url=HOOK)
    for url in ("https://receiver.example.com/hook?sig=***", "https://other.example.com/hook?sig=***&v=***"):
        world.refuses("PATCH", path_of(made), {"url": url}, at=("/url",))
        world.refuses("POST", "/v1/subscriptions", {**world.subscription, "url": url}, at=("/url",))
    world.refuses(
        "PATCH", path_of(made), {"url": "https://a.example/?a=***", "rateLimit": 0}, at=("/url", "/rateLimit")
    )


def test_a_list_is_narrowed_by_name_host_and_state(make_world: Callable[..., "World"]) -> None:
    world = make_world()
    made = [
        world.create_subscription(name=name, url=f"https://{host}/hooks?token=acme", status=status)["id"]
        for name, host, status in (
            ("Acme Legal", "api.acme.example", "active"),
            ("ACME archive", "archive.example:8443", "paused"),
            ("Straße", "acme-mirror.example", "active"),
        )
    ]
    for query, expected in {
        "name=acme": [1, 0],
        "name=STRASSE": [2],
        "host=ACME": [2, 0],
        "host=8443": [1],
        "host=token": [],
        "state=paused": [1],
        "state=healthy": [2, 0],
        "state=failing": [],
        "name=acme&host=archive&state=paused": [1],
        "name=acme&limit=1": [1],
    }.items():
        found = world.get(f"/v1/subscriptions?{query}").ok()["data"]
        assert [each["id"] for each in found] == [made[index] for index in expected], query
    page = world.get("/v1/subscriptions?name=acme&limit=1").ok()
    rest = world.get(f"/v1/subscriptions?name=acme&cursor={page['next']}").ok()
    assert [each["id"] for each in rest["data"]] == [made[0]]
    world.get("/v1/subscriptions?state=well&name=").refused(422, "?state", "?name")


def test_names_are_listed_to_choose_one(world: "World") -> None:
    made = [world.create_subscription(name=f"to choose {number}") for number in range(3)]
    first = world.get("/v1/subscriptions/names?limit=2").ok()
    assert first["data"] == [{"id": each["id"], "name": each["name"]} for each in made[:0:-1]]
    assert world.get(f"/v1/subscriptions/names?limit=1&cursor={first['next']}").ok()["data"] == [
        {"id": made[0]["id"], "name": made[0]["name"]}
    ]


def test_names_are_found_by_a_part_and_by_ids_and_say_how_many_there_are(world: "World") -> None:
    made = [world.create_subscription(name=f"Findable {number}")["id"] for number in range(3)]
    total = world.get("/v1/subscriptions/names?limit=1").ok()["total"]
    assert total >= 3
    found = world.get("/v1/subscriptions/names?name=findABLE&limit=2").ok()
    assert [each["id"] for each in found["data"]] == made[:0:-1]
    assert found["total"] == total
    rest = world.get(f"/v1/subscriptions/names?name=findABLE&limit=2&cursor={found['next']}").ok()
    assert ([each["id"] for each in rest["data"]], rest["next"]) == (made[:1], None)
    absent = "01a20e98-25ba-7b43-8f2d-f3d7f20c1d84"
    by_ids = world.get(f"/v1/subscriptions/names?ids={made[0]},{absent},{made[2]}").ok()
    assert [each["id"] for each in by_ids["data"]] == [made[2], made[0]]
    assert (by_ids["next"], by_ids["total"]) == (None, total)
    world.refuses("GET", "/v1/subscriptions/names?ids=x", at=("?ids",))
