"""A client certificate and authorities on the page of a subscription's secret and headers, and on a customer's page."""

from collections.abc import Callable
from html import unescape

import trustme
from gateway.tests.api.conftest import World
from gateway.tests.console.conftest import Browser
from gateway.tests.console.test_portal import Guest


def test_certificates_are_given_shown_without_the_private_key_and_taken_away(make_world: Callable[..., World]) -> None:
    world, clients = make_world(), trustme.CA()
    issued = clients.issue_cert("us.example")
    pem, private_key = issued.cert_chain_pems[0].bytes().decode(), issued.private_key_pem.bytes().decode()
    made = world.create_subscription(url="https://endpoint.example/")["id"]
    key = world.send("POST", "/v1/keys", {"name": "support", "role": "subscriber"}).ok(201)["key"]
    browser, path = Browser(world).sign_in(key), f"/console/t/default/subscriptions/{made}/secret"

    wrong = browser.post(path, {"do": "certificate", "certificate": pem, "private_key": "no key", "key": "c0"})
    assert wrong.status == 422
    assert "This must be a private key in PEM." in wrong.body.decode()
    given = {"do": "certificate", "certificate": pem, "private_key": private_key, "key": "c1"}
    assert browser.post(path, given).headers["location"] == f"{path}?done=certificate"
    trusted = {"do": "authorities", "authorities": clients.cert_pem.bytes().decode(), "key": "c2"}
    assert browser.post(path, trusted).status == 303

    shown = world.get(f"/v1/subscriptions/{made}").ok()
    said = unescape(browser.open(path))
    assert shown["clientCertificate"]["fingerprint"] in said
    assert shown["authorities"][0]["subject"] in said
    customers = unescape(Guest(world).enter(can=["view"]).open(f"/portal/subscriptions/{made}"))
    assert shown["clientCertificate"]["subject"] in customers
    assert not any("PRIVATE KEY" in each for each in (said, customers, wrong.body.decode()))

    assert browser.post(path, {"do": "end-certificate", "key": "c3"}).status == 303
    assert browser.post(path, {"do": "end-authorities", "key": "c4"}).status == 303
    assert world.get(f"/v1/subscriptions/{made}").ok().keys().isdisjoint({"clientCertificate", "authorities"})
