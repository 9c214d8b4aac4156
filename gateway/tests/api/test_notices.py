"""Notices: what is wrong is listed, told to a webhook of the tenant `operations`, and told again when it is over."""

import asyncio
import hmac
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import pytest
from gateway.tests.api.moved_clock import MovedClock
from gateway.tests.api.two_tenants import in_tenant, make_key, make_tenant
from gateway.tests.http_server import LocalServer, QuietHandler
from gateway.tests.patience import PATIENCE

from signalpost.domain.timestamps import SECOND
from signalpost.sender.addresses import THIS_MACHINE

if TYPE_CHECKING:
    from gateway.tests.api.conftest import World

OPERATIONS = in_tenant("operations")
MINUTE = 60 * SECOND
SECRET = "a secret of ours"


class ReceivedNotice(NamedTuple):
    body: bytes
    signature: str

    @property
    def notice(self) -> dict[str, Any]:
        event = msgspec.json.decode(self.body)
        assert event["type"] == "notice"
        notice: dict[str, Any] = event["data"]["notice"]
        return notice


class Pager:
    """A receiver that takes everything."""

    def __init__(self) -> None:
        received = self.received = SimpleQueue[ReceivedNotice]()

        class Handler(QuietHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                received.put(ReceivedNotice(body, self.headers["plexus-webhook-signature"]))
                self.send_response(204)
                self.end_headers()

        self.server = LocalServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"


@pytest.fixture
def pager() -> Iterator[Pager]:
    pager = Pager()
    Thread(target=pager.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield pager
    pager.server.shutdown()
    pager.server.server_close()


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
def world(make_world: Callable[..., "World"], clock: MovedClock) -> "World":
    return make_world(clock=clock, allow_targets=THIS_MACHINE, retry_delays=(86_400,))


def look(world: "World", clock: MovedClock, after: int = 0) -> None:
    """Have the gateway look at what is wrong, when some time has gone by."""
    clock.move(after)
    asyncio.run_coroutine_threadsafe(world.gateway._engine.watch.look(), world.loop).result(PATIENCE)


def subscribe(world: "World", pager: Pager, **members: Any) -> dict[str, Any]:
    body = {"url": pager.url, "eventTypes": ["notice"], "secret": SECRET, **members}
    made: dict[str, Any] = world.send("POST", "/v1/subscriptions", body, OPERATIONS).ok(201)
    return made


def failing(world: "World", url: str, tenant: str = "default") -> dict[str, Any]:
    """A subscription of which the first attempt has failed."""
    there = in_tenant(tenant)
    body = {**world.subscription, "url": f"{url}/500", "status": "active", "name": "Acme"}
    made: dict[str, Any] = world.send("POST", "/v1/subscriptions", body, there).ok(201)
    world.send("POST", "/v1/documents", dict(world.document), there).ok(201)
    path = f"/v1/subscriptions/{made['id']}"
    world.wait_until(lambda: world.get(path, **there).ok()["health"]["failingSince"])
    return made


def test_what_is_wrong_is_told_once_it_has_lasted_and_again_when_it_is_over(
    world: "World", clock: MovedClock, pager: Pager, url: str
) -> None:
    subscribe(world, pager)
    broken = failing(world, url)
    look(world, clock, MINUTE)
    assert world.get("/v1/notices").ok() == {"data": [], "next": None}

    look(world, clock, 2 * MINUTE)
    [shown] = world.get("/v1/notices").ok()["data"]
    assert (shown["kind"], shown["severity"], shown["toldAt"]) == ("subscriptionFailing", "warning", None)
    assert shown["subject"] == {"type": "subscription", "id": broken["id"], "name": "Acme", "tenant": "default"}
    assert "Nothing reaches the endpoint of Acme." in shown["sentence"]
    assert shown["url"].endswith(f"/console/t/default/subscriptions/{broken['id']}")

    look(world, clock, MINUTE)
    sent = pager.received.get(timeout=PATIENCE)
    assert sent.signature == hmac.new(SECRET.encode(), sent.body, "sha512").hexdigest()
    assert (sent.notice["what"], sent.notice["action"], sent.notice["count"]) == ("opened", "trigger", 1)
    assert sent.notice["subjects"] == [shown["subject"]]
    look(world, clock, MINUTE)

    world.send("PATCH", f"/v1/subscriptions/{broken['id']}", {"status": "paused"}).ok()
    look(world, clock)
    [gone] = world.get("/v1/notices").ok()["data"]
    assert gone["goneSince"] is not None
    look(world, clock, 11 * MINUTE)
    closed = pager.received.get(timeout=PATIENCE).notice
    assert (closed["what"], closed["action"], closed["count"]) == ("closed", "resolve", 1)
    assert world.get("/v1/notices").ok()["data"] == []
    assert pager.received.empty()


def test_a_condition_on_notices_chooses_some_and_says_why_of_the_others(
    world: "World", clock: MovedClock, pager: Pager, url: str
) -> None:
    chosen = subscribe(world, pager, when={"field": "notice.kind", "in": ["diskLow", "subscriptionDisabled"]})
    failing(world, url)
    look(world, clock, 3 * MINUTE)
    look(world, clock, MINUTE)
    [entry] = world.get("/v1/events", **OPERATIONS).ok()["data"]
    assert entry["event"]["type"] == "notice"
    path = f"/v1/subscriptions/{chosen['id']}"
    world.wait_until(lambda: world.get(path, **OPERATIONS).ok()["health"]["lag"] == 0)
    assert pager.received.empty()
    world.send("POST", f"{path}/test", {}, OPERATIONS).ok()
    assert pager.received.get(timeout=PATIENCE).notice["sentence"].startswith("Sample:")


@pytest.mark.parametrize(
    ("field", "given", "said"),
    [
        ("notice.kind", "diskLo", "There is no kind of notice 'diskLo'; did you mean diskLow?"),
        ("notice.severity", "fatal", "There is no severity 'fatal'"),
    ],
)
def test_a_condition_on_a_kind_of_notice_that_there_is_not_is_refused(
    world: "World", field: str, given: str, said: str
) -> None:
    """A condition on a name that nothing has would let no notice through, and no one would ever be told."""
    base = {**world.subscription, "eventTypes": ["notice"]}
    for when, at in (
        ({"field": field, "is": given}, "/when/is"),
        ({"any": [{"field": field, "notIn": [given]}]}, "/when/any/0/notIn/0"),
    ):
        problem = world.refuses("POST", "/v1/subscriptions", {**base, "when": when}, at=(at,), headers=OPERATIONS)
        [error] = problem["errors"]
        assert error["code"] == "not_allowed"
        assert error["detail"].startswith(said)


def test_nothing_is_told_of_what_operations_has_itself(
    world: "World", clock: MovedClock, pager: Pager, url: str
) -> None:
    world.send("POST", "/v1/subscriptions", {"url": f"{url}/500", "eventTypes": ["notice"]}, OPERATIONS).ok(201)
    failing(world, url)
    for after in (3, 1, 3, 1):
        look(world, clock, after * MINUTE)
    [shown] = world.get("/v1/notices").ok()["data"]
    assert shown["subject"]["tenant"] == "default"


def test_notices_are_written_and_delivered_while_documents_are_refused(
    make_world: Callable[..., "World"], clock: MovedClock, pager: Pager
) -> None:
    world = make_world(clock=clock, allow_targets=THIS_MACHINE, disk_reserve_mb=100_000_000)
    subscribe(world, pager)
    world.send("POST", "/v1/documents", dict(world.document)).refused(503)
    look(world, clock)
    look(world, clock, MINUTE)
    told = {pager.received.get(timeout=PATIENCE).notice["kind"] for _ in range(2)}
    assert told == {"diskLow", "refusesDocuments"}


def test_nobody_is_reminded_of_what_is_muted(world: "World", clock: MovedClock, pager: Pager, url: str) -> None:
    subscribe(world, pager)
    failing(world, url)
    look(world, clock, 3 * MINUTE)
    look(world, clock, MINUTE)
    pager.received.get(timeout=PATIENCE)
    [shown] = world.get("/v1/notices").ok()["data"]
    assert world.send("POST", f"/v1/notices/{shown['id']}/mute", {"hours": 48}).status == 204
    look(world, clock, 25 * 60 * MINUTE)
    [shown] = world.get("/v1/notices").ok()["data"]
    assert shown["mutedUntil"] is not None
    assert len(world.get("/v1/events", **OPERATIONS).ok()["data"]) == 1
    assert world.send("POST", f"/v1/notices/{shown['id']}/mute", {"hours": 0}).status == 204
    look(world, clock)
    assert pager.received.get(timeout=PATIENCE).notice["what"] == "still"


def test_a_mute_that_makes_no_sense_is_refused(world: "World") -> None:
    absent = "/v1/notices/01a20e98-25ba-7b43-8f2d-f3d7f20c1d84/mute"
    for hours in (-1, 721, "8"):
        world.refuses("POST", absent, {"hours": hours}, at=("/hours",))
    world.refuses("POST", absent, {"hours": 8}, status=404, code="notice_not_found")


def test_operators_see_everything_and_others_what_is_about_their_tenant(
    world: "World", clock: MovedClock, url: str
) -> None:
    for name in ("mine", "yours"):
        make_tenant(world, name)
        failing(world, url, name)
    look(world, clock, 3 * MINUTE)
    assert {each["subject"]["tenant"] for each in world.get("/v1/notices").ok()["data"]} == {"mine", "yours"}
    for role in ("viewer", "subscriber"):
        [shown] = world.send("GET", "/v1/notices", None, make_key(world, role, "mine")).ok()["data"]
        assert shown["subject"]["tenant"] == "mine"
        muted = world.send("POST", f"/v1/notices/{shown['id']}/mute", {"hours": 1}, make_key(world, role, "mine"))
        muted.refused(403)
    world.send("GET", "/v1/notices", None, make_key(world, "app", "mine")).refused(403)


def test_notices_are_subscribed_to_in_operations_alone_and_documents_nowhere_there(world: "World") -> None:
    world.refuses("POST", "/v1/subscriptions", {**world.subscription, "eventTypes": ["notice"]}, at=("/eventTypes",))
    body = {**world.subscription, "eventTypes": ["documentCreated"]}
    world.refuses("POST", "/v1/subscriptions", body, at=("/eventTypes",), headers=OPERATIONS)
    made = world.create_subscription()
    patch = {"eventTypes": ["documentCreated", "notice"]}
    world.refuses("PATCH", f"/v1/subscriptions/{made['id']}", patch, at=("/eventTypes",))
    code = "tenant_takes_no_documents"
    world.refuses("POST", "/v1/documents", dict(world.document), status=409, headers=OPERATIONS, code=code)


def test_operations_is_listed_and_neither_made_nor_deleted(world: "World") -> None:
    assert "operations" in [each["name"] for each in world.get("/v1/tenants").ok()["data"]]
    world.refuses("POST", "/v1/tenants", {"name": "operations"}, status=409, code="tenant_exists")
    path = "/v1/tenants/operations?confirm=operations"
    world.refuses("DELETE", path, status=409, code="tenant_is_reserved")
