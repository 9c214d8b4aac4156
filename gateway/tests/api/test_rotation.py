"""Rotating a subscription's secret through the API: what is shown, repeated and refused (C21)."""

import base64
import hmac
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import apsw
import pytest
from gateway.tests.http_server import LocalServer, QuietHandler
from gateway.tests.sqlite_file import database_file

from signalpost.domain.timestamps import SECOND, parse_timestamp
from signalpost.sender.addresses import parse_allow_targets

if TYPE_CHECKING:
    from gateway.tests.api.conftest import Answer, World

ABSENT = "/v1/subscriptions/01a20e98-25ba-7b43-8f2d-f3d7f20c1d84"
OWN = "an owner's own, ü"


@pytest.fixture
def path(world: "World") -> str:
    """The path of a subscription of the test's own, before its first change."""
    return f"/v1/subscriptions/{world.create_subscription()['id']}"


def rotate(world: "World", path: str, body: Any = None, **headers: str) -> "Answer":
    return world.send("POST", f"{path}/secret/rotate", body, headers)


def promote(world: "World", path: str, **headers: str) -> "Answer":
    return world.send("POST", f"{path}/secret/promote", headers=headers)


def listed(world: "World", path: str) -> Any:
    return next(each for each in world.get("/v1/subscriptions?limit=250").ok()["data"] if path.endswith(each["id"]))


@pytest.mark.parametrize(
    ("body", "hours"), [(None, 24), ({}, 24), ({"overlapHours": 1}, 1), ({"overlapHours": 720}, 720)]
)
def test_a_rotation_shows_the_new_secret_once_and_when_the_overlap_ends(
    world: "World", path: str, body: Any, hours: int
) -> None:
    before = world.get(path).ok()
    assert before["rotationEndsAt"] is None
    answer = rotate(world, path, body)
    rotated = answer.ok()
    assert len(base64.b64decode(rotated["secret"].removeprefix("whsec_"), validate=True)) == 32
    assert rotated["standardWebhooksSecret"] == rotated["secret"]
    overlap = parse_timestamp(rotated["rotationEndsAt"]) - parse_timestamp(rotated["updatedAt"])
    assert overlap == hours * 3600 * SECOND
    assert answer.headers["etag"] == '"2"'
    shown = {name: value for name, value in rotated.items() if "ecret" not in name}
    assert list(shown) == list(before)
    changed = {name for name in before if before[name] != shown[name]}
    assert changed == {"rotationEndsAt", "updatedAt"}
    for later in (world.get(path), world.send("PATCH", path, {"name": "renamed"}), world.get("/v1/subscriptions")):
        assert b"ecret" not in later.body
        assert rotated["secret"].encode() not in later.body
    assert world.get(path).ok()["rotationEndsAt"] == listed(world, path)["rotationEndsAt"] == rotated["rotationEndsAt"]


def test_an_owner_s_secret_is_shown_in_both_forms(world: "World", path: str) -> None:
    rotated = rotate(world, path, {"secret": OWN}).ok()
    assert rotated["secret"] == OWN
    assert base64.b64decode(rotated["standardWebhooksSecret"].removeprefix("whsec_")) == OWN.encode()


def test_without_an_overlap_nothing_is_left_to_promote(world: "World", path: str) -> None:
    assert rotate(world, path, {"overlapHours": 0}).ok()["rotationEndsAt"] is None
    promote(world, path).refused(409, code="no_rotation")


def test_a_rotation_under_way_is_promoted_or_replaced_and_not_begun_again(world: "World", path: str) -> None:
    rotate(world, path)
    world.refuses("POST", f"{path}/secret/rotate", {"overlapHours": 1}, status=409, code="rotation_under_way")
    answer = promote(world, path)
    assert answer.ok()["rotationEndsAt"] is None
    assert b"ecret" not in answer.body
    assert answer.headers["etag"] == '"3"'
    world.refuses("POST", f"{path}/secret/promote", status=409, code="no_rotation")
    rotate(world, path).ok()
    assert rotate(world, path, {"overlapHours": 0}).ok()["rotationEndsAt"] is None


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({"overlapHours": -1}, ["/overlapHours"]),
        ({"overlapHours": 721}, ["/overlapHours"]),
        ({"overlapHours": 1.5}, ["/overlapHours"]),
        ({"overlapHours": None}, ["/overlapHours"]),
        ({"overlapHours": True}, ["/overlapHours"]),
        ({"secret": "short"}, ["/secret"]),
        ({"secret": "x" * 257, "overlapHours": "24"}, ["/overlapHours", "/secret"]),
        ({"secret": None}, ["/secret"]),
        ({"secret": "\ud800" * 8}, ["/secret"]),
        ({"newSecret": "12345678"}, ["/newSecret"]),
        ([], [""]),
    ],
)
def test_bad_fields_are_named_and_the_secret_stays(world: "World", path: str, body: Any, pointers: list[str]) -> None:
    problem = world.refuses("POST", f"{path}/secret/rotate", body, at=tuple(pointers))
    assert "12345678" not in str(problem["detail"])


@pytest.mark.parametrize("call", [rotate, promote])
def test_what_is_not_there_has_no_secret(world: "World", path: str, call: Callable[..., "Answer"]) -> None:
    call(world, ABSENT).refused(404, code="subscription_not_found")
    call(world, "/v1/subscriptions/none").refused(404, code="subscription_not_found")
    rotate(world, path)
    world.send("DELETE", path)
    call(world, path).refused(404, code="subscription_not_found")


def test_etags_go_round(world: "World", path: str) -> None:
    for etag in ('"2"', "1", ""):
        rotate(world, path, **{"if-match": etag}).refused(412)
    assert world.get(path).headers["etag"] == '"1"'
    assert rotate(world, path, **{"if-match": '"1"'}).headers["etag"] == '"2"'
    promote(world, path, **{"if-match": '"1"'}).refused(412)
    assert promote(world, path, **{"if-match": '"2"'}).headers["etag"] == '"3"'


def test_a_repeat_shows_the_same_secret_and_begins_nothing(world: "World", path: str) -> None:
    """The answer may have been lost, and with it the only sight of the secret."""
    key = {"idempotency-key": str(uuid.uuid4())}
    first = rotate(world, path, {"overlapHours": 2}, **key).ok()
    state = world.state()
    again = rotate(world, path, {"overlapHours": 2}, **key)
    assert again.ok() == first
    assert again.headers["idempotent-replayed"] == "true"
    assert world.state() == state
    rotate(world, path, {"overlapHours": 3}, **key).refused(422, "Idempotency-Key", code="idempotency_key_reused")

    key = {"idempotency-key": str(uuid.uuid4())}
    promoted = promote(world, path, **key).ok()
    assert promote(world, path, **key).ok() == promoted
    assert rotate(world, path).ok()["secret"] != first["secret"]
    assert promote(world, path, **key).ok() == promoted, "a repeat promotes nothing that came later"
    assert world.get(path).ok()["rotationEndsAt"] is not None


def test_other_changes_leave_the_rotation_alone(world: "World", path: str) -> None:
    ends = rotate(world, path).ok()["rotationEndsAt"]
    for patch in ({"name": "x"}, {"url": "https://receiver.example.com/new"}, {"headers": {"a": "b"}}, {}):
        assert world.send("PATCH", path, patch).ok()["rotationEndsAt"] == ends
    world.refuses("PATCH", path, {"secret": "x" * 8}, at=("/secret",))
    world.refuses("PATCH", path, {"rotationEndsAt": None}, at=("/rotationEndsAt",))
    assert world.send("DELETE", path).status == 204


def test_after_the_overlap_s_end_nothing_shows_a_rotation_and_another_can_begin(
    make_world: Callable[..., "World"],
) -> None:
    """The row still has it: only the time has passed."""
    world = make_world()
    path = f"/v1/subscriptions/{world.create_subscription()['id']}"
    rotate(world, path, {"overlapHours": 1})
    world.stop()
    with apsw.Connection(str(database_file(world.settings.data_dir))) as database:
        database.execute("UPDATE subscription SET config = CAST(json_set(config, '$.promote_at', 1) AS BLOB)")
    world = make_world(data_dir=world.settings.data_dir)
    assert world.get(path).ok()["rotationEndsAt"] is None
    assert listed(world, path)["rotationEndsAt"] is None
    promote(world, path).refused(409, code="no_rotation")
    assert world.send("PATCH", path, {"name": "renamed"}).ok()["rotationEndsAt"] is None
    assert rotate(world, path, {"overlapHours": 1}).ok()["rotationEndsAt"] is not None


class Verifier(QuietHandler):
    """An endpoint that verifies the header of the page (C19) with the one secret that it was given."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        made = hmac.new(self.server.secret.encode(), body, "sha512").hexdigest()  # type: ignore[attr-defined]
        self.send_response(200 if made == self.headers["plexus-webhook-signature"] else 401)
        self.send_header("content-length", "0")
        self.end_headers()


@pytest.fixture
def verifier() -> Iterator[LocalServer]:
    server = LocalServer(("127.0.0.1", 0), Verifier)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_test_with_the_new_secret_shows_whether_the_old_one_can_end(
    make_world: Callable[..., "World"], verifier: LocalServer
) -> None:
    url = f"http://127.0.0.1:{verifier.server_port}"
    world = make_world(allow_targets=parse_allow_targets(url))
    made = world.create_subscription(url=f"{url}/", secret=OWN)
    path = f"/v1/subscriptions/{made['id']}"

    def accepted(**body: str) -> bool:
        return bool(world.send("POST", f"{path}/test", body).ok()["delivered"])

    world.send("POST", f"{path}/test", {"secret": "next"}).refused(409, code="no_rotation")
    rotated = rotate(world, path).ok()
    verifier.secret = OWN  # type: ignore[attr-defined]
    assert accepted()
    assert not accepted(secret="next")
    verifier.secret = rotated["secret"]  # type: ignore[attr-defined]
    assert accepted(secret="next")
    assert not accepted(), "until the promotion, events are signed with the old secret"
    assert world.get(path).ok()["rotationEndsAt"] is not None, "a test ends nothing"
    promote(world, path).ok()
    assert accepted()
    world.send("POST", f"{path}/test", {"secret": "next"}).refused(409, code="no_rotation")
    world.send("POST", f"{path}/test", {"secret": "old"}).refused(422, "/secret")


def test_a_signature_is_checked_with_the_secrets_that_sign_and_none_is_told(world: "World") -> None:
    path = f"/v1/subscriptions/{world.create_subscription(secret=OWN)['id']}"
    body = '{"title": "Café"}'

    def checked(signature: str, of: str = body) -> dict[str, Any]:
        answer = world.send("POST", f"{path}/secret/check", {"signature": signature, "body": of})
        assert signature_of(OWN, body) == signature or signature_of(OWN, body).encode() not in answer.body
        found: dict[str, Any] = answer.ok()
        return found

    assert checked(signature_of(OWN, body)) == {"fits": True, "detail": "It fits the secret."}
    assert checked(signature_of("another one", body)) == {"fits": False, "detail": "No secret fits the body."}
    assert "upper case" in checked(signature_of(OWN, body).upper())["detail"]
    assert "other bytes" in checked(signature_of(OWN, '{"title":"Café"}'))["detail"]
    rotate(world, path, {"secret": "the next one"}).ok()
    assert checked(signature_of("the next one", body))["fits"]
    world.refuses("POST", f"{path}/secret/check", {"signature": ""}, at=("/signature", "/body"))
    world.send("POST", f"{ABSENT}/secret/check", {"signature": "x", "body": ""}).refused(404)


def signature_of(secret: str, body: str) -> str:
    return hmac.new(secret.encode(), body.encode(), "sha512").hexdigest()
