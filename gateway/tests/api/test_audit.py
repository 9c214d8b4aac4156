"""The audit: what is told of changes that came over HTTP, who may read it, page by page, and whether it holds."""

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping
from socket import gethostname
from typing import TYPE_CHECKING, Any

import pytest
from gateway.tests.patience import PATIENCE

from signalpost.api.http.pages import PAGE_BYTES
from signalpost.domain.audit import Actor, EntryDraft, Object, canonical
from signalpost.listener.source import parse_proxies

if TYPE_CHECKING:
    from gateway.tests.api.conftest import World

ABSENT = "01a20e98-25ba-7b43-8f2d-f3d7f20c1d84"
SHAPE = [*"action actor at changes number object outcome previous request source tenant".split(), "hash"]
ZEROS = "0" * 64


def told(world: "World", query: str = "", headers: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """Every page to the end."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = world.send("GET", f"/v1/audit?{query}{cursor}", headers=headers).ok()
        found += page["data"]
        if page["next"] is None:
            return found
        cursor = f"&cursor={page['next']}"


def newest(world: "World", **headers: str) -> dict[str, Any]:
    [entry] = world.get("/v1/audit?newest=true&limit=1", **headers).ok()["data"]
    found: dict[str, Any] = entry
    return found


def make_key(world: "World", role: str, **headers: str) -> dict[str, Any]:
    made: dict[str, Any] = world.send("POST", "/v1/keys", {"name": f"a {role}", "role": role}, headers).ok(201)
    return made


def holds(world: "World") -> int:
    found = world.get("/v1/audit/verification").ok()
    assert found["fault"] is None
    return int(found["entries"])


# --- What is told -----------------------------------------------------------------------------------------------------


def test_a_change_is_told_with_who_asked_from_where_and_by_which_request(world: "World") -> None:
    key = make_key(world, "subscriber")
    by = {"authorization": f"Bearer {key['key']}"}
    answer = world.send("POST", "/v1/subscriptions", {**world.subscription, "name": "Mine"}, by)
    entry = newest(world)
    assert list(entry) == SHAPE
    assert entry["actor"] == {"id": key["id"], "kind": "key", "name": "a subscriber", "role": "subscriber"}
    assert (entry["tenant"], entry["source"], entry["request"]) == (
        "default",
        "127.0.0.1",
        answer.headers["request-id"],
    )
    assert (entry["action"], entry["outcome"]) == ("subscription.create", "done")
    assert entry["object"] == {"id": answer.json["id"], "kind": "subscription"}
    assert entry["changes"]["name"] == {"new": "Mine", "old": None}


def test_the_operator_of_the_settings_is_told_as_such(world: "World") -> None:
    world.create_subscription()
    assert newest(world)["actor"] == {"id": "operator", "kind": "key", "name": "operator", "role": "operator"}


def test_each_change_of_configuration_and_access_is_told(world: "World") -> None:
    after = world.get("/v1/audit").ok()["mark"]["number"]
    made = world.create_subscription()
    path = f"/v1/subscriptions/{made['id']}"
    world.send("PATCH", path, {"rateLimit": 7}).ok()
    world.send("POST", f"{path}/secret/rotate", {}).ok()
    world.send("POST", f"{path}/secret/promote").ok()
    assert world.send("DELETE", path).status == 204
    key = make_key(world, "app")
    assert world.send("DELETE", f"/v1/keys/{key['id']}").status == 204
    world.send("POST", "/v1/tenants", {"name": "told"}).ok(201)
    world.send("PATCH", "/v1/tenants/told", {"status": "paused"}).ok()
    assert world.send("DELETE", "/v1/tenants/told?confirm=told").status == 202
    document = world.create_document()
    assert world.send("DELETE", f"/v1/documents/{document['externalId']}").status == 204
    assert [entry["action"] for entry in told(world, f"after={after}")] == [
        "subscription.create", "subscription.change", "subscription.rotate-secret", "subscription.promote-secret",
        "subscription.delete", "key.create", "key.revoke", "tenant.create", "tenant.change", "tenant.delete",
        "document.delete",
    ]  # fmt: skip


def test_a_repeat_of_a_call_and_a_refused_one_are_not_told_again(world: "World") -> None:
    headers = {"idempotency-key": "told-once"}
    made = [world.send("POST", "/v1/subscriptions", world.subscription, headers).ok(201)["id"] for _ in range(2)]
    assert len(told(world, f"object={made[0]}")) == 1
    world.send("PATCH", f"/v1/subscriptions/{made[0]}", {"rateLimit": 0}).refused(422, "/rateLimit")
    world.send("DELETE", f"/v1/subscriptions/{made[0]}", headers={"if-match": '"9"'}).refused(412)
    world.send("PATCH", f"/v1/subscriptions/{made[0]}", {"status": "paused"}).ok()
    assert len(told(world, f"object={made[0]}")) == 1


def test_no_secret_is_told(world: "World") -> None:
    canary = "canary-of-an-audit-9c31"
    url = f"https://hooks.example.com/{canary}?sig={canary}"
    fields = {"url": url, "secret": canary, "headers": {"X-Key": canary}}
    made = world.create_subscription(**fields)
    path = f"/v1/subscriptions/{made['id']}"
    world.send("PATCH", path, {"url": f"{url}2", "headers": {}}).ok()
    world.send("POST", f"{path}/secret/rotate", {"secret": f"{canary}2"}).ok()
    key = make_key(world, "viewer")["key"]
    content = json.dumps(told(world))
    assert canary not in content
    assert key not in content
    assert hashlib.sha256(key.encode()).hexdigest() not in content


@pytest.mark.parametrize(("trusted", "source"), [("127.0.0.0/8", "9.9.9.9"), ("", "127.0.0.1")])
def test_a_forged_forwarded_address_is_not_told(make_world: Callable[..., "World"], trusted: str, source: str) -> None:
    world = make_world(trusted_proxies=parse_proxies(trusted))
    claimed = {"x-forwarded-for": "1.1.1.1, 9.9.9.9", "forwarded": "for=2.2.2.2", "x-real-ip": "3.3.3.3"}
    world.send("POST", "/v1/tenants", {"name": "acme"}, claimed).ok(201)
    assert newest(world)["source"] == source


def test_an_embedding_program_is_told_by_the_name_that_it_gave(world: "World") -> None:
    document = world.create_document()["externalId"]
    deleting = world.gateway.documents_of("default", "billing").delete(document)
    asyncio.run_coroutine_threadsafe(deleting, world.loop).result()
    entry = newest(world)
    assert entry["actor"] == {"id": "program:billing", "kind": "program", "name": "billing", "role": None}
    assert (entry["source"], entry["request"]) == (None, None)


# --- Calls that were refused ------------------------------------------------------------------------------------------


def refused(world: "World", key: dict[str, Any]) -> list[tuple[str, str, int]]:
    """What the audit tells of calls with a key that were refused, once it tells of any."""
    entries = world.wait_until(
        lambda: [entry for entry in told(world, f"actor={key['id']}") if entry["action"] == "call.refuse"]
    )
    assert {entry["outcome"] for entry in entries} == {"refused"}
    assert {entry["source"] for entry in entries} == {"127.0.0.1"}
    return sorted(
        (entry["object"]["id"], entry["changes"]["code"]["new"], entry["changes"]["times"]["new"]) for entry in entries
    )


def write_refused(world: "World") -> None:
    asyncio.run_coroutine_threadsafe(world.gateway._engine.maintenance.refused_calls.write(), world.loop).result()


def test_what_a_role_does_not_allow_is_told_once_however_often_it_is_tried(world: "World") -> None:
    write_refused(world)
    key = make_key(world, "viewer")
    by = {"authorization": f"Bearer {key['key']}"}
    for _ in range(20):
        world.send("DELETE", f"/v1/keys/{ABSENT}", headers=by).refused(403)
    world.send("GET", "/v1/documents", headers={**by, "signalpost-tenant": "nobodys"}).refused(404)
    world.send("GET", f"/v1/documents/{ABSENT}", headers=by).refused(404)
    write_refused(world)
    found = refused(world, key)
    assert {(route, code) for route, code, _ in found} == {
        ("DELETE /v1/keys/{id}", "role_not_allowed"),
        ("GET /v1/documents", "tenant_not_found"),
    }
    assert sum(times for _, _, times in found) == 21
    assert len(found) <= 4


def test_who_goes_on_with_a_revoked_key_is_told_also_after_a_restart(
    make_world: Callable[..., "World"],
) -> None:
    world = make_world()
    key = make_key(world, "app")
    assert world.send("DELETE", f"/v1/keys/{key['id']}").status == 204
    world.send("GET", "/v1/documents", headers={"authorization": f"Bearer {key['key']}"}).refused(401)
    write_refused(world)
    assert refused(world, key) == [("GET /v1/documents", "unknown_key", 1)]
    world.stop()
    again = make_world(data_dir=world.settings.data_dir)
    again.send("GET", "/v1/documents", headers={"authorization": f"Bearer {key['key']}"}).refused(401)
    again.send("GET", "/v1/documents", headers={"authorization": "Bearer sp_nobodys"}).refused(401)
    write_refused(again)
    assert refused(again, key) == [("GET /v1/documents", "unknown_key", 1)] * 2
    assert holds(again) == len(told(again))


# --- Reading ----------------------------------------------------------------------------------------------------------


def test_pages_have_every_entry_once_in_either_order(world: "World") -> None:
    for _ in range(5):
        world.create_subscription()
    entries = told(world, "limit=2")
    assert [entry["number"] for entry in entries] == list(range(1, len(entries) + 1))
    assert told(world, "limit=2&newest=true") == entries[::-1]
    assert told(world, "limit=2&newest=true&after=3") == entries[:2:-1]
    assert told(world, "after=3&limit=250") == entries[3:]
    mark = world.get("/v1/audit?limit=1").ok()["mark"]
    assert mark == {"number": len(entries), "hash": entries[-1]["hash"]}
    assert world.get(f"/v1/audit?after={len(entries)}").ok()["data"] == []


def test_entries_are_found_by_who_asked_and_by_what_changed(world: "World") -> None:
    key = make_key(world, "operator")
    by = {"authorization": f"Bearer {key['key']}"}
    ids = [world.send("POST", "/v1/subscriptions", world.subscription, by).ok(201)["id"] for _ in range(2)]
    world.send("DELETE", f"/v1/subscriptions/{ids[0]}")
    assert [entry["object"]["id"] for entry in told(world, f"actor={key['id']}&limit=1")] == ids
    assert [entry["actor"]["name"] for entry in told(world, f"object={ids[0]}")] == ["a operator", "operator"]
    assert [entry["object"]["id"] for entry in told(world, f"object={ids[0]}&actor={key['id']}")] == ids[:1]
    assert told(world, f"object={ABSENT}") == []


def test_a_tenant_has_an_audit_of_its_own(world: "World") -> None:
    world.send("POST", "/v1/tenants", {"name": "own"}).ok(201)
    there = {"signalpost-tenant": "own"}
    assert world.get("/v1/audit", **there).ok() == {"data": [], "next": None, "mark": None}
    made = world.send("POST", "/v1/subscriptions", world.subscription, there).ok(201)["id"]
    [entry] = told(world, headers=there)
    assert (entry["number"], entry["tenant"], entry["object"]["id"]) == (1, "own", made)
    assert entry["previous"] == ZEROS
    assert told(world, f"object={made}") == []


@pytest.mark.parametrize("path", ["/v1/audit", "/v1/audit/verification"])
@pytest.mark.parametrize("role", ["app", "subscriber", "viewer"])
def test_nobody_but_an_operator_reads_it(world: "World", path: str, role: str) -> None:
    by = {"authorization": f"Bearer {make_key(world, role)['key']}"}
    world.send("GET", path, headers=by).refused(403, code="role_not_allowed")


def test_bad_questions_are_refused(world: "World") -> None:
    for query, at in (
        ("after=-1", "?after"), ("newest=yes", "?newest"), ("actor=", "?actor"), (f"object={'x' * 201}", "?object"),
        ("limit=251", "?limit"), ("cursor=MC4w", "?cursor"), ("before=1", "?before"),
    ):  # fmt: skip
        world.get(f"/v1/audit?{query}").refused(422, at)


def test_a_page_ends_near_4_mib(make_world: Callable[..., "World"]) -> None:
    world = make_world()
    changes = {f"member-{n}": {"old": None, "new": "x" * 1000} for n in range(40)}
    actor = Actor(kind="gateway", id="g", name="g")
    drafts = [
        EntryDraft(tenant_id=1, at=n, actor=actor, action="a.b", object=Object("x", "y"), changes=changes)
        for n in range(250)
    ]
    adding = world.gateway._services.store.audit.add(drafts)
    asyncio.run_coroutine_threadsafe(adding, world.loop).result()
    for order in ("false", "true"):
        answer = world.get(f"/v1/audit?limit=250&newest={order}")
        assert PAGE_BYTES <= len(answer.body) < PAGE_BYTES + 100_000
        assert answer.json["next"] is not None
        numbers = [entry["number"] for entry in told(world, f"limit=250&newest={order}")]
        assert sorted(numbers) == list(range(1, 251))


# --- Verifying --------------------------------------------------------------------------------------------------------


def test_whoever_reads_a_tenants_entries_can_verify_them_alone(world: "World") -> None:
    world.create_subscription(name="Ünïcode “quoted” \u2028", rateLimit=3)
    before = ZEROS
    for entry in told(world):
        digest = entry.pop("hash")
        assert digest == hashlib.sha256(canonical(entry)).hexdigest()
        assert entry["previous"] == before
        before = digest


def test_the_gateway_verifies_all_of_it_and_names_the_first_that_does_not_fit(
    make_world: Callable[..., "World"],
) -> None:
    world = make_world()
    for _ in range(3):
        world.create_subscription()
    assert holds(world) == 3

    async def tamper() -> None:
        def change(connection: Any) -> None:
            connection.execute("UPDATE audit SET content = replace(content, '127.0.0.1', '9.9.9.9') WHERE number = 2")

        await world.gateway._services.store.writer.run(change)  # type: ignore[attr-defined]

    asyncio.run_coroutine_threadsafe(tamper(), world.loop).result()
    fault = world.get("/v1/audit/verification").ok()["fault"]
    assert (fault["tenant"], fault["number"]) == ("default", 2)
    assert fault["reason"].endswith(".")


# --- The end, kept in the data directory ------------------------------------------------------------------------------


def meddle(world: "World", *statements: str) -> None:
    async def change() -> None:
        def run(connection: Any) -> None:
            for statement in statements:
                connection.execute(statement)

        await world.gateway._services.store.writer.run(run)  # type: ignore[attr-defined]

    asyncio.run_coroutine_threadsafe(change(), world.loop).result()


def kept_end(world: "World") -> int:
    """The position that the file names."""
    file = world.settings.data_dir / "audit-end"
    return int(file.read_text().partition(":")[0]) if file.exists() else -1


def test_an_audit_that_was_emptied_is_told_by_the_end_in_the_data_directory_from_the_first_start_on(
    make_world: Callable[..., "World"],
) -> None:
    world = make_world()
    world.wait_until(lambda: kept_end(world) == 0)
    for _ in range(3):
        world.create_subscription()
    world.wait_until(lambda: kept_end(world) == 3)
    end = world.get("/v1/audit/verification").ok()["end"]
    meddle(world, "DELETE FROM audit", "DELETE FROM audit_end")
    for _ in range(4):
        fault = world.get("/v1/audit/verification").ok()["fault"]
        assert (fault["tenant"], fault["number"]) == (None, 0)
        assert "audit-end" in fault["reason"]
        world.create_subscription()
    assert kept_end(world) == 3, "what shows it stays"
    (world.settings.data_dir / "audit-end").unlink()
    assert holds(world) == 4
    assert "at the end given" in world.get(f"/v1/audit/verification?end={end}").ok()["fault"]["reason"]


def test_operators_are_told_of_an_audit_that_was_emptied_until_somebody_has_looked(
    make_world: Callable[..., "World"],
) -> None:
    world = make_world()
    watch, audit_end = world.gateway._engine.watch, world.gateway._services.audit_end

    def told() -> list[str]:
        for look in (audit_end.keep(), watch.look()):
            asyncio.run_coroutine_threadsafe(look, world.loop).result(PATIENCE)
        found = world.get("/v1/notices").ok()["data"]
        return [each["sentence"] for each in found if each["kind"] == "auditBroken"]

    world.create_subscription()
    assert told() == []
    meddle(world, "DELETE FROM audit", "DELETE FROM audit_end")
    assert told() == [f"The audit lacks entries that {gethostname()} had seen: run `signalpost audit verify`."]
    (world.settings.data_dir / "audit-end").unlink()
    world.wait_until(lambda: not told())


def test_an_audit_that_goes_on_moves_the_end_in_the_data_directory_after_a_restart_too(
    make_world: Callable[..., "World"],
) -> None:
    first = make_world()
    first.create_subscription()
    first.wait_until(lambda: kept_end(first) == 1)
    first.stop()
    again = make_world(data_dir=first.settings.data_dir)
    again.create_subscription()
    again.wait_until(lambda: kept_end(again) == 2)
    assert holds(again) == 2
