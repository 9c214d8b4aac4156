"""Objectives on pages: how one is kept, and its two fields."""

from collections.abc import Callable

from gateway.tests.api.conftest import World, url
from gateway.tests.console.conftest import Browser
from gateway.tests.console.test_portal import Guest

from signalpost.sender.addresses import parse_allow_targets

__all__ = ["url"]


def test_an_objective_is_typed_in_percent_and_shown_with_what_is_left_of_its_budget(
    make_world: Callable[..., World], url: str
) -> None:
    world = make_world(allow_targets=parse_allow_targets(url))
    usual = {"eventTypes": ["documentCreated"], "retryDelays": [], "status": "active"}
    made = world.create_subscription(**usual, url=f"{url}/200")["id"]
    key = world.send("POST", "/v1/keys", {"name": "support", "role": "subscriber"}).ok(201)["key"]
    browser, path = Browser(world).sign_in(key), f"/console/t/default/subscriptions/{made}"
    guest = Guest(world).enter(can=["edit"])
    assert "of the error budget" not in browser.open(path)
    assert "promised" not in guest.open(f"/portal/subscriptions/{made}")
    typed = {"do": "change", "share": "99,5", "within": "60", "key": "o1"}
    edit = f"{path}/settings/edit"
    assert browser.post(edit, typed).headers["location"] == f"{path}/settings?done=changed"
    assert world.get(f"/v1/subscriptions/{made}").ok()["objective"] == {"share": 0.995, "within": 60}
    world.create_document()
    world.wait_until(lambda: world.get(f"/v1/subscriptions/{made}/objective").ok()["onTime"] == 1)
    text = browser.open(path)
    assert "99.5 % within 60 s promised; 100 % of the error budget left" in text
    assert "99.5 % within 60 s" in browser.open(f"{path}/settings")
    assert 'name="share" type="text" value="99.5"' in browser.open(edit)
    assert "100 % of the events arrived within 60 s; 99.5 % are promised." in guest.open(
        f"/portal/subscriptions/{made}"
    )
    for share, within, wrong in (("100", "60", "share"), ("most", "60", "share"), ("99", "soon", "within")):
        answer = browser.post(edit, {"do": "change", "share": share, "within": within, "key": f"{share}{within}"})
        assert answer.status == 422
        assert f'aria-describedby="wrong-{wrong}"'.encode() in answer.body
        assert (b"between 50 and 99.99" in answer.body) == (share == "100"), "in percent, as it was typed"
    assert browser.post(edit, {"do": "change", "share": "", "within": "", "key": "o2"}).status == 303
    assert "objective" not in world.get(f"/v1/subscriptions/{made}").ok()


def test_an_objective_can_be_typed_into_the_form_of_a_new_subscription(make_world: Callable[..., World]) -> None:
    world = make_world()
    key = world.send("POST", "/v1/keys", {"name": "support", "role": "subscriber"}).ok(201)["key"]
    browser, path = Browser(world).sign_in(key), "/console/t/default/subscriptions/new"
    typed = {"url": "https://hooks.example.com", "name": "Kept", "type": ["documentCreated"], "do": "save"}
    refused = browser.post(path, {**typed, "share": "99", "within": "", "key": "o1"})
    assert refused.status == 422
    assert b'name="share" type="text" value="99"' in refused.body
    assert b'aria-describedby="wrong-within"' in refused.body
    assert browser.post(path, {**typed, "share": "99", "within": "60", "key": "o2"}).status == 200
    [made] = world.get("/v1/subscriptions?name=Kept").ok()["data"]
    assert made["objective"] == {"share": 0.99, "within": 60}


def test_customers_cannot_change_what_is_promised_to_them(make_world: Callable[..., World]) -> None:
    world = make_world()
    made = world.create_subscription(objective={"share": 0.9, "within": 5})["id"]
    guest = Guest(world).enter(can=["edit"])
    assert guest.post(f"/portal/subscriptions/{made}", {"do": "change", "share": "50", "within": "9"}).status == 303
    assert world.get(f"/v1/subscriptions/{made}").ok()["objective"] == {"share": 0.9, "within": 5}
    assert "are promised to arrive within 5 s" in guest.open(f"/portal/subscriptions/{made}")
