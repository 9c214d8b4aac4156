"""More subscriptions, recipients, connections and tenants than a list of the console shows: nothing is done to others
than the one that was meant, and a page says how many there are."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from gateway.tests.api.conftest import World
from gateway.tests.console.conftest import Browser, make_world
from gateway.tests.console.forms_as_sent import SentForm, forms_of

__all__ = ["make_world"]
ROOT = "/console/t/default"
COUNT = 262


class Crowd:
    def __init__(self, world: World) -> None:
        self.world = world
        self.ids = [world.create_subscription(name=f"Customer {number}")["id"] for number in range(COUNT)]
        self.first = self.ids[0]
        """The oldest, which no list that begins with the newest shows on its first page."""
        world.create_document()
        self.event = world.events()[-1]["event"]["id"]
        self.browser = Browser(world).sign_in(world.key)

    def form(self, path: str, do: str) -> SentForm:
        return next(each for each in forms_of(self.browser.open(ROOT + path)) if do in each.buttons)

    def send(self, path: str, sent: list[tuple[str, str]]) -> str:
        form: dict[str, list[str]] = {}
        for name, value in sent:
            form.setdefault(name, []).append(value)
        answer = self.browser.post(ROOT + path, form)
        assert answer.status == 200, answer.body
        return answer.body.decode()


@pytest.fixture(scope="module")
def crowd(make_world: Callable[..., World]) -> Crowd:
    return Crowd(make_world())


def test_a_link_for_a_customer_is_for_the_one_whose_page_led_there(crowd: Crowd) -> None:
    form = crowd.form(f"/portal-links?subscription={crowd.first}", "create")
    made = crowd.send(f"/portal-links?subscription={crowd.first}", form.pressed("create", {"name": ["For one"]}))
    assert "A link for For one" in made
    [link] = crowd.world.get("/v1/portal-links?limit=1").ok()["data"]
    assert link["subscriptions"] == [crowd.first]
    assert "Customer 0<" in crowd.browser.open(f"{ROOT}/portal-links"), "the list names it"


@pytest.mark.parametrize(("path", "do"), [("/portal-links", "create"), ("/replays", "plan")])
def test_any_of_many_is_found_by_a_part_of_its_name(crowd: Crowd, path: str, do: str) -> None:
    text = crowd.browser.open(ROOT + path)
    assert f"250 of {COUNT} are listed" in text
    form = crowd.form(path, "find")
    typed = {"named": ["omer 1"], "name": ["Typed before"], "document": ["d"]}
    found = crowd.send(path, form.pressed("find", {name: typed[name] for name in typed if name in dict(form.fields)}))
    options = re.findall(r'<option value="([^"]+)"[^>]*>Customer (\d+)', found)
    assert {int(number) for _, number in options} == {number for number in range(COUNT) if f"{number}"[0] == "1"}
    again = next(each for each in forms_of(found) if do in each.buttons)
    kept = dict(again.fields)
    assert kept["named"] == "omer 1"
    assert kept.get("name", "Typed before") == "Typed before"
    assert kept.get("document", "d") == "d"


def test_what_is_sent_again_is_what_the_page_before_was_about(crowd: Crowd) -> None:
    form = crowd.form(f"/replays?subscription={crowd.first}&status=all", "plan")
    assert dict(form.fields)["subscription"] == crowd.first


def test_a_filter_by_a_subscription_stays_when_another_is_added(crowd: Crowd) -> None:
    text = crowd.browser.open(f"{ROOT}/deliveries?subscription={crowd.first}")
    assert f'value="{crowd.first}" selected>Customer 0<' in text
    narrowed = crowd.browser.open(f"{ROOT}/deliveries?subscription={crowd.first}&named=omer+26")
    assert f'value="{crowd.first}" selected>Customer 0<' in narrowed
    assert ">Customer 261<" in narrowed
    assert ">Customer 200<" not in narrowed


def test_one_that_is_not_there_is_never_taken_for_all(crowd: Crowd) -> None:
    absent = "01a20e98-25ba-7b43-8f2d-f3d7f20c1d84"
    form = crowd.form(f"/portal-links?subscription={absent}", "create")
    assert dict(form.fields)["subscription"] == absent
    form_of_replay = crowd.form(f"/replays?subscription={absent}", "plan")
    assert dict(form_of_replay.fields)["subscription"] == absent


def test_all_recipients_of_an_event_are_reached_page_by_page(crowd: Crowd) -> None:
    path, seen = f"{ROOT}/events/{crowd.event}", []
    text = crowd.browser.open(path)
    assert f"0 of {COUNT} got it" in text
    while True:
        seen += re.findall(rf'href="{ROOT}/subscriptions/([^/"]+)/deliveries/{crowd.event}"', text)
        older = re.search(r'<a href="(\?[^"]*)" rel="next">', text)
        if older is None:
            break
        assert [*parse_qs(urlsplit(older[1]).query)] == ["cursor"]
        text = crowd.browser.open(path + older[1])
    assert sorted(seen) == sorted(crowd.ids)


def test_a_delivery_says_where_the_others_are_that_it_does_not_name(crowd: Crowd) -> None:
    text = crowd.browser.open(f"{ROOT}/subscriptions/{crowd.first}/deliveries/{crowd.event}")
    assert "All who got it" in text


def test_the_tenant_that_is_looked_at_is_the_one_that_is_chosen(crowd: Crowd) -> None:
    for number in range(101):
        crowd.world.send("POST", "/v1/tenants", {"name": f"tenant-{number}"}).ok(201)
    text = crowd.browser.open("/console/t/default")
    chosen = re.findall(r'<option value="(/console/t/[^"]+)" selected', text)
    assert chosen == ["/console/t/default"]
    assert '<option value="/console/t/default/tenants">' in text


def test_a_connection_beyond_the_list_is_used_where_its_page_led_to_a_recipe(crowd: Crowd) -> None:
    body: dict[str, Any] = {"kind": "slack", "config": {"signIn": {"with": "bot", "token": "xoxb-1", "channel": "#a"}}}
    made = [
        crowd.world.send("POST", "/v1/connections", {**body, "name": f"Slack {number}"}).ok(201)["id"]
        for number in range(251)
    ]
    for path in (f"/recipes/slack-executed?connection={made[0]}", f"/subscriptions/new/slack?connection={made[0]}"):
        form = crowd.form(path, "activate")
        assert dict(form.fields)["connection"] == made[0]
    assert "Older ones are used from their own page" in crowd.browser.open(f"{ROOT}/recipes/slack-executed")
