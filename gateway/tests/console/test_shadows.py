"""Shadows in the console: one is made from a tab of its original, looked at beside it, and promoted."""

import re
from html import unescape

from gateway.tests.console.conftest import Shop, make_world
from gateway.tests.console.forms_as_sent import forms_of
from gateway.tests.console.test_true_sentences import ROOT, Desk, desk, text_of

__all__ = ["desk", "make_world"]


def test_a_shadow_is_made_compared_and_promoted_from_the_tab_of_its_original(desk: Desk) -> None:
    original = desk.subscribe("/old")
    path = f"/subscriptions/{original}/shadow"
    assert f'href="{ROOT}{path}"' in desk.browser.open(f"{ROOT}/subscriptions/{original}")
    said = desk.send(path, {"do": "create", "url": f"{desk.origin}/new", "key": "k1"})
    assert "The secret, shown only once" in said
    shadow = desk.world.get(f"/v1/subscriptions/{original}").ok()["shadow"]
    assert "No event was sent to both yet." in desk.browser.open(f"{ROOT}{path}")
    refused = desk.browser.post(f"{ROOT}{path}", {"do": "promote", "key": "k2"})
    assert refused.status == 409
    assert "has not taken an event yet" in refused.body.decode()
    assert [form for form in forms_of(refused.body.decode()) if "promote-anyway" in form.buttons]
    desk.told["/new"] = 500
    desk.world.create_document(title="An order")
    compared = f"/v1/subscriptions/{shadow}/comparison"
    desk.world.wait_until(lambda: desk.world.get(compared).ok()["compared"] == 1)
    for each in (original, shadow):
        said = text_of(unescape(desk.browser.open(f"{ROOT}/subscriptions/{each}/shadow")))
        assert "Answered alike 0 of 1 since" in said
        assert "Another status 1" in said
        assert "An order" in said
    for each in ("", "/subscriptions?state=failing", "/deliveries?status=failed", "/events"):
        assert f"/subscriptions/{shadow}" not in desk.browser.open(f"{ROOT}{each}"), each
    assert "1 of 1 got it" in text_of(desk.browser.open(f"{ROOT}/events"))
    assert "tone-failed" not in desk.browser.open(f"{ROOT}/subscriptions").partition('id="subscriptions"')[2]
    page = desk.browser.open(f"{ROOT}/subscriptions/{shadow}")
    assert f'<a href="{ROOT}/subscriptions/{original}">Its original</a>' in page
    desk.told["/new"] = 200
    desk.world.create_document()
    desk.wait_for("delivered", shadow)
    answer = desk.browser.post(f"{ROOT}/subscriptions/{shadow}/shadow", {"do": "promote", "key": "k3"})
    said = desk.browser.open(answer.headers["location"])
    assert "The endpoints were swapped, with their secrets." in said
    assert desk.world.get(f"/v1/subscriptions/{original}").ok()["url"] == f"{desk.origin}/new"


def test_what_is_wrong_with_a_new_shadow_is_said_at_its_field(desk: Desk) -> None:
    path = f"/subscriptions/{desk.subscribe('/old', headers={'x-key': 'canary'})}/shadow"
    same = desk.browser.post(f"{ROOT}{path}", {"do": "create", "url": f"{desk.origin}/old", "key": "k1"})
    assert (same.status, "must have different URLs" in same.body.decode()) == (422, True)
    assert re.search(rf'name="url"[^>]*value="{re.escape(desk.origin)}/old"', same.body.decode())
    other = desk.browser.post(f"{ROOT}{path}", {"do": "create", "url": "https://new.example/", "key": "k2"})
    assert (other.status, "Its value would now go to https://new.example." in other.body.decode()) == (422, True)


def test_the_settings_of_a_shadow_offer_what_is_its_own_and_saved_as_shown_change_nothing(desk: Desk) -> None:
    original = desk.subscribe("/old", when={"field": "document.title", "is": "x"}, after={"seconds": 60}, rateLimit=5)
    body = {"shadowOf": original, "url": f"{desk.origin}/new", "headers": {}}
    refused = desk.world.send("POST", "/v1/subscriptions", body)
    assert refused.status == 422, "it has the headers of its original"
    del body["headers"]
    shadow = desk.world.send("POST", "/v1/subscriptions", body).ok(201)["id"]
    path = f"{ROOT}/subscriptions/{shadow}/settings/edit"
    [form] = [each for each in forms_of(desk.browser.open(path)) if "change" in each.buttons]
    assert not {"type", "ordering", "rate", "contacts", "share"} & {name for name, _ in form.fields}
    before = desk.world.get(f"/v1/subscriptions/{shadow}").headers["etag"]
    fields: dict[str, list[str]] = {}
    for name, value in form.pressed("change"):
        fields.setdefault(name, []).append(value)
    assert desk.browser.post(path, fields).status == 303
    assert desk.world.get(f"/v1/subscriptions/{shadow}").headers["etag"] == before
    assert desk.browser.post(path, {**fields, "key": ["another"], "name": ["Another name"]}).status == 303
    assert desk.world.get(f"/v1/subscriptions/{shadow}").ok()["name"] == "Another name"
    assert "Its shadow goes with it." in desk.browser.open(f"{ROOT}/subscriptions/{original}/delete")


def test_only_a_webhook_is_offered_a_shadow_and_only_those_who_may_change_it_make_one(shop: Shop) -> None:
    viewer, path = shop.browser("viewer"), f"/console/t/default/subscriptions/{shop.subscription}/shadow"
    assert "Make the shadow" not in viewer.open(path)
    assert viewer.post(path, {"do": "create", "url": "https://new.example/", "key": "k"}).status == 403
    config = {"signIn": {"with": "webhook", "url": "https://hooks.slack.com/services/T0/B0/x"}}
    connection = shop.world.send("POST", "/v1/connections", {"kind": "slack", "config": config}).ok(201)["id"]
    body = {"kind": "slack", "connection": connection, "config": {"text": "x"}, "eventTypes": ["documentCreated"]}
    slack = shop.world.send("POST", "/v1/subscriptions", body).ok(201)["id"]
    page = shop.browser().open(f"/console/t/default/subscriptions/{slack}/shadow")
    assert "Only a webhook can have a shadow." in page
    assert f"{slack}/shadow" not in shop.browser().open(f"/console/t/default/subscriptions/{slack}")
