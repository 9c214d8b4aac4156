"""The key pair on the page of a subscription's secret and headers, and its public key on a customer's page."""

from collections.abc import Callable

from gateway.tests.api.conftest import World
from gateway.tests.console.conftest import Browser
from gateway.tests.console.test_portal import Guest


def test_a_key_pair_is_switched_on_its_public_key_shown_and_ended(make_world: Callable[..., World]) -> None:
    world = make_world()
    made = world.create_subscription()["id"]
    key = world.send("POST", "/v1/keys", {"name": "support", "role": "subscriber"}).ok(201)["key"]
    browser, path = Browser(world).sign_in(key), f"/console/t/default/subscriptions/{made}/secret"
    assert "Sign with a key pair, too" in browser.open(path)
    assert browser.post(path, {"do": "key-pair", "key": "k1"}).headers["location"] == f"{path}?done=key-pair"
    [public] = world.get(f"/v1/subscriptions/{made}").ok()["publicKeys"]
    said = browser.open(path)
    assert public in said
    assert f"/.well-known/signalpost-keys/{made}" in said
    guest = Guest(world).enter(can=["view"])
    assert public in guest.open(f"/portal/subscriptions/{made}")
    assert browser.post(path, {"do": "end-key-pair", "key": "k2"}).status == 303
    assert "publicKeys" not in world.get(f"/v1/subscriptions/{made}").ok()
