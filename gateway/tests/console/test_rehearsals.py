"""Rehearsals in the forms of the console: what a change would have sent, before it is saved."""

import re
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest
from gateway.tests.console.conftest import HOSTILE

if TYPE_CHECKING:
    from gateway.tests.console.conftest import Shop

BLANK = {"when.field": "", "when.fact": "", "when.operator": "is", "when.value": "", "after": ""}
"""The rows of a form's conditions, without one."""


def region(answer: Any) -> str:
    """What the page says of the rehearsal, as text of HTML."""
    text = unescape(answer.body.decode())
    assert 'id="rehearsal"' in text
    return text.split('id="rehearsal"')[1].split("</form>")[0]


def test_a_change_is_rehearsed_saved_and_what_is_missing_is_sent(shop: "Shop") -> None:
    browser, world = shop.browser("subscriber"), shop.world
    made = world.create_subscription(name="Leases", eventTypes=["documentDeleted"], status="active")
    path = f"/console/t/default/subscriptions/{made['id']}/settings/edit"
    world.create_document(title=HOSTILE)
    page = browser.open(path)
    version = re.findall(r'name="version" value="([^"]+)"', page)[-1]
    form = {"key": "a", "version": unescape(version), "type": ["documentCreated", ""]}
    answer = browser.post(path, {**form, "do": "rehearse"})
    assert answer.status == 200
    assert HOSTILE.encode() not in answer.body
    told = region(answer)
    assert "1 more, 0 fewer since" in told
    assert "Save, and send the 1 that is missing" in told
    assert "the subscription does not ask for events of this type" in told
    assert "checked" in answer.body.decode().split('value="documentCreated"')[1][:20], "what was typed stays"
    assert world.get(f"/v1/subscriptions/{made['id']}").ok()["eventTypes"] == ["documentDeleted"], "nothing is saved"
    [identity] = re.findall(r'name="rehearsal" value="([^"]+)"', answer.body.decode())
    done = browser.post(path, {**form, "do": "change-and-send", "rehearsal": identity})
    assert (done.status, done.headers["location"].split("?")[1]) == (303, "done=sent")
    assert world.get(f"/v1/subscriptions/{made['id']}").ok()["eventTypes"] == ["documentCreated"]
    [replay] = world.get(f"/v1/subscriptions/{made['id']}/replays").ok()["data"]
    assert (replay["status"], replay["count"]) == ("unsent", 1)


def test_what_saving_would_refuse_is_said_at_its_field(shop: "Shop") -> None:
    browser = shop.browser()
    path = f"/console/t/default/subscriptions/{shop.subscription}/settings/edit"
    when = {**BLANK, "when.field": "document.title", "when.operator": "above", "when.value": "5"}
    refused = browser.post(path, {"do": "rehearse", **when})
    assert refused.status == 422
    assert "document.title is a text and takes is," in refused.body.decode()


def test_a_new_webhook_is_rehearsed(shop: "Shop") -> None:
    browser = shop.browser()
    path = "/console/t/default/subscriptions/new"
    form = {"url": "https://a.example/", "type": ["documentCreated", ""], "secret": "canary-of-a-secret"}
    answer = browser.post(path, {"do": "rehearse", **form})
    told = region(answer)
    assert re.search(r"It would have sent \d+ events? since", told)
    assert "canary" not in told
    assert "Save, and send" not in told
    assert browser.post(path, {"do": "rehearse", **form, "url": ""}).status == 422


@pytest.mark.parametrize("role", ["operator", "subscriber"])
def test_requests_to_a_vendor_are_shown_to_operators_alone(shop: "Shop", role: str) -> None:
    browser, world = shop.browser(role), shop.world
    body = {
        "kind": "slack",
        "name": "Slack",
        "config": {"signIn": {"with": "bot", "token": "xoxb-secret-token", "channel": "#a"}},
    }
    connection = world.send("POST", "/v1/connections", body).ok(201)["id"]
    said = {"connection": connection, "config.text": "Look: {{ document.title }}", "type": "documentCreated", **BLANK}
    told = region(browser.post("/console/t/default/subscriptions/new/slack", {"do": "rehearse", **said}))
    assert "It would have sent" in told
    assert ("Look: " in told) == (role == "operator")
    assert "xoxb" not in told


def test_who_may_not_change_it_finds_no_button(shop: "Shop") -> None:
    page = shop.browser("viewer").open(f"/console/t/default/subscriptions/{shop.subscription}/settings")
    assert "rehearse" not in page
