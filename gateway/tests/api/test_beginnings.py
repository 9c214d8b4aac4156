"""Where a new subscription begins: at the end of the log, or in the past; and what the list of documents is complete
up to (C14)."""

import json
import os
import re
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gateway.tests.api.conftest import Answer, World
from gateway.tests.api.moved_clock import MovedClock
from gateway.tests.api.test_events import prune
from gateway.tests.console.test_portal import Guest

from signalpost.domain.timestamps import SECOND, format_timestamp

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "first-load.md"
BODY = {"url": "https://receiver.example.com/hook", "eventTypes": ["documentCreated"], "status": "paused"}


@pytest.fixture(scope="module")
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture(scope="module")
def past(make_world: Callable[..., World], clock: MovedClock) -> World:
    """A gateway with ten events, a minute after each other, of which the first five were removed."""
    world = make_world(clock=clock)
    for _ in range(10):
        world.create_document()
        clock.move(60 * SECOND)
    prune(world, 6)
    return world


def asked(world: World, path: str = "/v1/subscriptions", **members: Any) -> Answer:
    return world.send("POST", path, {**BODY, **members})


def made_at(world: World, sequence: int) -> str:
    found: str = {entry["sequence"]: entry["event"]["createdAt"] for entry in world.events(5)}[sequence]
    return found


def test_it_begins_at_the_end_unless_it_says_where(past: World) -> None:
    assert asked(past).ok(201)["startsAfter"] == 10
    assert [asked(past, startsAfter=after).ok(201)["startsAfter"] for after in (5, 7, 10)] == [5, 7, 10]
    sign_in = {"with": "bearer", "token": "token"}
    of_kind = {"kind": "http", "config": {"origin": "https://api.example.com", "signIn": sign_in}}
    connection = past.send("POST", "/v1/connections", of_kind).ok(201)["id"]
    said = {"kind": "http", "connection": connection, "config": {"path": "/in"}, "eventTypes": ["documentCreated"]}
    made = past.send("POST", "/v1/subscriptions", {**said, "status": "paused", "startsAfter": 6})
    assert made.ok(201)["startsAfter"] == 6


def test_a_moment_means_the_first_event_that_is_not_earlier(past: World, clock: MovedClock) -> None:
    for sequence in (6, 8, 10):
        assert asked(past, startsAt=made_at(past, sequence)).ok(201)["startsAfter"] == sequence - 1
    now = format_timestamp(clock.wall())
    assert asked(past, startsAt=now).ok(201)["startsAfter"] == 10


def test_what_is_no_longer_kept_is_said_with_the_oldest_event_that_is(past: World) -> None:
    for after in (0, 4):
        problem = asked(past, startsAfter=after).refused(422, "/startsAfter")
        assert problem["oldest"] == 6
        assert problem["errors"][0]["code"] == "below_retention"
        assert problem["errors"][0]["detail"] == (
            "Events up to 5 are no longer kept. To begin with what is kept, send startsAfter 5."
        )
    problem = asked(past, startsAt="2020-01-01T00:00:00Z").refused(422, "/startsAt")
    assert problem["oldest"] == 6
    assert made_at(past, 6) in problem["errors"][0]["detail"]


def test_a_beginning_that_does_not_exist_is_refused(past: World, clock: MovedClock) -> None:
    assert asked(past, startsAfter=11).refused(422, "/startsAfter")["errors"][0]["code"] == "beyond_the_end"
    tomorrow = format_timestamp(clock.wall() + 86_400 * SECOND)
    assert asked(past, startsAt=tomorrow).refused(422, "/startsAt")["errors"][0]["code"] == "in_the_future"
    both = asked(past, startsAfter=7, startsAt=made_at(past, 7)).refused(422, "/startsAt")
    assert both["errors"][0]["code"] == "not_with_starts_after"
    for bad in (-1, "7", 1.5, None, True, 2**63):
        asked(past, startsAfter=bad).refused(422, "/startsAfter")
    for bad in ("yesterday", "2026-01-01", 7, None, "2026-01-01T00:00:00"):
        asked(past, startsAt=bad).refused(422, "/startsAt")


def test_the_check_of_a_new_subscription_says_the_same_and_makes_nothing(past: World) -> None:
    count = past.get("/v1/subscriptions/names").ok()["total"]
    assert asked(past, "/v1/subscriptions/check", startsAfter=5).status == 204
    asked(past, "/v1/subscriptions/check", startsAfter=4).refused(422, "/startsAfter")
    asked(past, "/v1/subscriptions/check", startsAfter=11).refused(422, "/startsAfter")
    assert past.get("/v1/subscriptions/names").ok()["total"] == count


def test_a_beginning_cannot_be_changed(past: World) -> None:
    made = asked(past, startsAfter=5).ok(201)
    for change in ({"startsAfter": 6}, {"startsAt": "2026-01-01T00:00:00Z"}):
        answer = past.send("PATCH", f"/v1/subscriptions/{made['id']}", change)
        answer.refused(422, f"/{next(iter(change))}")


def test_a_repeated_call_answers_the_same_although_events_were_removed_since(make_world: Callable[..., World]) -> None:
    world = make_world()
    for _ in range(4):
        world.create_document()
    body, key = {**BODY, "startsAfter": 1}, {"idempotency-key": str(uuid.uuid4())}
    first = world.send("POST", "/v1/subscriptions", body, key).ok(201)
    prune(world, 4)
    repeated = world.send("POST", "/v1/subscriptions", body, key)
    assert repeated.ok(201)["id"] == first["id"]
    assert repeated.headers["idempotent-replayed"] == "true"


def test_keys_that_may_make_subscriptions_may_begin_in_the_past_and_customers_may_not(past: World) -> None:
    key = past.send("POST", "/v1/keys", {"name": "s", "role": "subscriber"}).ok(201)["key"]
    by = {"authorization": f"Bearer {key}"}
    assert past.send("POST", "/v1/subscriptions", {**BODY, "startsAfter": 5}, by).ok(201)["startsAfter"] == 5
    guest = Guest(past).enter(can=["create"])
    new = {"do": "create", "url": "https://example.com/new", "type": ["documentCreated"], "key": "k"}
    assert guest.post("/portal/subscriptions/new", {**new, "starts_after": "5"}).status == 422
    assert guest.post("/portal/subscriptions/new", {**new, "starts_at": "2026-01-01T00:00"}).status == 422
    assert guest.post("/portal/subscriptions/new", new).status == 200


def test_another_tenant_begins_in_its_own_log(past: World) -> None:
    past.send("POST", "/v1/tenants", {"name": "beside"}).ok(201)
    there = {"signalpost-tenant": "beside"}
    past.send("POST", "/v1/subscriptions", {**BODY, "startsAfter": 5}, there).refused(422, "/startsAfter")
    begun = past.send("POST", "/v1/subscriptions", {**BODY, "startsAt": "2020-01-01T00:00:00Z"}, there)
    assert begun.ok(201)["startsAfter"] == 0


def test_the_audit_says_where_a_subscription_begins(past: World) -> None:
    made = asked(past, startsAfter=7).ok(201)
    [entry] = past.get(f"/v1/audit?object={made['id']}").ok()["data"]
    assert entry["changes"]["startsAfter"] == {"old": None, "new": 7}


# --- What a list is complete up to ------------------------------------------------------------------------------------


def test_a_list_of_documents_says_up_to_which_event_it_is_complete(make_world: Callable[..., World]) -> None:
    world = make_world()
    assert world.get("/v1/documents").headers["signalpost-sequence"] == "0"
    made = [world.create_document()["externalId"] for _ in range(3)]
    listed = world.get("/v1/documents?limit=1")
    assert listed.headers["signalpost-sequence"] == "3"
    world.send("PATCH", f"/v1/documents/{made[0]}", {"title": "Another"}).ok()
    after = world.get(f"/v1/documents?limit=1&cursor={listed.ok()['next']}")
    assert after.headers["signalpost-sequence"] == "4"
    since = world.get(f"/v1/documents?updatedAfter={listed.ok()['data'][0]['updatedAt'].replace('+', '%2B')}")
    assert since.headers["signalpost-sequence"] == "4"


@pytest.mark.slow
def test_the_program_of_the_guide_has_a_complete_copy_whatever_is_written_meanwhile(
    make_world: Callable[..., World], tmp_path: Path
) -> None:
    """The program is the guide's to the letter."""
    world = make_world()
    made = [world.create_document(title=f"no. {number}")["externalId"] for number in range(600)]
    [program] = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    load, follow = program.split("sequence = follow(load())")
    file = tmp_path / "copy.py"
    ends = (
        "sequence = load()\nprint('loaded', flush=True)\ninput()\nsequence = follow(sequence)\nprint(json.dumps(copy))"
    )
    file.write_text(load + ends + follow)
    environment = {**os.environ, "SIGNALPOST_URL": f"http://127.0.0.1:{world.port}", "SIGNALPOST_KEY": world.key}
    is_over = threading.Event()

    def write() -> None:
        client, number = world.another(), 0
        while not is_over.is_set():
            number += 1
            client.send("PATCH", f"/v1/documents/{made[number * 7 % 590]}", {"title": f"changed {number}"}).ok()
            if number <= 10:
                client.send("DELETE", f"/v1/documents/{made[-number]}")
                client.send("POST", "/v1/documents", dict(World.document)).ok(201)
        client.close()

    writer = threading.Thread(target=write)
    writer.start()
    command = [sys.executable, str(file)]
    with subprocess.Popen(command, env=environment, stdin=-1, stdout=-1, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "loaded\n"
        is_over.set()
        writer.join()
        copy = json.loads(running.communicate("\n")[0])
    wanted: dict[str, Any] = {}
    cursor: Any = ""
    while cursor is not None:
        listed = world.get(f"/v1/documents?limit=250{cursor and f'&cursor={cursor}'}").ok()
        wanted |= {each["externalId"]: each for each in listed["data"]}
        cursor = listed["next"]
    for document in wanted.values():
        del document["updatedAt"]
    assert copy == wanted
