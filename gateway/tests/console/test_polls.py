"""Subscriptions that are read, in the console: how their readers do is shown, and no way to send is offered."""

import re
from html import unescape

from gateway.tests.console.conftest import make_world
from gateway.tests.console.forms_as_sent import forms_of
from gateway.tests.console.test_portal import ALL, Guest
from gateway.tests.console.test_true_sentences import ROOT, Desk, desk, text_of

__all__ = ["desk", "make_world"]


def test_its_pages_say_how_it_is_read_and_offer_no_way_to_send(desk: Desk) -> None:
    body = {"kind": "poll", "name": "Behind a firewall", "eventTypes": ["documentCreated"]}
    made = desk.world.send("POST", "/v1/subscriptions", body).ok(201)
    path = f"{ROOT}/subscriptions/{made['id']}"
    assert "Nobody has read its events yet." in unescape(desk.browser.open(path))
    desk.world.create_document(title="An order")
    key = {"authorization": f"Bearer {made['readerKey']}"}
    handed = desk.world.send("POST", f"/v1/subscriptions/{made['id']}/poll", {"wait": 0}, key).ok()
    page = desk.browser.open(path)
    said = text_of(unescape(page))
    assert "Its customer reads its events." in said
    assert "Handed out 1" in said
    assert "It waits until its reader has acknowledged it." in said
    assert "Last acknowledged never" in said
    assert not [form for form in forms_of(page) if "test" in form.buttons]
    receipt = {"receipt": handed["receipt"]}
    desk.world.send("POST", f"/v1/subscriptions/{made['id']}/acknowledge", receipt, key).ok()
    assert "Handed out 0" in text_of(unescape(desk.browser.open(path)))
    [event] = handed["data"]
    delivery = desk.browser.open(f"{path}/deliveries/{event['headers']['webhook-id']}")
    assert not [form for form in forms_of(delivery) if "send" in form.buttons]
    for tab in ("/deliveries", "/settings", "/settings/edit", "/secret", "/history"):
        assert "Behind a firewall" in desk.browser.open(path + tab)
    assert "read by its customer" in desk.browser.open(f"{ROOT}/subscriptions")


def test_a_rotation_shows_the_new_key_of_the_reader(desk: Desk) -> None:
    body = {"kind": "poll", "name": "Rotated", "eventTypes": ["documentCreated"]}
    made = desk.world.send("POST", "/v1/subscriptions", body).ok(201)
    shown = desk.send(f"/subscriptions/{made['id']}/secret", {"do": "rotate", "key": "k1"})
    assert "spr_" in shown
    assert "Test the new secret" not in shown


def test_a_customer_sees_how_they_read_and_may_rotate_the_secret(desk: Desk) -> None:
    body = {"kind": "poll", "name": "Ours", "eventTypes": ["documentCreated"]}
    made = desk.world.send("POST", "/v1/subscriptions", body).ok(201)
    guest = Guest(desk.world).enter(can=ALL)
    path = f"/portal/subscriptions/{made['id']}"
    desk.world.create_document(title="An order")
    page = guest.get(path).body.decode()
    said = text_of(unescape(page))
    assert "You read its events." in said
    assert "Last read never" in said
    assert not [form for form in forms_of(page) if "test" in form.buttons]
    assert "Send many again" not in said
    event = desk.world.events()[-1]["event"]["id"]
    delivery = guest.get(f"{path}/deliveries/{event}")
    assert delivery.status == 200
    assert not [form for form in forms_of(delivery.body.decode()) if "send" in form.buttons]
    rotated = guest.post(path, {"do": "rotate", "key": "k2"})
    assert "spr_" in rotated.body.decode()


def test_a_form_makes_one_and_shows_what_its_reader_needs_once(desk: Desk) -> None:
    new = f"{ROOT}/subscriptions/new/poll"
    assert f'href="{new}"' in desk.browser.open(f"{ROOT}/subscriptions/new")
    [form] = [each for each in forms_of(desk.browser.open(new)) if "create" in each.buttons]
    assert not [each for each in form.fields if each[0] in ("url", "secret")]
    typed = {"do": "create", "name": "Acme", "type": ["documentCreated"], "starts_after": "0"}
    wrong = desk.browser.post(new, {**typed, "type": [], "key": "n0"})
    assert wrong.status == 422
    shown = desk.browser.post(new, {**typed, "key": "n1"}).body.decode()
    assert "Its customer reads its events from now on." in shown
    [made] = desk.world.get("/v1/subscriptions?name=Acme").ok()["data"]
    assert (made["kind"], made["eventTypes"], made["startsAfter"]) == ("poll", ["documentCreated"], 0)
    assert made["id"] in shown
    [key] = re.findall(r"spr_[0-9A-Za-z_-]+", shown)
    path = f"/v1/subscriptions/{made['id']}/poll"
    assert desk.world.send("POST", path, {"wait": 0}, {"authorization": f"Bearer {key}"}).status == 200


def test_a_customer_who_may_create_endpoints_may_create_one_that_they_read(desk: Desk) -> None:
    guest, new = Guest(desk.world).enter(can=ALL), "/portal/subscriptions/new/poll"
    assert f'href="{new}"' in guest.open("/portal/subscriptions/new")
    form = {"do": "create", "name": "Mine", "type": ["documentCreated"], "key": "p1"}
    shown = guest.post(new, form).body.decode()
    assert "You can read its events from now on." in shown
    assert "spr_" in shown
    onlooker = Guest(desk.world).enter(can=["payload"])
    assert onlooker.get(new).status == 403
    assert onlooker.post(new, {**form, "key": "p2"}).status == 403


def test_what_a_reader_would_be_handed_is_rehearsed_before_one_is_made_and_changed(desk: Desk) -> None:
    desk.world.create_document(title="An order")
    typed = {"do": "rehearse", "name": "Rehearsed", "type": ["documentCreated"]}
    shown = unescape(desk.browser.post(f"{ROOT}/subscriptions/new/poll", {**typed, "key": "r1"}).body.decode())
    assert "It would have handed out" in shown
    assert not desk.world.get("/v1/subscriptions?name=Rehearsed").ok()["data"]
    body = {"kind": "poll", "name": "Changed", "eventTypes": ["documentDeleted"]}
    made = desk.world.send("POST", "/v1/subscriptions", body).ok(201)
    edit = f"{ROOT}/subscriptions/{made['id']}/settings/edit"
    [form] = [each for each in forms_of(desk.browser.open(edit)) if "rehearse" in each.buttons]
    kept = {name: value for name, value in form.fields if name in ("key", "version")}
    changed = desk.browser.post(edit, {**kept, "do": "rehearse", "type": ["documentCreated"]})
    said = unescape(changed.body.decode())
    assert changed.status == 200
    assert "more, 0 fewer since" in said
    assert "that are missing" not in said
    assert "that is missing" not in said
