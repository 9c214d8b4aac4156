"""Signatures of another system on the page of a subscription's secret and headers: sent, and ended."""

from collections.abc import Callable
from html import unescape

from gateway.tests.api.conftest import World
from gateway.tests.bodies import CONVOY
from gateway.tests.console.conftest import Browser
from gateway.tests.console.test_portal import Guest

SECRET = "what Convoy gave"
FORM = {
    "do": "sign-also",
    "old_header": "X-Convoy-Signature",
    "algorithm": "sha256",
    "encoding": "hex",
    "over": "{timestamp},{body}",
    "prefix": "t={timestamp},v1=",
    "old_secret": SECRET,
}


def test_a_signature_of_another_system_is_typed_shown_without_its_secret_and_ended(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    made = world.create_subscription()["id"]
    key = world.send("POST", "/v1/keys", {"name": "support", "role": "subscriber"}).ok(201)["key"]
    browser, path = Browser(world).sign_in(key), f"/console/t/default/subscriptions/{made}/secret"
    assert browser.post(path, {**FORM, "key": "o1"}).headers["location"] == f"{path}?done=signs-also"
    assert world.get(f"/v1/subscriptions/{made}").ok()["signAlso"] == [CONVOY]
    said = browser.open(path)
    assert "X-Convoy-Signature: t={timestamp},v1=…" in unescape(said)
    assert SECRET not in said
    other = {**FORM, "old_header": "X-Old", "over": "{body}", "prefix": "", "algorithm": "sha1", "key": "o2"}
    assert browser.post(path, other).status == 303
    said = browser.open(path)
    assert "Send it, too" not in said, "there are two at most"
    assert browser.post(path, {"do": "end-old", "of": "X-Convoy-Signature", "key": "o3"}).status == 303
    [left] = world.get(f"/v1/subscriptions/{made}").ok()["signAlso"]
    assert (left["header"], left["algorithm"]) == ("X-Old", "sha1")


def test_what_is_wrong_with_one_is_said_at_its_field_and_stays_typed(make_world: Callable[..., World]) -> None:
    world = make_world()
    made = world.create_subscription()["id"]
    key = world.send("POST", "/v1/keys", {"name": "support", "role": "subscriber"}).ok(201)["key"]
    browser, path = Browser(world).sign_in(key), f"/console/t/default/subscriptions/{made}/secret"
    for wrong, name, sentence in (
        ({"old_header": "webhook-id"}, "old_header", "The gateway sets this header itself."),
        ({"over": "{timestamp}"}, "over", "This must have {body} once"),
        ({"prefix": "{body}"}, "prefix", "There is no {body} here."),
    ):
        answer = browser.post(path, {**FORM, **wrong, "key": name})
        said = unescape(answer.body.decode())
        assert (answer.status, sentence in said) == (422, True)
        assert f'aria-describedby="wrong-{name}"' in said
        assert 'value="X-Convoy-Signature"' in said or name == "old_header"
        assert SECRET not in said
    assert "signAlso" not in world.get(f"/v1/subscriptions/{made}").ok()


def test_a_customer_keeps_what_the_operator_set_and_is_offered_none(make_world: Callable[..., World]) -> None:
    world = make_world()
    made = world.create_subscription(signAlso=[{**CONVOY, "secret": SECRET}])["id"]
    guest = Guest(world).enter(can=["edit"])
    assert guest.post(f"/portal/subscriptions/{made}", {"do": "change", "name": "Mine"}).status == 303
    found = world.get(f"/v1/subscriptions/{made}").ok()
    assert (found["name"], found["signAlso"]) == ("Mine", [CONVOY])
    assert SECRET not in guest.open(f"/portal/subscriptions/{made}")
