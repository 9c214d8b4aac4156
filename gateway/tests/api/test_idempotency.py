"""`Idempotency-Key`: the same request again answers the same and does nothing; another one with the key is refused."""

import json
import threading
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from gateway.tests.api.moved_clock import MovedClock

from signalpost.api.routes import ROUTES
from signalpost.domain.timestamps import SECOND

if TYPE_CHECKING:
    from gateway.tests.api.conftest import Answer, World

HOUR = 3600 * SECOND
SUBSCRIPTION = {"url": "https://receiver.example.com/hook", "eventTypes": ["documentCreated"]}


def new_key() -> dict[str, str | None]:
    return {"idempotency-key": str(uuid.uuid4())}


def without_date(answer: "Answer") -> tuple[int, dict[str, str], bytes]:
    varying = ("date", "request-id", "idempotent-replayed")
    return answer.status, {n: v for n, v in answer.headers.items() if n not in varying}, answer.body


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "é", "tab\there", "\x80", "a\xa0b"])
def test_a_malformed_key_is_named_by_every_call_that_takes_one(
    world: "World", document: str, subscription: str, key: str
) -> None:
    event = world.events()[0]["event"]["id"]
    calls: list[tuple[str, str, Any]] = [
        ("POST", "/v1/documents", dict(world.document)),
        ("PATCH", document, {"title": "x"}),
        (
            "PUT",
            document,
            {**world.document, "status": "created", "createdAt": "2021-09-02T04:37:56Z", "sourceApp": "x"},
        ),
        ("DELETE", document, None),
        ("POST", "/v1/subscriptions", dict(world.subscription)),
        ("PATCH", subscription, {"name": "x"}),
        ("DELETE", subscription, None),
        ("POST", f"{subscription}/deliveries/{event}/retry", None),
    ]
    for method, path, body in calls:
        problem = world.refuses(method, path, body, at=("Idempotency-Key",), headers={"idempotency-key": key})
        assert "printable ASCII" in problem["errors"][0]["detail"]


@pytest.mark.parametrize("key", ["x" * 255, "!", "~", '"quoted"', "a,b", "../../x", "%00", "';--"])
def test_a_key_at_its_limits_is_taken(world: "World", key: str) -> None:
    first = world.send("POST", "/v1/documents", dict(world.document), {"idempotency-key": key})
    again = world.send("POST", "/v1/documents", dict(world.document), {"idempotency-key": key})
    assert first.ok(201) == again.ok(201)


def test_each_change_repeated_answers_the_same_and_makes_no_second_event(world: "World") -> None:
    external_id = str(uuid.uuid4())
    imported = {**world.document, "status": "created", "createdAt": "2021-09-02T04:37:56Z", "sourceApp": "x"}
    made = world.create_document()
    subscribed = world.create_subscription()
    calls: list[tuple[str, str, Any]] = [
        ("POST", "/v1/documents", dict(world.document)),
        ("PATCH", f"/v1/documents/{made['externalId']}", {"title": "Changed"}),
        ("PATCH", f"/v1/documents/{made['externalId']}", {"title": "Changed"}),
        ("PUT", f"/v1/documents/{external_id}?sourceVersion=1", imported),
        ("DELETE", f"/v1/documents/{made['externalId']}", None),
        ("POST", "/v1/subscriptions", dict(world.subscription)),
        ("PATCH", f"/v1/subscriptions/{subscribed['id']}", {"name": "Changed"}),
        ("DELETE", f"/v1/subscriptions/{subscribed['id']}", None),
    ]
    for method, path, body in calls:
        key = new_key()
        first = world.send(method, path, body, key)
        assert first.status in (200, 201, 204)
        assert "idempotent-replayed" not in first.headers
        before = world.state()
        for _ in range(3):
            again = world.send(method, path, body, key)
            assert again.headers["idempotent-replayed"] == "true"
            assert without_date(again) == without_date(first)
        assert world.state() == before


def test_a_repeated_creation_shows_the_secret_again_for_the_answer_may_have_been_lost(world: "World") -> None:
    key = new_key()
    first = world.send("POST", "/v1/subscriptions", dict(world.subscription), key).ok(201)
    again = world.send("POST", "/v1/subscriptions", dict(world.subscription), key).ok(201)
    assert again["secret"] == first["secret"]
    assert again["id"] == first["id"]
    path = f"/v1/subscriptions/{first['id']}"
    assert world.send("DELETE", path).status == 204
    gone = world.send("POST", "/v1/subscriptions", dict(world.subscription), key)
    assert gone.ok(201)["id"] == first["id"]
    world.get(path).refused(404)


SECRETS = {"secret", "standardWebhooksSecret", "key"}
SHOWS_SECRETS: dict[str, tuple[str, Any]] = {
    "create_subscription": ("/v1/subscriptions", {**SUBSCRIPTION, "secret": "a secret of mine"}),
    "rotate_secret": ("{subscription}/secret/rotate", {}),
    "create_key": ("/v1/keys", {"name": "n", "role": "viewer"}),
}
"""Every call whose answer shows a secret, with a body for it."""
HAS_A_PUBLIC_KEY = {"read_evidence"}


def test_every_call_whose_answer_shows_a_secret_is_known() -> None:
    shapes = {route.name: [reply.body for reply in route.replies.values() if reply.body] for route in ROUTES}
    named = {name for name, bodies in shapes.items() for body in bodies if SECRETS & {*members_of(body)}}
    assert named - HAS_A_PUBLIC_KEY == set(SHOWS_SECRETS)


def members_of(shape: Any) -> tuple[str, ...]:
    names: tuple[str, ...] = getattr(shape, "__struct_encode_fields__", ())
    return names


@pytest.mark.parametrize("name", SHOWS_SECRETS)
def test_a_secret_is_shown_for_an_hour_in_repeats_and_never_kept_by_what_is_between(
    make_world: Callable[..., "World"], name: str
) -> None:
    clock = MovedClock()
    world = make_world(clock=clock)
    path, body = SHOWS_SECRETS[name]
    path = path.format(subscription=f"/v1/subscriptions/{world.create_subscription()['id']}")
    key = new_key()

    def ask() -> "Answer":
        answer = world.send("POST", path, body, key)
        assert answer.headers["cache-control"] == "no-store"
        return answer

    first = ask()
    shown = SECRETS & set(first.json)
    assert all(first.json[member] for member in shown)
    clock.move(HOUR - 1)
    assert without_date(ask()) == without_date(first)
    clock.move(1)
    assert ask().json == first.json | dict.fromkeys(shown)
    assert ask().status == first.status


@pytest.mark.parametrize(
    "other",
    [
        lambda w, d: ("POST", "/v1/documents", {**w.document, "title": "Another"}, {}),
        lambda w, d: ("POST", "/v1/documents", b" " + json.dumps(dict(w.document)).encode(), {}),
        lambda w, d: ("POST", "/v1/subscriptions", dict(w.subscription), {}),
        lambda w, d: ("PATCH", d, {}, {}),
        lambda w, d: ("PATCH", d, {}, {"if-match": '"1"'}),
        lambda w, d: ("DELETE", d, None, {}),
    ],
    ids=["another body", "another spelling", "another path", "another method", "with If-Match", "without a body"],
)
def test_a_key_that_came_with_another_request_is_refused(
    world: "World", document: str, other: Callable[["World", str], tuple[str, str, Any, dict[str, str]]]
) -> None:
    key = new_key()
    world.send("POST", "/v1/documents", dict(world.document), key).ok(201)
    method, path, body, headers = other(world, document)
    at = ("Idempotency-Key",)
    world.refuses(method, path, body, at=at, headers={**headers, **key}, code="idempotency_key_reused")


def test_the_query_belongs_to_the_request(world: "World", document: str) -> None:
    body = {**world.document, "status": "created", "createdAt": "2021-09-02T04:37:56Z", "sourceApp": "x"}
    key = new_key()
    world.send("PUT", document + "?sourceVersion=1", body, key).ok()
    world.refuses("PUT", document + "?sourceVersion=2", body, at=("Idempotency-Key",), headers=key)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/v1/documents", {"title": 5}, 422),
        ("POST", "/v1/documents", b"{", 400),
        ("PATCH", "/v1/documents/01a20e98-25ba-7b43-8f2d-f3d7f20c1d84", {"title": "x"}, 404),
        ("POST", "/v1/subscriptions", {"url": "https://10.0.0.1/", "eventTypes": ["documentCreated"]}, 422),
    ],
)
def test_a_refused_request_does_not_use_its_key_up(
    world: "World", method: str, path: str, body: Any, status: int
) -> None:
    key = new_key()
    for _ in range(2):
        assert "idempotent-replayed" not in world.send(method, path, body, key).headers
        assert world.send(method, path, body, key).status == status
    answer = world.send("POST", "/v1/documents", dict(world.document), key)
    assert answer.status == 201
    assert "idempotent-replayed" not in answer.headers


def test_many_at_once_with_one_key_make_one_document(world: "World") -> None:
    key, last = new_key(), world.last()
    answers: list[Answer] = []

    def ask() -> None:
        client = world.another()
        answers.append(client.send("POST", "/v1/documents", dict(world.document), key))
        client.close()

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status for answer in answers} <= {201, 409}
    assert len({answer.body for answer in answers if answer.status == 201}) == 1
    assert sum("idempotent-replayed" not in answer.headers for answer in answers if answer.status == 201) == 1
    assert world.last() == last + 1


def test_a_read_ignores_the_key(world: "World", document: str) -> None:
    key = new_key()
    before = world.state()
    for _ in range(2):
        assert "idempotent-replayed" not in world.send("GET", document, headers=key).headers
    assert world.state() == before
