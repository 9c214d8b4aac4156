"""The client that asks for tokens on the page of a subscription's secret and headers, and on a customer's page."""

from collections.abc import Callable
from html import unescape

from gateway.tests.api.conftest import World
from gateway.tests.console.conftest import Browser
from gateway.tests.console.test_portal import Guest

SECRET = "s3cr3t-of-the-client"


def test_a_client_is_given_shown_without_its_secret_and_taken_away(make_world: Callable[..., World]) -> None:
    world = make_world()
    made = world.create_subscription(url="https://endpoint.example/", headers={})["id"]
    key = world.send("POST", "/v1/keys", {"name": "support", "role": "subscriber"}).ok(201)["key"]
    browser, path = Browser(world).sign_in(key), f"/console/t/default/subscriptions/{made}/secret"

    form = {
        "do": "oauth", "token_url": "https://login.example/token", "client_id": "signalpost", "client_secret": SECRET,
        "scope": "hooks", "credentials_in": "form",
    }  # fmt: skip
    wrong = browser.post(path, {**form, "token_url": "https://127.0.0.1/token", "key": "c0"})
    assert wrong.status == 422
    assert "127.0.0.1 is a loopback address." in unescape(wrong.body.decode())
    assert browser.post(path, {**form, "key": "c1"}).headers["location"] == f"{path}?done=oauth"

    shown = world.get(f"/v1/subscriptions/{made}").ok()["oauth"]
    assert shown == {
        "tokenUrl": "https://login.example/token", "clientId": "signalpost", "scope": "hooks", "credentialsIn": "form",
    }  # fmt: skip
    said = unescape(browser.open(path))
    customers = unescape(Guest(world).enter(can=["view"]).open(f"/portal/subscriptions/{made}"))
    for page in (said, customers):
        assert shown["tokenUrl"] in page
        assert shown["clientId"] in page
    assert not any(SECRET in each for each in (said, customers, wrong.body.decode()))

    assert browser.post(path, {"do": "end-oauth", "key": "c2"}).status == 303
    assert "oauth" not in world.get(f"/v1/subscriptions/{made}").ok()
