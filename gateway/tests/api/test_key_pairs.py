"""Key pairs of subscriptions: switched on, published, rotated with the secret, swapped by a promotion, taken away."""

import base64
import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from gateway.tests.http_server import QuietHandler, serving

from signalpost.sender.addresses import parse_allow_targets
from signalpost_receiver import Receiver, VerificationError

if TYPE_CHECKING:
    from gateway.tests.api.conftest import World

SWITCHED_ON = {"signWithKeyPair": True}
NO_KEY = {"authorization": None}


class Endpoint(QuietHandler):
    """Keeps what it got."""

    requests: list[tuple[list[tuple[str, str]], bytes]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.requests.append((self.headers.items(), body))
        self.send_response(204)
        self.end_headers()


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with serving(Endpoint) as origin:
        yield origin


@pytest.fixture(scope="module")
def world(make_world: Callable[..., "World"], endpoint: str) -> "World":
    return make_world(allow_targets=parse_allow_targets(endpoint))


def subscribe(world: "World", endpoint: str, **more: Any) -> dict[str, Any]:
    usual = {"eventTypes": ["documentCreated"], "url": endpoint, "retryDelays": [], "status": "active"}
    made: dict[str, Any] = world.create_subscription(**usual, **more)
    return made


def sent(world: "World", path: str) -> tuple[list[tuple[str, str]], bytes]:
    """A sample as it arrives."""
    assert world.send("POST", f"{path}/test").ok()["delivered"]
    return Endpoint.requests[-1]


def is_signed_by(request: tuple[list[tuple[str, str]], bytes], *keys: str) -> bool:
    headers, body = request
    try:
        Receiver(secrets=keys).verify(body, headers)
    except VerificationError:
        return False
    return True


def published(world: "World", made: dict[str, Any]) -> list[str]:
    found = json.loads(world.send("GET", f"/.well-known/signalpost-keys/{made['id']}", None, NO_KEY).body)
    for each in found["keys"]:
        x = base64.urlsafe_b64decode(each["x"] + "=")
        assert each["publicKey"] == f"whpk_{base64.b64encode(x).decode()}"
        assert (each["kty"], each["crv"], each["alg"], each["use"]) == ("OKP", "Ed25519", "EdDSA", "sig")
    return [each["publicKey"] for each in found["keys"]]


def test_c20_a_receiver_that_has_the_public_key_alone_verifies_events_and_samples(
    world: "World", endpoint: str
) -> None:
    made = subscribe(world, endpoint, **SWITCHED_ON)
    path = f"/v1/subscriptions/{made['id']}"
    shown = world.get(path).ok()
    assert made["publicKeys"] == shown["publicKeys"] == published(world, made)
    assert made["signWithKeyPair"] is shown["signWithKeyPair"] is True
    request = sent(world, path)
    assert is_signed_by(request, *made["publicKeys"])
    assert is_signed_by(request, made["secret"])
    before = len(Endpoint.requests)
    world.create_document()
    world.wait_until(lambda: len(Endpoint.requests) > before)
    assert all(is_signed_by(each, *made["publicKeys"]) for each in Endpoint.requests[before:])


def test_each_subscription_has_a_pair_of_its_own(world: "World", endpoint: str) -> None:
    first, second = (subscribe(world, endpoint, **SWITCHED_ON) for _ in range(2))
    assert not is_signed_by(sent(world, f"/v1/subscriptions/{first['id']}"), *second["publicKeys"])


def test_without_it_nothing_more_is_sent_and_nothing_published(world: "World", endpoint: str) -> None:
    made = subscribe(world, endpoint)
    headers = dict(sent(world, f"/v1/subscriptions/{made['id']}")[0])
    assert len(headers["webhook-signature"]) == len("v1,") + 44
    assert made.keys().isdisjoint({"signWithKeyPair", "publicKeys"})
    assert world.send("GET", f"/.well-known/signalpost-keys/{made['id']}", None, NO_KEY).status == 404


def test_c21_it_is_rotated_with_the_secret(world: "World", endpoint: str) -> None:
    made = subscribe(world, endpoint, **SWITCHED_ON)
    path, [old] = f"/v1/subscriptions/{made['id']}", made["publicKeys"]
    rotated = world.send("POST", f"{path}/secret/rotate").ok()
    first, new = rotated["publicKeys"]
    assert (first, published(world, made)) == (old, [old, new])
    request = sent(world, path)
    assert [is_signed_by(request, each) for each in (old, new, made["secret"], rotated["secret"])] == [True] * 4
    assert world.send("POST", f"{path}/secret/promote").ok()["publicKeys"] == [new] == published(world, made)
    request = sent(world, path)
    assert [is_signed_by(request, each) for each in (old, new)] == [False, True]
    at_once = world.send("POST", f"{path}/secret/rotate", {"overlapHours": 0}).ok()["publicKeys"]
    assert at_once == published(world, made) != [new]
    assert is_signed_by(sent(world, path), *at_once)


def test_a_patch_switches_it_on_keeps_it_and_takes_it_away(world: "World", endpoint: str) -> None:
    made = subscribe(world, endpoint)
    path = f"/v1/subscriptions/{made['id']}"
    on = world.send("PATCH", path, SWITCHED_ON).ok()
    assert is_signed_by(sent(world, path), *on["publicKeys"])
    again = world.send("PATCH", path, SWITCHED_ON).ok()
    assert (again["publicKeys"], again["updatedAt"]) == (on["publicKeys"], on["updatedAt"])
    assert world.send("PATCH", path, {"name": "Other"}).ok()["publicKeys"] == on["publicKeys"]
    off = world.send("PATCH", path, {"signWithKeyPair": False}).ok()
    assert "publicKeys" not in off
    assert not is_signed_by(sent(world, path), *on["publicKeys"])
    other = world.send("PATCH", path, SWITCHED_ON).ok()["publicKeys"]
    assert other != on["publicKeys"], "a pair that was given up does not come back"
    assert world.send("DELETE", path).status == 204
    assert world.send("GET", f"/.well-known/signalpost-keys/{made['id']}", None, NO_KEY).status == 404


def test_a_promotion_swaps_the_pairs_and_the_address_of_the_original_has_both(world: "World", endpoint: str) -> None:
    made = subscribe(world, endpoint, **SWITCHED_ON)
    shadow = world.send(
        "POST", "/v1/subscriptions", {"shadowOf": made["id"], "url": f"{endpoint}/new", **SWITCHED_ON}
    ).ok(201)
    both = made["publicKeys"] + shadow["publicKeys"]
    assert published(world, made) == both
    world.send("POST", f"/v1/subscriptions/{shadow['id']}/promote", {"anyway": True}).ok()
    promoted = world.get(f"/v1/subscriptions/{made['id']}").ok()
    assert promoted["publicKeys"] == shadow["publicKeys"]
    assert sorted(published(world, made)) == sorted(both)
    assert is_signed_by(sent(world, f"/v1/subscriptions/{made['id']}"), *shadow["publicKeys"])


def test_a_draft_is_tested_with_a_pair_and_previews_and_forgeries_are_signed_by_no_real_one(
    world: "World", endpoint: str
) -> None:
    draft = {"url": endpoint, "eventTypes": ["documentCreated"], **SWITCHED_ON}
    assert world.send("POST", "/v1/subscriptions/test", draft).ok()["delivered"]
    assert "v1a," in dict(Endpoint.requests[-1][0])["webhook-signature"]
    made = subscribe(world, endpoint, **SWITCHED_ON)
    world.send("POST", f"/v1/subscriptions/{made['id']}/test-run").ok()
    with_pairs = [each for each in Endpoint.requests if is_signed_by(each, *made["publicKeys"])]
    assert with_pairs
    forged = [each for each in Endpoint.requests[-12:] if not is_signed_by(each, made["secret"])]
    assert forged
    assert not any(is_signed_by(each, *made["publicKeys"]) for each in forged)


def test_the_private_key_is_shown_and_logged_nowhere(world: "World", endpoint: str) -> None:
    made = subscribe(world, endpoint, **SWITCHED_ON)
    world.send("POST", f"/v1/subscriptions/{made['id']}/secret/rotate").ok()
    entries = json.dumps(world.get(f"/v1/audit?object={made['id']}").ok())
    assert made["publicKeys"][0] in entries
    assert "seed" not in entries
    for path in (f"/v1/subscriptions/{made['id']}", "/v1/subscriptions", f"/.well-known/signalpost-keys/{made['id']}"):
        assert "seed" not in world.get(path).body.decode()


def test_other_kinds_have_none(world: "World", endpoint: str) -> None:
    wrong = {"kind": "slack", "eventTypes": ["documentCreated"], **SWITCHED_ON}
    errors = world.send("POST", "/v1/subscriptions", wrong).json["errors"]
    assert "/signWithKeyPair" in {each["pointer"] for each in errors}
