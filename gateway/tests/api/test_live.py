"""The stream of changes: it names what changed, tells nothing of it, and takes nothing from others."""

import asyncio
import json
import socket
from collections.abc import Callable
from contextlib import ExitStack
from itertools import pairwise
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self

import msgspec
import pytest
from gateway.tests.api.two_tenants import make_key, make_tenant
from gateway.tests.patience import PATIENCE
from gateway.tests.worker_on_loop import either_way
from hypothesis import given
from hypothesis import strategies as st

from signalpost.api.resources.live import MIN_PAUSE, TOLD_PER_SECOND, _Stream, pause_until_told
from signalpost.domain.access.api_key import ApiKey, Role
from signalpost.domain.access.tenant import Tenant
from signalpost.domain.errors import Unauthenticated
from signalpost.engine.directory import Directory
from signalpost.engine.revisions import Revisions
from signalpost.store.nouns.fleet import ALONE
from signalpost.store.store import PublishedBatch

if TYPE_CHECKING:
    from gateway.tests.api.conftest import World

listening = either_way


TOPICS = {"events", "deliveries", "subscriptions", "connections", "replays"}


class Viewer:
    """Follows what changes, over a connection of its own."""

    def __init__(self, world: "World", *headers: str, key: str | None = None, path: str = "/v1/live") -> None:
        self._socket = socket.create_connection(("127.0.0.1", world.port), timeout=PATIENCE)
        key = world.key if key is None else key
        lines = (f"GET {path} HTTP/1.1", "host: 127.0.0.1", f"authorization: Bearer {key}", *headers)
        self._socket.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
        self._file = self._socket.makefile("rb")
        self.status = int(self._file.readline().split()[1])
        while self._file.readline() != b"\r\n":
            pass
        self.last_id = ""
        self.said = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()

    def next(self) -> set[str] | None:
        """The topics of the next message; none where it says that nothing changed, None at the stream's end."""
        assert self.status == 200
        topics: set[str] = set()
        size = int(self._file.readline() or b"0", 16)
        if not size:
            return None
        for line in self._file.read(size + 2).splitlines():
            self.said += line + b"\n"
            name, _, value = line.decode().partition(": ")
            if name == "id":
                self.last_id = value
            if name == "data":
                topics |= set(json.loads(value)["topics"])
        return topics

    def until(self, topic: str) -> None:
        """Read on until a topic is named."""
        while topic not in (topics := self.next() or set()):
            assert topics <= TOPICS


@pytest.fixture(scope="module")
def world(make_world: Callable[..., "World"]) -> "World":
    return make_world(max_connections=12)


@pytest.fixture(autouse=True)
def nobody_watches(world: "World") -> None:
    """The streams of earlier tests are over: the world may have three."""
    world.wait_until(lambda: not world.gateway._services.limits.viewers.taken)


def test_what_changed_is_named_and_nothing_is_told_of_it(world: "World") -> None:
    with Viewer(world) as viewer:
        assert viewer.status == 200
        assert viewer.next() == set()
        world.create_document(title="Nobody's business")
        viewer.until("events")
        world.create_subscription(name="Nobody's either")
        viewer.until("subscriptions")
        assert b"business" not in viewer.said
        assert b"either" not in viewer.said


def test_what_changes_in_another_tenant_is_not_named(world: "World") -> None:
    world.send("POST", "/v1/tenants", {"name": "next-door"}).ok(201)
    with Viewer(world) as viewer:
        viewer.next()
        world.send("POST", "/v1/documents", dict(world.document), {"signalpost-tenant": "next-door"}).ok(201)
        world.create_subscription(name="A change of this tenant")
        assert viewer.next() == {"subscriptions"}


def test_a_stream_that_broke_off_goes_on_where_it_was(world: "World") -> None:
    with Viewer(world) as viewer:
        viewer.next()
    world.create_document()
    with Viewer(world, f"last-event-id: {viewer.last_id}") as again:
        assert again.next() == {"events"}
    with Viewer(world, f"last-event-id: {again.last_id}") as once_more:
        assert once_more.next() == set()


@pytest.mark.parametrize("elsewhere", ["0badcafe-1", "1", "x-y", f"{9**99}-{9**99}"])
def test_a_stream_of_another_process_may_have_missed_anything(world: "World", elsewhere: str) -> None:
    with Viewer(world, f"last-event-id: {elsewhere}") as viewer:
        assert viewer.next() == TOPICS


def test_a_stream_ends_with_its_key(world: "World") -> None:
    made: dict[str, Any] = world.send("POST", "/v1/keys", {"name": "leaves", "role": "viewer"}).ok(201)
    with Viewer(world, key=made["key"]) as viewer:
        viewer.next()
        world.send("DELETE", f"/v1/keys/{made['id']}")
        while viewer.next() is not None:
            pass


def test_many_who_watch_are_refused_before_they_take_what_others_need(world: "World") -> None:
    """Three of 12 connections may be streams, from whichever caller; one that is over makes room."""
    viewers = [Viewer(world) for _ in range(4)]
    assert [viewer.status for viewer in viewers] == [200, 200, 200, 429]
    assert world.get("/v1/overview").status == 200
    for viewer in viewers:
        viewer.__exit__()

    def has_room() -> bool:
        with Viewer(world) as viewer:
            return viewer.status == 200

    world.wait_until(has_room)


def test_the_viewers_of_a_tenant_leave_streams_to_others_however_many_keys_they_have(
    make_world: Callable[..., "World"],
) -> None:
    world = make_world(max_connections=20)
    make_tenant(world, "watches")
    keys = [make_key(world, "viewer", "watches")["authorization"].removeprefix("Bearer ") for _ in range(5)]
    with ExitStack() as opened:
        viewers = [opened.enter_context(Viewer(world, key=key)) for key in keys]
        assert [viewer.status for viewer in viewers] == [200, 200, 200, 200, 429]
        assert opened.enter_context(Viewer(world)).status == 200, "an operator, or anybody of another tenant"


def test_a_head_has_no_stream(world: "World") -> None:
    answer = world.send("HEAD", "/v1/live")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["content-type"] == "text/event-stream"


def test_an_app_which_reads_no_events_does_not_follow_them(world: "World") -> None:
    made = world.send("POST", "/v1/keys", {"name": "app", "role": "app"}).ok(201)
    assert world.get("/v1/live", authorization=f"Bearer {made['key']}").status == 403


@given(watching=st.integers(1, 64), tenant_id=st.integers(1, 10_000), opened=st.lists(st.floats(0, 1e7), min_size=2))
def test_all_who_watch_a_tenant_are_told_at_the_same_moments(
    watching: int, tenant_id: int, opened: list[float]
) -> None:
    between = max(MIN_PAUSE, watching / TOLD_PER_SECOND)
    told = [now + pause_until_told(now, tenant_id, watching) for now in opened]
    apart = [(each - told[0]) / between for each in told]
    assert all(abs(each - round(each)) < 1e-4 for each in apart)
    for now, moment in zip(opened, told, strict=True):
        assert between * 0.499 < moment - now < between * 1.501
    again = told[0] + pause_until_told(told[0], tenant_id, watching)
    assert again - told[0] == pytest.approx(between, abs=1e-3)


def test_tenants_are_told_one_after_the_other() -> None:
    moments = sorted(pause_until_told(1000.0, tenant_id, 20) % 5 for tenant_id in range(1, 11))
    assert min(later - earlier for earlier, later in pairwise(moments)) > 0.1


def test_a_stream_ends_as_soon_as_its_key_is_revoked_however_rarely_viewers_are_told() -> None:
    key = ApiKey(id="k", number=1, tenant_id=1, name="k", role=Role.VIEWER, hash=b"k", created_at=0, created_by=None)
    directory = Directory()
    directory.load([Tenant(id=1, name="t", created_at=0)], [key], [], [])

    async def check(_: object) -> None:
        found = directory.key(b"k")
        if found is None or found.revoked_at is not None:
            raise Unauthenticated("unknown_key", "It was revoked.")

    services: Any = SimpleNamespace(
        engine=SimpleNamespace(revisions=Revisions("a")),
        directory=directory,
        principals=SimpleNamespace(check=check),
        limits=SimpleNamespace(viewers=SimpleNamespace(taken=1_000_000)),
        store=SimpleNamespace(fleet=SimpleNamespace(terms=ALONE)),
    )
    context: Any = SimpleNamespace(
        services=services,
        tenant_id=1,
        principal=None,
        request=SimpleNamespace(body=SimpleNamespace(gone=lambda: asyncio.sleep(3600))),
    )

    async def watch() -> None:
        async for _ in _Stream(context).messages(None):
            pass

    async def scenario() -> None:
        watching = asyncio.create_task(watch())
        for each in (msgspec.structs.replace(key, name="another"), msgspec.structs.replace(key, revoked_at=1)):
            await asyncio.sleep(0.1)
            assert not watching.done()
            directory.follow(PublishedBatch((), rows={ApiKey: (each,)}))
        await asyncio.wait_for(watching, PATIENCE)

    asyncio.run(scenario())
