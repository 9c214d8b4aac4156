"""Signatures of other systems beside the gateway's own: given, shown without their secrets, sent, changed and taken
away."""

import hmac
import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from gateway.tests.bodies import CONVOY
from gateway.tests.http_server import QuietHandler, serving

from signalpost.engine.connectors.shown_requests import NO_SECRET
from signalpost.sender.addresses import parse_allow_targets

if TYPE_CHECKING:
    from gateway.tests.api.conftest import World

SECRET = "what Convoy gave"


class ConvoyReceiver(QuietHandler):
    """An endpoint that was written for Convoy and knows no other signature."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        moment, _, given = self.headers.get("X-Convoy-Signature", "").partition(",v1=")
        signed = moment.removeprefix("t=").encode() + b"," + body
        expected = hmac.new(SECRET.encode(), signed, "sha256").hexdigest()
        self.send_response(200 if hmac.compare_digest(given, expected) else 401)
        answer = f"your secret is {SECRET}".encode() if self.path == "/echo" else b""
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


@pytest.fixture(scope="module")
def receiver() -> Iterator[str]:
    with serving(ConvoyReceiver) as origin:
        yield origin


@pytest.fixture(scope="module")
def world(make_world: Callable[..., "World"], receiver: str) -> "World":
    return make_world(allow_targets=parse_allow_targets(receiver))


def subscribe(world: "World", receiver: str, **more: Any) -> dict[str, Any]:
    usual = {"eventTypes": ["documentCreated"], "url": receiver, "retryDelays": [], "status": "active"}
    made: dict[str, Any] = world.create_subscription(**usual, **more)
    return made


def is_accepted(world: "World", path: str) -> bool:
    return bool(world.send("POST", f"{path}/test").ok()["statusCode"] == 200)


def test_a_receiver_of_another_system_accepts_events_samples_and_retries(world: "World", receiver: str) -> None:
    made = subscribe(world, receiver, signAlso=[{**CONVOY, "secret": SECRET}])
    path = f"/v1/subscriptions/{made['id']}"
    assert made["signAlso"] == world.get(path).ok()["signAlso"] == [CONVOY]
    assert is_accepted(world, path)
    world.create_document()
    delivery: Any = world.wait_until(
        lambda: next(
            (each for each in world.get(f"{path}/deliveries").ok()["data"] if each["status"] == "delivered"), None
        )
    )
    assert SECRET not in str(world.get(f"{path}/deliveries/{delivery['eventId']}").ok())


def test_a_patch_changes_them_with_the_secret_that_is_known_and_takes_them_away(world: "World", receiver: str) -> None:
    made = subscribe(world, receiver, signAlso=[{**CONVOY, "secret": "another"}])
    path = f"/v1/subscriptions/{made['id']}"
    assert not is_accepted(world, path)
    world.send("PATCH", path, {"signAlso": [{**CONVOY, "secret": SECRET}]}).ok()
    assert is_accepted(world, path)
    changed = world.send("PATCH", path, {"signAlso": [{**CONVOY, "algorithm": "sha512"}]}).ok()
    assert changed["signAlso"] == [{**CONVOY, "algorithm": "sha512"}]
    assert not is_accepted(world, path)
    world.send("PATCH", path, {"signAlso": [CONVOY]}).ok()
    assert is_accepted(world, path), "its secret stayed"
    before = world.get(path).ok()
    assert world.send("PATCH", path, {"signAlso": [CONVOY]}).ok()["updatedAt"] == before["updatedAt"]
    assert "signAlso" not in world.send("PATCH", path, {"signAlso": []}).ok()
    assert not is_accepted(world, path)
    world.refuses("PATCH", path, {"signAlso": [CONVOY]}, at=("/signAlso/0/secret",))
    entries = world.get(f"/v1/audit?object={made['id']}").ok()
    assert SECRET not in str(entries)
    assert {"X-Convoy-Signature": "***"} in [
        entry["changes"]["signAlso"]["new"] for entry in entries["data"] if "signAlso" in entry["changes"]
    ]


def test_a_header_is_sent_once(world: "World", receiver: str) -> None:
    taken = {"headers": {"x-convoy-signature": "mine"}, "signAlso": [{**CONVOY, "secret": SECRET}]}
    body = {"url": receiver, "eventTypes": ["documentCreated"], **taken}
    world.refuses("POST", "/v1/subscriptions", body, at=("/headers/x-convoy-signature",))
    made = subscribe(world, receiver, signAlso=[{**CONVOY, "secret": SECRET}])
    path = f"/v1/subscriptions/{made['id']}"
    world.refuses("PATCH", path, {"headers": taken["headers"]}, at=("/headers/x-convoy-signature",))


def test_a_shadow_has_signatures_of_its_own_which_a_promotion_swaps(world: "World", receiver: str) -> None:
    made = subscribe(world, receiver, signAlso=[{**CONVOY, "secret": SECRET}])
    shadow = world.send("POST", "/v1/subscriptions", {"shadowOf": made["id"], "url": f"{receiver}/new"})
    path = f"/v1/subscriptions/{shadow.ok(201)['id']}"
    assert "signAlso" not in shadow.ok(201)
    assert not is_accepted(world, path)
    world.send("POST", f"{path}/promote", {"anyway": True}).ok()
    assert world.get(path).ok()["signAlso"] == [CONVOY]
    assert "signAlso" not in world.get(f"/v1/subscriptions/{made['id']}").ok()
    assert is_accepted(world, path)


def test_a_preview_shows_the_header_signed_with_a_text_that_is_no_secret(world: "World", receiver: str) -> None:
    """Otherwise a viewer could send what the receiver accepts."""
    made = subscribe(world, receiver, signAlso=[{**CONVOY, "secret": SECRET}])
    world.create_document()
    path = f"/v1/subscriptions/{made['id']}"
    found = world.send("POST", f"{path}/rehearsals", {"change": {"eventTypes": ["documentCreated"]}}).ok()
    requests = [request for each in found["requests"] for request in each["requests"]]
    assert requests
    for request in requests:
        moment, _, given = request["headers"]["X-Convoy-Signature"].partition(",v1=")
        body = json.dumps(request["body"], separators=(",", ":"), ensure_ascii=False).encode()
        signed = moment.removeprefix("t=").encode() + b"," + body
        expected = [hmac.new(key.encode(), signed, "sha256").hexdigest() for key in (SECRET, NO_SECRET)]
        assert given not in expected[:1]
        assert given == expected[1]


def test_a_forgery_of_the_ten_cases_is_one_for_receivers_of_other_systems_too(world: "World", receiver: str) -> None:
    made = subscribe(world, receiver, signAlso=[{**CONVOY, "secret": SECRET}])
    found = world.send("POST", f"/v1/subscriptions/{made['id']}/test-run").ok()
    verdicts = {case["name"]: (case["statusCode"], case["verdict"]) for case in found["cases"]}
    assert [each for each in verdicts.values() if each[0] == 401] == [(401, "passed")]


def test_a_draft_is_tested_with_them(world: "World", receiver: str) -> None:
    draft = {"url": receiver, "eventTypes": ["documentCreated"]}
    for more, status in (({}, 401), ({"signAlso": [{**CONVOY, "secret": SECRET}]}, 200)):
        tested = world.send("POST", "/v1/subscriptions/test", {**draft, **more}).ok()
        assert tested["statusCode"] == status
    world.refuses("POST", "/v1/subscriptions/test", {**draft, "signAlso": [CONVOY]}, at=("/signAlso/0/secret",))


def test_an_answer_that_repeats_the_secret_is_kept_without_it(world: "World", receiver: str) -> None:
    made = subscribe(world, f"{receiver}/echo", signAlso=[{**CONVOY, "secret": SECRET}])
    tested = world.send("POST", f"/v1/subscriptions/{made['id']}/test").ok()
    assert tested["answer"] == "your secret is [secret]"
