"""Subscriptions whose customers read their events: what is handed out and when, and what an acknowledgement settles."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from http.client import HTTPConnection
from itertools import count, takewhile
from typing import Any, NamedTuple

import pytest
from gateway.tests.api.conftest import Answer, Client, World
from gateway.tests.api.moved_clock import MovedClock
from gateway.tests.api.two_tenants import in_tenant, make_key, make_tenant
from gateway.tests.patience import PATIENCE
from gateway.tests.postgres import new_database

from signalpost.domain.timestamps import DAY, SECOND
from signalpost.sharing.shares import Caller
from signalpost_receiver import Receiver
from signalpost_receiver.sign import reader_key

EVERY = ["documentCreated", "documentUpdated", "documentDeleted"]
LEASE = 60
TENANT = 1
FACTS = {f"fact {number}": "x" * 4_096 for number in range(64)}
"""The most that an event can have."""
_DATABASES = count()
"""A worker may make the nodes more than once."""


class Reads(NamedTuple):
    """The customer of a subscription that is read."""

    client: Client
    made: Mapping[str, Any]
    key: str

    @property
    def path(self) -> str:
        return f"/v1/subscriptions/{self.made['id']}"

    def send(self, name: str, body: Any) -> Answer:
        return self.client.send("POST", f"{self.path}/{name}", body, {"authorization": f"Bearer {self.key}"})

    def poll(self, **asked: int) -> dict[str, Any]:
        answer: dict[str, Any] = self.send("poll", {"wait": 0, "lease": LEASE, **asked}).ok()
        return answer

    def acknowledge(self, handed: Mapping[str, Any], **through: int) -> int:
        answer = self.send("acknowledge", {"receipt": handed["receipt"], **through})
        return int(answer.ok()["acknowledged"])

    def at(self, client: Client) -> "Reads":
        """The same at another node."""
        return self._replace(client=client)


def sequences(handed: Mapping[str, Any]) -> list[int]:
    return [each["sequence"] for each in handed["data"]]


def reader(world: World, tenant: str = "default", **given: Any) -> Reads:
    body = {"kind": "poll", "eventTypes": EVERY, **given}
    made = world.send("POST", "/v1/subscriptions", body, in_tenant(tenant)).ok(201)
    return Reads(world, made, made["readerKey"])


def skip_backlog(client: Client, mine: Reads) -> None:
    for given in ({"status": "paused"}, {"status": "active", "skipBacklog": True}):
        assert client.send("PATCH", mine.path, given).status == 200


class Nodes(NamedTuple):
    """A gateway, and another node of it; the same one twice on SQLite."""

    one: World
    other: World
    clock: MovedClock


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def nodes(request: pytest.FixtureRequest, make_world: Callable[..., World]) -> Nodes:
    clock = MovedClock()
    if request.param == "sqlite":
        made = make_world(clock=clock)
        return Nodes(made, made, clock)
    shared: dict[str, Any] = {
        "database_url": new_database(f"_polls_{next(_DATABASES)}"),
        "master_key": (bytes(range(32)),),
        "operator_key": f"sp_{'k' * 43}",
        "public_url": "https://gateway.example.com",
    }
    return Nodes(make_world(**shared, clock=clock), make_world(**shared, clock=clock), clock)


@pytest.fixture
def world(nodes: Nodes) -> World:
    return nodes.one


def test_events_are_handed_out_in_order_and_are_there_until_they_are_acknowledged(nodes: Nodes) -> None:
    mine = reader(nodes.one)
    assert mine.at(nodes.other).poll()["data"] == []  # another node knows it at once
    made = [nodes.one.create_document(title=f"number {number}")["externalId"] for number in range(3)]
    handed = mine.poll(limit=2)
    bodies = [json.loads(each["body"]) for each in handed["data"]]
    assert [each["data"]["document"]["externalId"] for each in bodies] == made[:2]
    assert mine.poll()["data"] == []  # they are leased, and what follows comes after them
    assert mine.at(nodes.other).acknowledge(handed) == 2
    rest = mine.at(nodes.other).poll()
    assert [json.loads(each["body"])["data"]["document"]["externalId"] for each in rest["data"]] == made[2:]
    assert mine.acknowledge(rest) == 1
    assert mine.acknowledge(rest) == 0  # its answer may have been lost
    assert mine.poll()["data"] == []


def test_every_event_verifies_as_a_delivery_does_with_both_secrets_of_a_rotation(nodes: Nodes) -> None:
    world = nodes.one
    mine = reader(world)
    world.create_document(title="Ünïcode “quotes” \u2028")
    rotated = world.send("POST", f"{mine.path}/secret/rotate", {}).ok()
    assert mine.key == reader_key(mine.made["secret"])
    assert rotated["readerKey"] == reader_key(rotated["secret"])
    handed = mine._replace(key=rotated["readerKey"]).poll()
    [event] = handed["data"]
    for secret in (mine.made["secret"], rotated["secret"]):
        kit = Receiver(
            secrets=[secret], max_age=timedelta(days=9999), skew=timedelta(days=9999), remember=timedelta(days=99999)
        )
        assert kit.verify(event["body"].encode(), event["headers"]).sequence == event["sequence"]
    assert mine.acknowledge(handed) == 1  # with the old key, too
    assert world.send("POST", f"{mine.path}/secret/promote").status == 200
    for node in (nodes.other, world):
        mine.at(node).send("poll", {"wait": 0}).refused(401)
    assert mine._replace(key=rotated["readerKey"]).poll()["data"] == []
    world.send("POST", f"{mine.path}/secret/rotate", {"secret": "a secret of ours"}).refused(422, "/secret")


def test_what_is_not_acknowledged_in_time_is_handed_out_again(nodes: Nodes) -> None:
    mine = reader(nodes.one)
    for number in range(3):
        nodes.one.create_document(title=f"number {number}")
    first = mine.poll()
    nodes.clock.move(LEASE * SECOND)
    again = mine.at(nodes.other).poll()
    assert sequences(again) == sequences(first)
    assert [each["headers"]["signalpost-attempt"] for each in again["data"]] == ["2"] * 3
    mine.send("acknowledge", {"receipt": first["receipt"]}).refused(409, code="lease_over")
    assert mine.acknowledge(again, through=sequences(again)[0]) == 1
    rest = mine.poll()  # given back, so at once
    assert sequences(rest) == sequences(first)[1:]
    nodes.clock.move(LEASE * SECOND)
    assert mine.acknowledge(rest) == 2  # late, and nobody was handed them meanwhile
    assert mine.poll()["data"] == []


def test_deliveries_and_health_say_what_was_read(nodes: Nodes) -> None:
    mine = reader(nodes.one, when={"field": "document.title", "contains": "wanted"})
    for title in ("wanted 1", "other", "wanted 2", "wanted 3"):
        nodes.one.create_document(title=title)
    handed = mine.poll(limit=2)
    for node in (nodes.one, nodes.other):
        health = node.get(mine.path).ok()["health"]
        assert (health["state"], health["reading"]["handedOut"], health["lag"]) == ("healthy", 2, 3)
        assert health["reading"]["leasedUntil"]
        assert health["reading"]["waitsSince"]
    mine.acknowledge(handed)
    listed = nodes.other.get(f"{mine.path}/deliveries").ok()["data"]
    assert [each["status"] for each in listed if each["status"] != "skipped"] == ["pending", "delivered", "delivered"]
    delivered = next(each for each in listed if each["status"] == "delivered")
    shown = nodes.one.get(f"{mine.path}/deliveries/{delivered['eventId']}").ok()
    [attempt] = shown["attempts"]
    assert attempt["error"] is None
    assert nodes.other.get(f"{mine.path}/deliveries/{delivered['eventId']}/evidence").status == 200
    mine.acknowledge(mine.poll())
    health = nodes.one.get(mine.path).ok()["health"]
    assert (health["lag"], health["waiting"], health["reading"]["handedOut"]) == (0, 0, 0)
    assert health["reading"]["acknowledgedAt"]
    assert health["reading"]["leasedUntil"] is None


def test_conditions_types_and_delays_count_as_for_every_subscription(nodes: Nodes) -> None:
    wanted = reader(nodes.one, eventTypes=["documentUpdated"])
    delayed = reader(
        nodes.one,
        eventTypes=["documentCreated"],
        after={"seconds": 86_400, "if": {"field": "document.title", "is": "stays"}},
    )
    stays = nodes.one.create_document(title="stays")
    changes = nodes.one.create_document(title="stays")
    changed = nodes.one.send("PATCH", f"/v1/documents/{changes['externalId']}", {"title": "changed"})
    assert changed.status == 200
    [update] = wanted.poll()["data"]
    assert json.loads(update["body"])["type"] == "documentUpdated"
    assert delayed.poll()["data"] == []
    nodes.clock.move(2 * DAY)  # the database may have a clock of its own
    handed = delayed.poll()
    assert [json.loads(e["body"])["data"]["document"]["externalId"] for e in handed["data"]] == [stays["externalId"]]
    delayed.acknowledge(handed)
    listed = nodes.one.get(f"{delayed.path}/deliveries").ok()["data"]
    assert sorted(each["status"] for each in listed) == ["delivered", "skipped"]


def test_a_paused_one_hands_out_nothing_and_loses_nothing_unless_its_backlog_is_skipped(world: World) -> None:
    mine = reader(world, status="paused")
    world.create_document()
    handed = mine.poll()
    assert (handed["data"], handed["status"]) == ([], "paused")
    assert world.send("PATCH", mine.path, {"status": "active"}).status == 200
    assert len(mine.poll()["data"]) == 1
    assert world.send("PATCH", mine.path, {"status": "paused"}).status == 200
    world.create_document()
    assert world.send("PATCH", mine.path, {"status": "active", "skipBacklog": True}).status == 200
    assert mine.poll()["data"] == []
    world.create_document()
    assert len(mine.poll()["data"]) == 1


def test_an_acknowledgement_settles_nothing_of_a_backlog_that_was_skipped_meanwhile(world: World) -> None:
    mine = reader(world)
    world.create_document()
    handed = mine.poll()
    skip_backlog(world, mine)
    assert mine.acknowledge(handed) == 0
    assert mine.poll()["data"] == []
    assert world.get(f"{mine.path}/deliveries").ok()["data"] == []
    event_id = handed["data"][0]["headers"]["webhook-id"]
    told = world.get(f"/v1/deliveries?eventId={event_id}&limit=250").ok()["data"]
    assert {each["subscriptionId"]: each["cause"]["code"] for each in told}[mine.made["id"]] == "backlog_skipped"


def test_what_was_handed_out_of_a_backlog_that_is_skipped_waits_no_more(nodes: Nodes) -> None:
    mine = reader(nodes.one, eventTypes=["documentCreated"])
    for _ in range(3):
        nodes.one.create_document()
    handed = mine.poll(limit=2)
    skip_backlog(nodes.one, mine)
    event_id = handed["data"][0]["headers"]["webhook-id"]
    for node in (nodes.one, nodes.other):
        health = node.get(mine.path).ok()["health"]
        assert (health["lag"], health["waiting"], health["reading"]["handedOut"]) == (0, 0, 0)
        assert (health["reading"]["leasedUntil"], health["reading"]["waitsSince"]) == (None, None)
        assert node.get(f"{mine.path}/deliveries").ok()["data"] == []
        assert node.get(f"{mine.path}/deliveries?status=pending").ok()["data"] == []
        told = node.get(f"/v1/deliveries?eventId={event_id}&limit=250").ok()["data"]
        assert {each["subscriptionId"]: each["cause"]["code"] for each in told}[mine.made["id"]] == "backlog_skipped"
    made = nodes.one.create_document()
    for node in (nodes.one, nodes.other):
        health = node.get(mine.path).ok()["health"]
        assert (health["lag"], health["waiting"], health["reading"]["waitsSince"]) == (1, 0, made["createdAt"])
    assert mine.acknowledge(mine.poll()) == 1


def test_it_waits_since_the_oldest_event_that_was_of_a_wanted_type_when_it_was_made(nodes: Nodes) -> None:
    mine = reader(nodes.one, eventTypes=["documentUpdated"])
    document = nodes.one.create_document()
    path = f"/v1/documents/{document['externalId']}"
    changed = nodes.one.send("PATCH", path, {"title": "changed"}).ok()
    assert nodes.one.send("PATCH", mine.path, {"eventTypes": ["documentDeleted"]}).status == 200
    assert nodes.one.send("DELETE", path).status == 204
    for node in (nodes.one, nodes.other):
        assert node.get(mine.path).ok()["health"]["reading"]["waitsSince"] == changed["updatedAt"]
    updated = mine.poll(limit=1)
    mine.acknowledge(updated)
    deleted = mine.poll()
    assert [json.loads(each["data"][0]["body"])["type"] for each in (updated, deleted)] == [
        "documentUpdated", "documentDeleted",
    ]  # fmt: skip


def test_who_waits_is_answered_once_something_comes(nodes: Nodes) -> None:
    mine, found = reader(nodes.one), []
    another = nodes.other.another()
    waiting = threading.Thread(target=lambda: found.append(mine.at(another).poll(wait=30)))
    waiting.start()
    nodes.one.create_document()
    waiting.join()
    another.close()
    handed = found[0] if found[0]["data"] else mine.poll(wait=30)  # on a slow machine its time may be over
    assert mine.acknowledge(handed) == 1


def test_two_readers_are_never_handed_the_same_event(nodes: Nodes) -> None:
    mine, count = reader(nodes.one), 40
    got: list[list[int]] = [[], []]

    def read(number: int, client: Client) -> None:
        own = mine.at(client)
        while sum(map(len, got)) < count:
            handed = own.poll(limit=3)
            if handed["data"]:
                got[number] += sequences(handed)
                own.acknowledge(handed)

    clients = [nodes.one.another(), nodes.other.another()]
    threads = [threading.Thread(target=read, args=each) for each in enumerate(clients)]
    for thread in threads:
        thread.start()
    for _ in range(count):
        nodes.one.create_document()
    for thread in threads:
        thread.join()
    for client in clients:
        client.close()
    assert sorted(got[0] + got[1]) == sorted({*got[0], *got[1]})
    assert len(got[0] + got[1]) == count
    assert all(each == sorted(each) for each in got)


def test_the_key_of_a_reader_opens_nothing_else(world: World) -> None:
    mine, another = reader(world), reader(world)
    own = {"authorization": f"Bearer {mine.key}"}
    world.get(mine.path, **own).refused(403, code="role_not_allowed")
    world.get("/v1/events", **own).refused(403)
    world.send("DELETE", mine.path, None, own).refused(403)
    world.send("POST", f"{another.path}/poll", {"wait": 0}, own).refused(404)
    world.send("POST", f"{mine.path}/poll", {"wait": 0}).refused(403)  # nor does an operator read
    world.send("POST", f"{mine.path}/poll", {"wait": 0}, make_key(world, "subscriber", "default")).refused(403)
    assert world.send("DELETE", mine.path).status == 204
    mine.send("poll", {"wait": 0}).refused(401)


def test_readers_of_two_tenants_know_nothing_of_each_other(world: World) -> None:
    make_tenant(world, "polls-a")
    mine = reader(world, "polls-a")
    world.create_document()  # of another tenant
    assert mine.poll()["data"] == []
    world.send("POST", "/v1/documents", dict(World.document), in_tenant("polls-a")).ok(201)
    assert len(mine.poll()["data"]) == 1


def test_nothing_is_sent_so_nothing_is_sent_again(world: World) -> None:
    mine = reader(world)
    world.create_document()
    event = json.loads(mine.poll()["data"][0]["body"])["id"]
    world.send("POST", f"{mine.path}/test", {}).refused(409, code="is_read")
    world.send("POST", f"{mine.path}/preview", {"eventId": event}).refused(409, code="is_read")
    world.send("POST", f"{mine.path}/deliveries/{event}/retry").refused(409, code="is_read")
    span = {"from": "2020-01-01T00:00:00Z", "to": "2099-01-01T00:00:00Z", "status": "all"}
    world.send("POST", f"{mine.path}/replays", span).refused(409, code="is_read")
    shadow = {"shadowOf": mine.made["id"], "url": "https://new.example/hook"}
    world.send("POST", "/v1/subscriptions", shadow).refused(422, "/shadowOf")
    for member, value in (("url", "https://a.example"), ("ordering", "loose"), ("rateLimit", 5), ("retryDelays", [1])):
        world.send("PATCH", mine.path, {member: value}).refused(422, f"/{member}")
    assert world.send("PATCH", mine.path, {"name": "Behind a firewall"}).ok()["name"] == "Behind a firewall"


def test_earlier_events_are_read_by_one_that_begins_in_the_past(world: World) -> None:
    before = world.create_document()
    mine = reader(world, startsAfter=0)
    bodies = [json.loads(each["body"]) for each in mine.poll(limit=250)["data"]]
    assert before["externalId"] in {each["data"]["document"]["externalId"] for each in bodies}


def test_what_was_erased_is_not_read(nodes: Nodes) -> None:
    mine = reader(nodes.one)
    gone = nodes.one.create_document(title="secret agreement")["externalId"]
    stays = nodes.one.create_document()["externalId"]
    handed = mine.poll(limit=1)
    assert gone in handed["data"][0]["body"]
    assert nodes.one.send("DELETE", f"/v1/documents/{gone}").status == 204
    erasure = nodes.one.send("POST", f"/v1/documents/{gone}/erase")
    assert erasure.status == 202, erasure.body
    nodes.clock.move(LEASE * SECOND)
    again = mine.at(nodes.other).poll()
    assert [json.loads(each["body"])["data"]["document"]["externalId"] for each in again["data"]] == [stays]


def test_what_is_left_of_a_page_comes_before_what_follows_if_the_first_of_it_was_erased(nodes: Nodes) -> None:
    """An acknowledgement of what follows does not settle it."""
    mine = reader(nodes.one)
    made = [nodes.one.create_document()["externalId"] for _ in range(4)]
    handed = sequences(mine.poll())
    for gone in made[:2]:
        assert nodes.one.send("DELETE", f"/v1/documents/{gone}").status == 204
        assert nodes.one.send("POST", f"/v1/documents/{gone}/erase").status == 202
    later = nodes.one.create_document()["externalId"]
    nodes.clock.move(LEASE * SECOND)
    rest = mine.poll(limit=2)
    assert sequences(rest) == handed[2:]
    assert mine.acknowledge(rest) == 2
    [last] = mine.poll()["data"]
    assert json.loads(last["body"])["data"]["document"]["externalId"] == later


def test_bad_input_is_named(world: World) -> None:
    mine = reader(world)
    mine.send("poll", {"limit": 0, "wait": 31, "lease": 0}).refused(422, "/lease", "/limit", "/wait")
    mine.send("poll", {"after": 5}).refused(422, "/after")
    mine.send("acknowledge", {}).refused(422, "/receipt")
    mine.send("acknowledge", {"receipt": "7"}).refused(422, "/receipt")
    mine.send("acknowledge", {"receipt": "01a20e92-1d5f-76d4-985f-8a63b2c66f94"}).refused(409, code="lease_over")
    for member in ("url", "secret", "connection", "headers", "retryDelays"):
        body = {"kind": "poll", "eventTypes": EVERY, member: "x"}
        world.send("POST", "/v1/subscriptions", body).refused(422, f"/{member}")


# --- While a reader waits ---------------------------------------------------------------------------------------------


@contextmanager
def waiting(mine: Reads) -> Iterator[None]:
    """A reader that waits at a node until it hangs up."""
    connection = HTTPConnection("127.0.0.1", mine.client.port, timeout=PATIENCE)
    headers = {"authorization": f"Bearer {mine.key}", "content-type": "application/json"}
    connection.request("POST", f"{mine.path}/poll", json.dumps({"wait": 30}), headers)
    try:
        yield
    finally:
        connection.close()


def places_taken(world: World) -> int:
    return world.gateway._services.limits.readers.taken


def test_readers_who_wait_leave_connections_to_others_and_nothing_is_leased_to_who_is_gone(
    make_world: Callable[..., World],
) -> None:
    world = make_world(max_connections=20)
    mine, another = reader(world), reader(world)
    with ExitStack() as opened:
        for number in range(4):
            opened.enter_context(waiting(mine))
            world.wait_until(lambda: places_taken(world) == number + 1)  # noqa: B023  # it is called at once
        refused = mine.send("poll", {"wait": 30})
        refused.refused(429, code="too_many_readers")
        assert refused.headers["retry-after"]
        assert mine.poll()["data"] == []
    world.wait_until(lambda: not places_taken(world))
    world.create_document()
    for each in (mine, another):
        [event] = each.poll()["data"]
        assert event["headers"]["signalpost-attempt"] == "1"


@pytest.mark.parametrize(("ends", "status"), [("pause", 409), ("delete", 401), ("rotate", 401)])
def test_a_reader_who_waits_at_another_node_is_told_that_it_may_not_read_any_more(
    nodes: Nodes, ends: str, status: int
) -> None:
    tenant = f"waits-{ends}-{next(_DATABASES)}"
    make_tenant(nodes.one, tenant)
    mine, found = reader(nodes.one, tenant), []
    client = nodes.other.another()

    def read() -> None:
        while (answer := mine.at(client).send("poll", {"wait": 30})).status == 200:
            pass
        found.append(answer)

    before = places_taken(nodes.other)
    waits = threading.Thread(target=read)
    waits.start()
    nodes.other.wait_until(lambda: places_taken(nodes.other) > before)
    headers = in_tenant(tenant)
    if ends == "pause":
        assert nodes.one.send("PATCH", f"/v1/tenants/{tenant}", {"status": "paused"}).status == 200
    elif ends == "delete":
        assert nodes.one.send("DELETE", mine.path, None, headers).status == 204
    else:
        nodes.one.send("POST", f"{mine.path}/secret/rotate", {"overlapHours": 0}, headers).ok()
    waits.join()
    client.close()
    found[0].refused(status)


@pytest.mark.parametrize("asks", ["poll", "acknowledge"])
def test_a_reader_whose_subscription_is_deleted_while_it_is_answered_is_told_that_its_key_ended(
    make_world: Callable[..., World], asks: str
) -> None:
    """Not that there is no such subscription: it may ask for no other."""
    world = make_world()
    mine, client, found = reader(world), world.another(), []
    world.create_document()
    handed = mine.poll()
    body = {"receipt": handed["receipt"]} if asks == "acknowledge" else {}
    call = threading.Thread(target=lambda: found.append(mine.at(client).send(asks, body)))
    with world.reading_nothing() as waits:
        call.start()
        world.wait_until(waits)
        assert world.send("DELETE", mine.path).status == 204
    call.join()
    client.close()
    found[0].refused(401, code="unknown_key")


def test_the_old_key_ends_with_the_overlap_of_a_rotation(nodes: Nodes) -> None:
    mine = reader(nodes.one)
    # The database may have a clock of its own, which other tests of these nodes did not move.
    rotated = nodes.one.send("POST", f"{mine.path}/secret/rotate", {"overlapHours": 7 * 24}).ok()
    assert mine.poll()["data"] == []
    nodes.clock.move(8 * DAY)
    mine.at(nodes.other).send("poll", {"wait": 0}).refused(401)
    assert mine._replace(key=rotated["readerKey"]).poll()["data"] == []


def test_what_is_large_is_handed_out_in_parts_and_none_is_left_out(world: World) -> None:
    mine, count = reader(world, eventTypes=["documentCreated"]), 5
    for _ in range(count):
        world.create_document(additionalFacts=FACTS)
    parts = []
    while (handed := mine.poll())["data"]:
        parts.append(len(handed["data"]))
        mine.acknowledge(handed)
    assert parts == [4, 1]


def others_take_all(world: World) -> list[Caller]:
    """Other keys of the tenant have all large answers that it may have."""
    large, others = world.gateway._services.limits.large_answers, map(_key_of_tenant, count())
    return [*takewhile(large.take, others)]


def _key_of_tenant(number: int) -> Caller:
    return Caller(TENANT, (TENANT, ("key", number)))


def test_what_cannot_be_answered_now_is_not_leased(make_world: Callable[..., World]) -> None:
    """The reader had to wait for the end of a lease that no one knew of."""
    world = make_world()
    mine, large = reader(world, eventTypes=["documentCreated"]), world.gateway._services.limits.large_answers
    world.create_document(additionalFacts=FACTS)
    others = others_take_all(world)
    mine.send("poll", {"wait": 0}).refused(429, code="too_many_answers")
    for each in others:
        large.give_back(each)
    [event] = mine.poll()["data"]
    assert event["headers"]["signalpost-attempt"] == "1"
    world.wait_until(lambda: not large.taken)


def test_a_page_that_is_small_needs_no_room_among_large_answers(make_world: Callable[..., World]) -> None:
    world = make_world()
    mine = reader(world)
    others_take_all(world)
    world.create_document()
    assert len(mine.poll()["data"]) == 1
