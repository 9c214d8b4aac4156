"""Evidence of deliveries: who may have it, what it states, and which keys the gateway publishes."""

from collections.abc import Callable
from hashlib import sha256
from typing import Any

import msgspec
import pytest
from gateway.tests.api.conftest import World, url
from gateway.tests.api.test_erasures import erased
from gateway.tests.console.conftest import Browser
from gateway.tests.console.test_portal import Guest

from signalpost.domain.evidence import PATH, ProvenEvidence, check
from signalpost.sender.addresses import parse_allow_targets

__all__ = ["url"]


@pytest.fixture(scope="module")
def world(make_world: Callable[..., World], url: str) -> World:
    return make_world(allow_targets=parse_allow_targets(url), public_url="https://hooks.example")


def delivered(world: World, url: str, status: str = "delivered", **fields: Any) -> tuple[str, str, str]:
    """A subscription that had an event delivered, or not: its id, the event's, and the path of the delivery."""
    made = world.create_subscription(url=url, status="active", retryDelays=[], **fields)["id"]
    world.create_document()
    event = world.events(world.last() - 1)[-1]["event"]["id"]
    path = f"/v1/subscriptions/{made}/deliveries/{event}"
    world.wait_until(lambda: world.get(path).status == 200 and world.get(path).ok()["status"] == status)
    return made, event, path


def proven(world: World, path: str, **headers: str) -> ProvenEvidence:
    return check(world.get(f"{path}/evidence", **headers).body, world.send("GET", PATH, None, NO_KEY).body)


NO_KEY = {"authorization": None}


def test_evidence_states_what_was_sent_and_what_was_answered(world: World, url: str) -> None:
    made, event, path = delivered(world, f"{url}/200?key=canary")
    found = proven(world, path)
    stated, body = found.statement, world.get(f"{path}/event").body
    assert found.is_known_key
    assert (stated.gateway, stated.tenant, stated.status) == ("https://hooks.example", "default", "delivered")
    assert (stated.event.id, stated.event.sha256) == (event, sha256(body).hexdigest())
    assert found.body == body.decode()
    assert (stated.subscription.id, stated.subscription.kind) == (made, "webhook")
    [attempt] = stated.attempts
    assert (attempt.number, attempt.run, attempt.status_code, attempt.error) == (1, 0, 200, None)
    assert attempt.to == f"{url}/200?key=***"
    shown = world.get(path).ok()["attempts"][0]
    assert (attempt.started_at, attempt.duration_ms, attempt.answer) == (
        shown["startedAt"], shown["durationMs"], shown["answer"],
    )  # fmt: skip


def test_evidence_of_what_was_given_up_says_so(world: World, url: str) -> None:
    stated = proven(world, delivered(world, f"{url}/500", "failed")[2]).statement
    assert stated.status == "failed"
    assert [(each.status_code, each.error) for each in stated.attempts] == [(500, "status")]


def test_no_url_is_stated_for_an_attempt_under_a_former_one(world: World, url: str) -> None:
    made, _, path = delivered(world, f"{url}/200")
    world.send("PATCH", f"/v1/subscriptions/{made}", {"url": f"{url}/200/another"}).ok()
    assert [each.to for each in proven(world, path).statement.attempts] == [None]


def test_after_an_erasure_evidence_says_that_the_event_is_gone_and_earlier_evidence_still_proves_it(
    world: World, url: str
) -> None:
    _, event, path = delivered(world, f"{url}/200")
    before = world.get(f"{path}/evidence").body
    document = f"/v1/documents/{world.get(path).ok()['externalId']}"
    assert world.send("DELETE", document).status == 204
    erased(world, document)
    found = proven(world, path)
    assert (found.body, found.statement.event.sha256, found.statement.event.id) == (None, None, event)
    assert [each.status_code for each in found.statement.attempts] == [200]
    assert check(before, world.get(PATH).body).body is not None


def test_there_is_no_evidence_of_a_delivery_that_is_not_there(world: World, url: str) -> None:
    made, event, _ = delivered(world, f"{url}/200")
    other = world.create_subscription()["id"]
    nowhere = "00000000-0000-4000-8000-000000000000"
    for of, about in ((other, event), (made, nowhere), (nowhere, event)):
        world.get(f"/v1/subscriptions/{of}/deliveries/{about}/evidence").refused(404)
    world.send("POST", "/v1/tenants", {"name": "beside"}).ok(201)
    path = f"/v1/subscriptions/{made}/deliveries/{event}/evidence"
    world.send("GET", path, None, {"signalpost-tenant": "beside"}).refused(404)


def test_whoever_may_read_events_may_have_evidence_and_customers_by_a_link_that_shows_payloads(
    world: World, url: str
) -> None:
    made, event, path = delivered(world, f"{url}/200")
    for role, status in (("viewer", 200), ("subscriber", 200), ("app", 403)):
        key = world.send("POST", "/v1/keys", {"name": role, "role": role}).ok(201)["key"]
        assert world.get(f"{path}/evidence", authorization=f"Bearer {key}").status == status
    page = f"/subscriptions/{made}/deliveries/{event}"
    assert 'evidence">Evidence</a>' in Browser(world).sign_in(world.key).get(f"/console/t/default{page}").body.decode()
    guest = Guest(world).enter(can=["payload"], subscriptions=[made])
    assert 'evidence">Evidence</a>' in guest.open(f"/portal{page}")
    assert "signalpost evidence 1" in guest.open(f"/portal{page}/evidence")
    other = Guest(world).enter(can=["retry"], subscriptions=[made])
    assert "Evidence" not in other.open(f"/portal{page}")
    assert other.get(f"/portal{page}/evidence").status == 403


def test_evidence_is_saved_as_a_file_from_console_and_portal(world: World, url: str) -> None:
    made, event, path = delivered(world, f"{url}/200")
    keys = world.send("GET", PATH, None, NO_KEY).body
    framed = Guest(world).enter(can=["payload"], subscriptions=[made], embed=["https://app.example.com"])
    for visitor, root, frame in (
        (Browser(world).sign_in(world.key), "/console/t/default", "'none'"),
        (framed, "/portal", "https://app.example.com"),
    ):
        page = f"{root}{path.removeprefix('/v1')}/evidence"
        assert 'href="?as=file"' in visitor.open(page)
        answer = visitor.get(f"{page}?as=file", signalpost_told="0")  # a file, whoever asks for it
        assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
        assert answer.headers["content-disposition"] == f'attachment; filename="evidence-{event}.json"'
        assert answer.headers["cache-control"] == "no-store"
        assert "script-src 'self'" in answer.headers["content-security-policy"]
        assert f"frame-ancestors {frame};" in answer.headers["content-security-policy"]
        assert check(answer.body, keys).statement.event.id == event
    for guest in (Guest(world).enter(can=["retry"], subscriptions=[made]), Guest(world)):
        refused = guest.get(f"/portal{path.removeprefix('/v1')}/evidence?as=file")
        assert refused.status != 200
        assert "content-disposition" not in refused.headers


def test_the_keys_are_published_without_a_key(world: World) -> None:
    [key] = world.send("GET", PATH, None, NO_KEY).ok()["keys"]
    assert key["algorithm"] == "Ed25519"
    assert key["retiredAt"] is None
    assert key["key"] == sha256(bytes.fromhex(key["publicKey"])).hexdigest()[:16]


def test_after_a_change_of_the_master_key_another_key_signs_and_the_former_one_stays_published(
    world: World, url: str
) -> None:
    _, _, path = delivered(world, f"{url}/200")
    before, former = world.get(f"{path}/evidence").body, world.get(PATH).ok()["keys"]
    world.send("POST", "/v1/master-key/rotate")
    world.wait_until(lambda: len(world.get(PATH).ok()["keys"]) == len(former) + 1)
    published = world.get(PATH)
    assert [each["retiredAt"] is None for each in published.ok()["keys"]] == [True, False]
    assert check(before, published.body).is_known_key
    after = proven(world, path)
    assert after.is_known_key
    assert after.key != msgspec.json.decode(before)["key"]
