"""The overview: what was given up stays, how the gateway is, and how many need a person."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from gateway.tests.api.conftest import World, url
from gateway.tests.api.moved_clock import MovedClock
from gateway.tests.console.conftest import HOSTILE, Browser
from gateway.tests.console.test_portal import Guest
from gateway.tests.sqlite_file import database_file
from markupsafe import escape

from signalpost.api.routing.shapes.service import GatewayShown, Nodes
from signalpost.console.html import apart, due, span
from signalpost.console.pages.overview import MachinePart
from signalpost.domain.timestamps import SECOND, format_timestamp, parse_timestamp
from signalpost.runtime.clock import SystemClock
from signalpost.sender.addresses import parse_allow_targets
from signalpost.store.sqlite.database import SqliteDatabase

__all__ = ["url"]

LATER = 9
"""How many documents follow the one whose event was given up: more than are shown as they happen."""


@pytest.fixture(scope="module")
def world(make_world: Callable[..., World], url: str) -> World:
    """A gateway whose one endpoint did not take an event, and takes the later ones at another path."""
    world = make_world(allow_targets=parse_allow_targets(url))
    given: dict[str, Any] = {"status": "active", "eventTypes": ["documentCreated"], "retryDelays": []}
    made = world.create_subscription(**given, name="Acme", url=f"{url}/404")
    world.create_document(title="Given up long ago")
    world.wait_until(lambda: world.get("/v1/overview").ok()["failed"] == 1)
    world.send("PATCH", f"/v1/subscriptions/{made['id']}", {"url": f"{url}/200"}).ok()
    for _ in range(LATER):
        world.create_document(title="Arrived")
    world.wait_until(lambda: len(world.get("/v1/deliveries?status=delivered").ok()["data"]) == LATER)
    world.wait_until(lambda: world.get("/v1/overview/count").ok()["count"] == 1)
    return world


def opened(world: World, path: str, role: str = "operator") -> str:
    key = world.send("POST", "/v1/keys", {"name": role, "role": role}).ok(201)["key"]
    return Browser(world).sign_in(key).open(path)


@pytest.mark.parametrize("path", ["", "/documents"])
def test_every_page_says_how_many_need_somebody(world: World, path: str) -> None:
    text = opened(world, f"/console/t/default{path}")
    assert text.count('<b class="needing">') == 3  # at the side, in the menu, and below on a phone
    assert '<b class="needing">1<span class="hidden"> needs you</span></b>' in text


def test_each_event_says_how_many_got_it(world: World) -> None:
    text = opened(world, "/console/t/default/events")
    assert text.count("1 of 1 got it") == LATER
    assert text.count("0 of 1 got it") == 1


def test_only_operators_see_how_the_gateway_is(world: World) -> None:
    for role, is_shown in (("operator", True), ("viewer", False)):
        text = opened(world, "/console/t/default", role)
        assert ("<dt>In flight</dt><dd>0 of 512</dd>" in text) == is_shown
        assert ("<dt>Up for</dt>" in text) == is_shown


def test_a_node_that_others_took_for_dead_does_not_say_since_when_it_is_up(world: World) -> None:
    gateway = msgspec.convert(world.get("/v1/gateway").ok(), GatewayShown)
    nodes = msgspec.convert(world.get("/v1/nodes").ok(), Nodes).data
    assert MachinePart(gateway, nodes).up_since == nodes[0].joined_at
    assert MachinePart(gateway, []).up_since is None


def test_support_sees_how_long_the_oldest_delivery_is_due(make_world: Callable[..., World], url: str) -> None:
    clock = MovedClock()
    world = make_world(allow_targets=parse_allow_targets(url), clock=clock)
    given = {"status": "active", "eventTypes": ["documentCreated"], "retryDelays": [3600]}
    made = world.create_subscription(**given, name="Slow", url=f"{url}/503")["id"]
    world.create_document()
    path = f"/subscriptions/{made}"
    due = world.wait_until(lambda: world.get(f"/v1{path}").ok()["health"]["oldestDueAt"])
    clock.move(2 * 60 * SECOND)
    [need] = world.get("/v1/overview").ok()["attention"]
    assert (need["need"], need["oldestDueAt"]) == ("failing", due)
    for page, said in (("", "The oldest delivery is due <time"), (path, "the oldest is due <time")):
        assert said in opened(world, f"/console/t/default{page}")
    assert "1, the oldest is due <time" in Guest(world).enter().open(f"/portal{path}")
    world.send("PATCH", f"/v1{path}", {"status": "paused"}).ok()
    assert "the oldest" not in opened(world, f"/console/t/default{path}")


def test_the_steps_of_a_delivery_say_who_had_it_sent_now_but_not_to_customers(
    make_world: Callable[..., World], url: str
) -> None:
    world = make_world(allow_targets=parse_allow_targets(url))
    made = world.create_subscription(status="active", retryDelays=[3600], url=f"{url}/503")["id"]
    world.create_document()
    path = f"/subscriptions/{made}/deliveries"
    [delivery] = world.wait_until(lambda: world.get(f"/v1{path}?status=retrying").ok()["data"])
    path = f"{path}/{delivery['eventId']}"
    key = world.send("POST", "/v1/keys", {"name": HOSTILE, "role": "subscriber"}).ok(201)["key"]
    assert Browser(world).sign_in(key).post(f"/console/t/default{path}", {"do": "send", "key": "now"}).status == 303
    world.wait_until(lambda: len(world.get(f"/v1{path}").ok()["attempts"]) == 2)
    shown = opened(world, f"/console/t/default{path}", "viewer").partition('id="steps"')[2].partition("</ol>")[0]
    asked = f'<strong>To be sent now</strong> <span class="muted">asked for by {escape(HOSTILE)}</span>'
    assert shown.count(asked) == 1
    assert shown.index("Attempt 1") < shown.index(asked) < shown.index("Attempt 2")
    assert "asked for by" not in Guest(world).enter(can=["retry"]).open(f"/portal{path}")


def test_where_an_endpoint_gets_more_than_it_takes_its_rate_is_limited(
    make_world: Callable[..., World], url: str
) -> None:
    world = make_world(allow_targets=parse_allow_targets(url))
    given: dict[str, Any] = {"status": "active", "retryDelays": []}
    made = world.create_subscription(**given, name=HOSTILE, url=f"{url}/429")["id"]
    world.create_subscription(**given, name="Elsewhere", url=f"{url}/404")
    world.create_document()
    world.wait_until(lambda: world.get("/v1/overview").ok()["failed"] == 2)
    [failed] = world.get(f"/v1/subscriptions/{made}/deliveries?status=failed").ok()["data"]
    delivery = f"/subscriptions/{made}/deliveries/{failed['eventId']}"
    key = world.send("POST", "/v1/keys", {"name": "support", "role": "subscriber"}).ok(201)["key"]
    browser, path = Browser(world).sign_in(key), f"/console/t/default/subscriptions/{made}"
    for page in ("", delivery):
        text = browser.open(f"/console/t/default{page}")
        assert text.count(">Limit rate</button>") == 1
        assert f'<form class="form" method="post" action="{path}">' in text
        assert "Limit rate" not in opened(world, f"/console/t/default{page}", "viewer")
    assert browser.post(path, {"do": "limit", "rate": "5", "key": "l1"}).headers["location"] == f"{path}?done=limited"
    assert world.get(f"/v1/subscriptions/{made}").ok()["rateLimit"] == 5
    wrong = browser.post(path, {"do": "limit", "rate": "few", "key": "l2"})
    assert (wrong.status, b'name="rate" type="text" value="few"' in wrong.body) == (422, True)
    guest = Guest(world).enter(can=["edit"])
    assert ">Limit rate</button>" in guest.open(f"/portal{delivery}")
    assert 'name="rate" type="text" value="5"' in guest.open(f"/portal/subscriptions/{made}")
    limited = guest.post(f"/portal/subscriptions/{made}", {"do": "limit", "rate": "7"})
    assert (limited.status, world.get(f"/v1/subscriptions/{made}").ok()["rateLimit"]) == (303, 7)
    assert guest.post(f"/portal/subscriptions/{made}", {"do": "change", "name": "N", "rate": ""}).status == 303
    assert world.get(f"/v1/subscriptions/{made}").ok()["rateLimit"] is None
    assert "Limit rate" not in Guest(world).enter(can=["retry"]).open(f"/portal{delivery}")


def test_operators_see_how_old_the_last_backup_is(make_world: Callable[..., World], tmp_path: Path) -> None:
    world = make_world()
    world.create_subscription()
    pages = ("/console/t/default", "/console/t/default/gateway")
    for page in pages:
        assert "none by <code>signalpost db backup</code>" in opened(world, page)
    at = SystemClock().wall() - 8 * 3600 * SECOND
    SqliteDatabase(database_file(world.settings.data_dir)).back_up(tmp_path / "copy.db", at)
    assert world.get("/v1/gateway").ok()["database"]["backedUpAt"] == format_timestamp(at)
    for page in pages:
        assert "8 h ago</time>, sound" in opened(world, page)
    [told] = re.findall(
        r"^signalpost_backup_timestamp_seconds (.*)$", world.get("/metrics").body.decode(), re.MULTILINE
    )
    assert float(told) == at / SECOND


def test_a_delivery_that_waits_behind_another_leads_to_that_one(make_world: Callable[..., World], url: str) -> None:
    world = make_world(allow_targets=parse_allow_targets(url))
    given = {"status": "active", "ordering": "strict", "retryDelays": [3600]}
    types = ["documentCreated", "documentUpdated"]
    path = f"/subscriptions/{world.create_subscription(**given, eventTypes=types, url=f'{url}/503')['id']}/deliveries"
    document = world.create_document()["externalId"]
    world.wait_until(lambda: world.get(f"/v1{path}?status=retrying").ok()["data"])
    world.send("PATCH", f"/v1/documents/{document}", {"title": "Changed"}).ok()
    first, second = (f"{path}/{each['event']['id']}" for each in world.events())
    world.wait_until(lambda: world.get(f"/v1{second}").ok()["cause"]["code"] == "behind_earlier")
    waits = world.get(f"/v1{second}").ok()["cause"]
    assert first.endswith(waits["eventId"])
    assert f'href="/console/t/default{first}">See that one</a>' in opened(world, f"/console/t/default{second}")
    assert f'href="/portal{first}">See that one</a>' in Guest(world).enter().open(f"/portal{second}")
    assert world.get(f"/v1{first}").ok()["cause"]["eventId"] is None


def test_when_something_is_due_is_told_in_words() -> None:
    now = parse_timestamp("2026-11-25T10:00:00Z")
    moments = "2026-11-25T09:56:50Z", "2026-11-25T09:59:59.600Z", "2026-11-25T10:02:00Z"
    told = [re.sub("<[^>]*>", "", due(at, now)) for at in moments]
    assert told == ["was due 3 min 10 s ago", "is due now", "is due in 2 min"]
    assert [apart("2026-11-25T09:59:00Z", at) for at in moments[1:]] == ["59 s later", "3 min later"]
    assert [span(at, now) for at in moments[:2]] == ["3 min 10 s", "less than a second"]


def test_what_was_given_up_stays_below_what_came_later_until_it_is_sent_again(world: World) -> None:
    text = opened(world, "/console/t/default")
    latest = text[text.index('id="latest"') :]
    assert latest.count("Given up long ago") == 1
    assert latest.rindex(">Arrived<") < latest.index("Given up long ago")
    [failed] = world.get("/v1/deliveries?status=failed").ok()["data"]
    path = f"/v1/subscriptions/{failed['subscriptionId']}/deliveries/{failed['eventId']}/retry"
    assert world.send("POST", path).status == 202
    world.wait_until(lambda: world.get("/v1/overview").ok()["failed"] == 0)
    assert "Given up long ago" not in opened(world, "/console/t/default")


def test_sources_are_shown_with_those_first_that_need_a_person(make_world: Callable[..., World], url: str) -> None:
    clock = MovedClock()
    world = make_world(allow_targets=parse_allow_targets(url), clock=clock)
    page = "/console/t/default"
    assert '<section class="card" hidden id="sources"' in opened(world, page)
    world.create_subscription(name="Well", url=f"{url}/200")
    for name, said in (("a", {"oldestSeconds": 0, "dead": 0}), ("b", {"oldestSeconds": 400, "dead": 1_200})):
        assert world.send("PUT", f"/v1/sources/{name}", said).status == 204
    clock.move(60 * SECOND)
    text = opened(world, page, "viewer")
    assert "<h1>One source needs you</h1>" in text
    assert text.index('id="sources"') < text.index('id="numbers"')
    assert text.count('id="sources"') == 1
    shown = text.partition('id="sources"')[2].partition("</section>")[0]
    assert re.sub(r"\s*<[^>]*>\s*", " ", shown).split("Last heard")[1].split() == (
        "b Behind 6 min 40 s 1,200 1 min ago a Healthy – 0 1 min ago".split()
    )
    clock.move(120 * SECOND)
    assert "<h1>Two sources need you</h1>" in opened(world, page)
