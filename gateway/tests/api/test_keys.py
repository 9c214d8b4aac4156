"""API keys: made, listed, revoked; shown once and kept as hashes."""

import hashlib
import re
import uuid
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from gateway.tests.api.moved_clock import MovedClock
from gateway.tests.api.stream import Stream, external_id, line
from gateway.tests.captured_log import captured_log

from signalpost.api.guards.principals import DIGESTS_REMEMBERED, Principals
from signalpost.domain.access.api_key import ApiKey, Role, hash_key
from signalpost.domain.timestamps import SECOND, format_timestamp, parse_timestamp
from signalpost.runtime.clock import SystemClock

if TYPE_CHECKING:
    from gateway.tests.api.conftest import Answer, World

ABSENT = "01a20e98-25ba-7b43-8f2d-f3d7f20c1d84"
SHAPE = ["id", "name", "role", "tenant", "createdAt", "createdBy", "expiresAt", "lastUsedAt"]
HOUR = 3600 * SECOND
NEW = {"name": "support desk", "role": "operator"}


def make(world: "World", headers: Mapping[str, str] | None = None, **members: str) -> dict[str, Any]:
    made: dict[str, Any] = world.send("POST", "/v1/keys", {**NEW, **members}, headers).ok(201)
    return made


def by(key: dict[str, Any], **more: str) -> dict[str, str]:
    """The headers of a request with that key."""
    return {"authorization": f"Bearer {key['key']}", **more}


def ask(world: "World", key: dict[str, Any]) -> "Answer":
    return world.get("/v1/subscriptions", **by(key))


def listed(world: "World", limit: int = 250) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    page = world.get(f"/v1/keys?limit={limit}").ok()
    while True:
        assert len(page["data"]) <= limit
        found += page["data"]
        if page["next"] is None:
            return found
        page = world.get(f"/v1/keys?limit={limit}&cursor={page['next']}").ok()


# --- What is shown ----------------------------------------------------------------------------------------------------


def test_a_key_is_shown_at_its_making_and_never_again(world: "World") -> None:
    answer = world.send("POST", "/v1/keys", NEW)
    made = answer.ok(201)
    assert list(made) == [*SHAPE, "key"]
    assert re.fullmatch(r"sp_[A-Za-z0-9_-]{43}", made["key"])
    assert (made["name"], made["role"], made["tenant"]) == ("support desk", "operator", "default")
    assert (made["createdBy"], made["expiresAt"], made["lastUsedAt"]) == ("operator", None, None)
    assert uuid.UUID(made["id"]).version == 7
    parse_timestamp(made["createdAt"])
    assert answer.headers["location"] == f"/v1/keys/{made['id']}"
    (shown,) = [key for key in listed(world) if key["id"] == made["id"]]
    assert shown == {name: made[name] for name in SHAPE}
    for body in (world.get("/v1/keys?limit=250").body, ask(world, made).body):
        assert made["key"].encode() not in body


def test_no_two_keys_are_the_same(world: "World") -> None:
    assert len({make(world)["key"] for _ in range(20)}) == 20


def test_only_a_hash_of_it_is_kept(make_world: Callable[..., "World"]) -> None:
    """The answer that is kept for an Idempotency-Key has no key in it either."""
    world = make_world()
    made, repeated = make(world), make(world, {"idempotency-key": "k"})
    assert ask(world, made).status == ask(world, repeated).status == 200
    folder = world.settings.data_dir

    def contents() -> bytes:
        return b"".join(file.read_bytes() for file in folder.glob("signalpost.db*"))

    running = contents()
    world.stop()
    for kept in (running, contents()):
        for key in (made["key"], repeated["key"]):
            assert key.encode() not in kept
            assert key.removeprefix("sp_").encode() not in kept
            assert hashlib.sha256(key.encode()).digest() in kept


def test_nothing_of_a_key_is_logged(world: "World", capfd: pytest.CaptureFixture[str]) -> None:
    with captured_log() as logs:
        made = make(world)
        assert world.send("DELETE", f"/v1/keys/{made['id']}", headers=by(made)).status == 204
        ask(world, made).refused(401)
        assert any(line.get("route") == "/v1/keys" for line in logs), "nothing was logged"
    assert made["key"] not in f"{logs}{capfd.readouterr()}"


def test_lists_come_newest_first_in_pages_without_the_revoked_ones(make_world: Callable[..., "World"]) -> None:
    world = make_world()
    assert world.get("/v1/keys").ok() == {"data": [], "next": None}, "the settings' own key is none of these"
    made = [make(world)["id"] for _ in range(7)]
    revoked = made.pop(3)
    assert world.send("DELETE", f"/v1/keys/{revoked}").status == 204
    for limit in (1, 2, 3, 6, 7, 250):
        assert [key["id"] for key in listed(world, limit)] == made[::-1]


@pytest.mark.parametrize(
    ("query", "pointers"),
    [("limit=0", ["?limit"]), ("limit=251", ["?limit"]), ("cursor=x", ["?cursor"]), ("role=operator", ["?role"])],
)
def test_bad_parameters_of_the_list_are_named(world: "World", query: str, pointers: list[str]) -> None:
    world.get(f"/v1/keys?{query}").refused(422, *pointers)


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, ["/name", "/role"]),
        ({"name": "x", "role": "root"}, ["/role"]),
        ({"name": "x", "role": None}, ["/role"]),
        ({"name": "x", "role": ["operator"]}, ["/role"]),
        ({"name": "x", "role": "Operator"}, ["/role"]),
        ({"name": "", "role": "operator"}, ["/name"]),
        ({"name": "x" * 129, "role": "operator"}, ["/name"]),
        ({"name": "a\x00", "role": "operator"}, ["/name"]),
        ({"name": "x", "role": "app", "expiresAt": "tomorrow"}, ["/expiresAt"]),
        ({"name": "x", "role": "app", "expiresAt": "2020-01-01T00:00:00Z"}, ["/expiresAt"]),
        ({"name": 5, "role": "operator", "key": "sp_mine", "id": ABSENT}, ["/name", "/key", "/id"]),
    ],
)
def test_bad_fields_of_a_new_key_are_named(world: "World", body: Any, pointers: list[str]) -> None:
    world.refuses("POST", "/v1/keys", body, at=tuple(pointers))


# --- What it opens, and until when ------------------------------------------------------------------------------------


def test_a_key_is_good_at_once_and_after_a_restart_until_it_is_revoked(make_world: Callable[..., "World"]) -> None:
    world = make_world()
    kept, revoked, revoked_later = make(world), make(world), make(world)
    assert {ask(world, key).status for key in (kept, revoked, revoked_later)} == {200}
    assert world.send("DELETE", f"/v1/keys/{revoked['id']}").status == 204
    ask(world, revoked).refused(401, code="unknown_key")
    world.stop()

    world = make_world(data_dir=world.settings.data_dir)
    assert {ask(world, key).status for key in (kept, revoked_later)} == {200}
    ask(world, revoked).refused(401, code="unknown_key")
    assert world.send("DELETE", f"/v1/keys/{revoked_later['id']}", headers=by(kept)).status == 204
    ask(world, revoked_later).refused(401)
    assert [key["id"] for key in listed(world)] == [kept["id"]]


def test_a_document_names_the_key_that_made_it_as_its_source(world: "World") -> None:
    made = world.send("POST", "/v1/documents", dict(world.document), by(make(world))).ok(201)
    assert made["sourceApp"] == "support desk"


def test_a_key_can_revoke_itself(world: "World") -> None:
    made = make(world)
    answer = world.send("DELETE", f"/v1/keys/{made['id']}", headers=by(made))
    assert (answer.status, answer.body) == (204, b"")
    world.send("DELETE", f"/v1/keys/{made['id']}", headers=by(made)).refused(401)


def test_an_import_under_way_ends_with_its_key(world: "World") -> None:
    made = make(world)
    with Stream(world.port, made["key"]) as talk:
        talk.send(line(70_001))
        assert talk.answer()["status"] == 201
        assert world.send("DELETE", f"/v1/keys/{made['id']}").status == 204
        talk.send(line(70_002) + line(70_003))
        [refused] = talk.answers()
    assert (refused["line"], refused["status"], refused["problem"]["code"]) == (2, 401, "unknown_key")
    for number in (70_002, 70_003):
        world.get(f"/v1/documents/{external_id(number)}").refused(404)


@pytest.mark.parametrize("identity", [ABSENT, "0", "no-UUID", "operator", "%00"])
def test_what_is_not_there_cannot_be_revoked(world: "World", identity: str) -> None:
    world.refuses("DELETE", f"/v1/keys/{identity}", status=404, code="key_not_found")
    assert world.get("/v1/keys").status == 200, "the settings' own key is good for ever"


def test_a_key_is_revoked_once(world: "World") -> None:
    path = f"/v1/keys/{make(world)['id']}"
    assert world.send("DELETE", path).status == 204
    world.refuses("DELETE", path, status=404, code="key_not_found")


def test_a_single_key_cannot_be_read_or_changed(world: "World") -> None:
    path = f"/v1/keys/{make(world)['id']}"
    for method in ("GET", "PATCH", "PUT"):
        world.send(method, path, {}).refused(405)


# --- Roles ------------------------------------------------------------------------------------------------------------


def test_an_app_makes_documents_under_its_own_name_and_nothing_else(world: "World") -> None:
    app = by(make(world, role="app", name="contracts"))
    made = world.send("POST", "/v1/documents", dict(world.document), app).ok(201)
    assert made["sourceApp"] == "contracts"
    body = {**world.document, "sourceApp": "another"}
    world.send("POST", "/v1/documents", body, app).refused(422, "/sourceApp")
    world.send("POST", "/v1/subscriptions", dict(world.subscription), app).refused(403, code="role_not_allowed")
    world.get("/v1/events", **app).refused(403)


def test_a_subscriber_subscribes_and_reads_what_it_is_told_of(world: "World") -> None:
    subscriber = by(make(world, role="subscriber"))
    document = world.create_document()["externalId"]
    world.send("POST", "/v1/subscriptions", dict(world.subscription), subscriber).ok(201)
    assert world.get(f"/v1/documents/{document}", **subscriber).status == 200
    world.send("DELETE", f"/v1/documents/{document}", headers=subscriber).refused(403)


def test_a_viewer_reads(world: "World") -> None:
    viewer = by(make(world, role="viewer"))
    for path in ("/v1/documents", "/v1/subscriptions", "/v1/events", "/v1/deliveries", "/v1/connections"):
        assert world.get(path, **viewer).status == 200
    world.send("POST", "/v1/documents", dict(world.document), viewer).refused(403)
    world.send("POST", "/v1/subscriptions", dict(world.subscription), viewer).refused(403)


@pytest.mark.parametrize("role", ["app", "subscriber", "viewer"])
def test_nobody_but_an_operator_makes_lists_or_revokes_keys(world: "World", role: str) -> None:
    lesser = make(world, role=role)
    world.refuses("POST", "/v1/keys", NEW, status=403, headers=by(lesser), code="role_not_allowed")
    world.get("/v1/keys", **by(lesser)).refused(403)
    world.refuses("DELETE", f"/v1/keys/{lesser['id']}", status=403, headers=by(lesser))


def test_a_key_tells_who_made_it(world: "World") -> None:
    first = make(world, name="first")
    second = world.send("POST", "/v1/keys", {"name": "second", "role": "viewer"}, by(first)).ok(201)
    assert (first["createdBy"], second["createdBy"]) == ("operator", "first")


# --- Expiry and use ---------------------------------------------------------------------------------------------------


def test_a_key_stops_working_when_it_expires_and_is_listed_still(make_world: Callable[..., "World"]) -> None:
    clock = MovedClock()
    world = make_world(clock=clock)
    until = format_timestamp(clock.wall() + HOUR)
    made = make(world, role="viewer", expiresAt=until)
    assert made["expiresAt"] == until
    assert ask(world, made).status == 200
    clock.move(HOUR)
    ask(world, made).refused(401, code="expired_key")
    assert [key["expiresAt"] for key in listed(world)] == [until]


def test_the_last_use_of_a_key_is_listed_and_outlives_a_restart(make_world: Callable[..., "World"]) -> None:
    world = make_world()
    used, unused = make(world), make(world)
    began = SystemClock().wall()
    assert ask(world, used).status == 200

    def uses() -> dict[str, str | None]:
        return {key["id"]: key["lastUsedAt"] for key in listed(world)}

    before = uses()
    assert before[unused["id"]] is None
    assert began <= parse_timestamp(before[used["id"]] or "") <= SystemClock().wall()
    world.stop()
    world = make_world(data_dir=world.settings.data_dir)
    assert uses() == before


# --- Repeats ----------------------------------------------------------------------------------------------------------


def test_a_repeat_shows_the_same_key_and_makes_no_other(make_world: Callable[..., "World"]) -> None:
    """A restart changes nothing about that: the first answer may have been lost."""
    world = make_world()
    key = {"idempotency-key": "make-it-once"}
    made = make(world, key)
    for _ in range(2):
        again = world.send("POST", "/v1/keys", NEW, key)
        assert again.ok(201) == made
        assert again.headers["idempotent-replayed"] == "true"
        world.stop()
        world = make_world(data_dir=world.settings.data_dir)
    assert [each["id"] for each in listed(world)] == [made["id"]]
    assert ask(world, made).status == 200
    another = world.send("POST", "/v1/keys", {**NEW, "name": "another"}, key)
    another.refused(422, "Idempotency-Key", code="idempotency_key_reused")


def test_a_repeated_revocation_answers_the_same(world: "World") -> None:
    path, key = f"/v1/keys/{make(world)['id']}", {"idempotency-key": str(uuid.uuid4())}
    assert world.send("DELETE", path, headers=key).status == 204
    again = world.send("DELETE", path, headers=key)
    assert (again.status, again.headers["idempotent-replayed"]) == (204, "true")


def test_a_repeat_does_not_bring_a_revoked_key_back(world: "World") -> None:
    key = {"idempotency-key": str(uuid.uuid4())}
    made = make(world, key)
    world.send("DELETE", f"/v1/keys/{made['id']}")
    assert make(world, key) == made
    ask(world, made).refused(401)
    assert made["id"] not in [each["id"] for each in listed(world)]


def test_an_idempotency_key_counts_for_the_api_key_that_it_came_with(world: "World") -> None:
    """The settings' key has its own ones too, and a new key gets no answers of a revoked one."""
    key = str(uuid.uuid4())
    first, second = make(world), make(world)
    bodies = [{**world.document, "title": title} for title in ("one", "two", "three", "four")]
    callers: list[dict[str, str]] = [by(first), by(second), {}]
    made = [
        world.send("POST", "/v1/documents", body, {**caller, "idempotency-key": key}).ok(201)
        for body, caller in zip(bodies, callers, strict=False)
    ]
    assert [each["title"] for each in made] == ["one", "two", "three"]
    for body, caller, answered in zip(bodies, callers, made, strict=False):
        again = world.send("POST", "/v1/documents", body, {**caller, "idempotency-key": key})
        assert (again.ok(201), again.headers["idempotent-replayed"]) == (answered, "true")
    world.send("DELETE", f"/v1/keys/{second['id']}")
    third = make(world)
    answer = world.send("POST", "/v1/documents", bodies[3], by(third, **{"idempotency-key": key}))
    assert answer.ok(201)["title"] == "four"


def test_of_headers_with_good_keys_a_bounded_number_is_remembered_and_of_bad_ones_none() -> None:
    keys = {hash_key(f"sp_{number}"): number for number in range(2 * DIGESTS_REMEMBERED)}

    def find(digest: bytes) -> ApiKey | None:
        number = keys.get(digest)
        if number is None:
            return None
        return ApiKey(
            id="k", number=number, tenant_id=1, name="k", role=Role.APP, hash=digest, created_at=0, created_by=None
        )

    nobody: Any = None
    lookout: Any = SimpleNamespace(is_recent=True)
    principals = Principals(
        "sp_operator", find, lambda: 0, lambda _: None, lookout, nobody, nobody, lambda _digest, _now: None, nobody
    )
    for number in range(len(keys)):
        for _ in range(2):
            found = principals.at_once(f"Bearer sp_{number}")
            assert found is not None
            assert found.key_id == number
        assert principals.at_once(f"Bearer sp_bad_{number}") is None
        assert len(principals._digests) <= DIGESTS_REMEMBERED
    keys.clear()  # as if they were all revoked
    assert principals.at_once("Bearer sp_1999") is None
