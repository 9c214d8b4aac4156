"""More changes than can be made: what is beyond is refused at once, and operators are served meanwhile."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from gateway.tests.api.two_tenants import make_key
from gateway.tests.patience import PATIENCE
from gateway.tests.worker_on_loop import either_way

from signalpost.asgi import Message
from signalpost.domain.errors import TooMany
from signalpost.engine.committer import MAX_BATCH
from signalpost.sharing import command_queues
from signalpost.sharing.command_queues import ALWAYS_ALLOWED, Queue
from signalpost.sharing.slots import share

if TYPE_CHECKING:
    from gateway.tests.api.conftest import World

listening = either_way


MOST = share(command_queues.MAX_WAITING[Queue.DOCUMENT], 0)


class Flood:
    """Fills the queue of documents while the database stands still, with some more that are refused and come again."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.made = 0
        self.refused = 0
        self._ended = False
        self._standing = contextlib.ExitStack()
        self._standing.enter_context(world.standing_still())
        self._creating = asyncio.run_coroutine_threadsafe(self._create_all(), world.loop)
        # The first batch is with the database, or rather is not; the others wait.
        world.wait_until(lambda: self.refused > 0 and world.waiting() == MOST)

    async def _create_all(self) -> None:
        await asyncio.gather(*(self._create() for _ in range(MOST + 2 * MAX_BATCH)))

    async def _create(self) -> None:
        while not self._ended:
            try:
                await _create(self.world)
                self.made += 1
            except TooMany:
                self.refused += 1
                await asyncio.sleep(0.02)

    def end(self) -> None:
        """Let all of it be committed."""
        self._ended = True
        self._standing.close()
        self._creating.result()


@pytest.fixture
def flood(make_world: Callable[..., "World"]) -> Iterator[Flood]:
    flood = Flood(make_world())
    yield flood
    flood.end()


def test_a_change_of_a_document_is_refused_before_its_body_is_read_and_told_when_to_come_again(flood: Flood) -> None:
    world = flood.world
    answer = world.send("POST", "/v1/documents", world.document)
    answer.refused(429, code="tenant_busy")
    assert int(answer.headers["retry-after"]) >= 1
    head = f"POST /v1/documents HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {world.key}\r\n"
    unsent = world.raw(head.encode() + b"content-type: application/json\r\ncontent-length: 1000000\r\n\r\n")
    assert unsent.startswith(b"HTTP/1.1 429 ")
    # Who may not change anything is told that first.
    assert world.send("POST", "/v1/documents", world.document, {"authorization": None}).status == 401


def test_whatever_is_read_is_answered_meanwhile(flood: Flood) -> None:
    for path in ("/health/live", "/health/ready", "/metrics", "/v1/documents", "/v1/subscriptions", "/v1/events"):
        assert flood.world.get(path).status == 200


def test_what_was_not_refused_is_made_and_operators_do_not_wait_behind_it(flood: Flood) -> None:
    world = flood.world
    with ThreadPoolExecutor() as elsewhere:
        subscribed = elsewhere.submit(_subscribe, world)
        world.wait_until(lambda: world.waiting() > MOST)
        flood.end()
        starts_after = subscribed.result()
    assert flood.made >= MOST
    assert world.last() == flood.made
    assert starts_after <= 3 * MAX_BATCH, "it was made with one of the next batches"


def _subscribe(world: "World") -> int:
    with contextlib.closing(world.another()) as other:
        answer = other.send("POST", "/v1/subscriptions", world.subscription)
    starts_after: int = answer.ok(201)["startsAfter"]
    return starts_after


def test_large_bodies_that_came_at_once_let_others_in_between(world: "World") -> None:
    """A thousand of them held up all else, deliveries too, for minutes."""
    large, small = b"[%b]" % (b" " * 100_000), b"[]"
    answered: list[bytes] = []

    async def ask(body: bytes) -> None:
        async def receive() -> Message:
            return {"type": "http.request", "body": body}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                answered.append(body)

        scope = {
            "type": "http",
            "method": "POST",
            "path": "/v1/documents",
            "query_string": b"",
            "headers": [(b"authorization", f"Bearer {world.key}".encode())],
        }
        await world.app(scope, receive, send)

    async def ask_all() -> None:
        await asyncio.gather(*(ask(body) for body in (*[large] * 20, small)))

    asyncio.run_coroutine_threadsafe(ask_all(), world.loop).result(PATIENCE)
    assert answered == [small, *[large] * 20]


def test_a_key_is_told_so_before_its_requests_have_every_connection(make_world: Callable[..., "World"]) -> None:
    """However fast they come: here all are there at once."""
    most = 40
    world = make_world(max_connections=most)
    other = make_key(world, "viewer", "default")
    with contextlib.ExitStack() as open_, ThreadPoolExecutor(most) as elsewhere:
        standing = open_.enter_context(contextlib.ExitStack())
        standing.enter_context(world.standing_still())
        clients = [open_.enter_context(contextlib.closing(world.another())) for _ in range(most - 4)]
        world.loop.call_soon_threadsafe(time.sleep, 0.5)
        asked = [elsewhere.submit(client.send, "POST", "/v1/documents", world.document) for client in clients]
        world.wait_until(lambda: any(each.done() for each in asked))
        assert world.get("/v1/subscriptions", **other).status == 200, "others find a connection"
        standing.close()
        statuses = [each.result().status for each in asked]
    assert set(statuses) == {201, 429}


def test_changes_are_refused_before_those_that_wait_keep_their_key_from_reading(
    make_world: Callable[..., "World"],
) -> None:
    most = 40
    world = make_world(max_connections=most)
    made = []
    with contextlib.ExitStack() as open_, ThreadPoolExecutor(most) as elsewhere:
        standing = open_.enter_context(contextlib.ExitStack())
        standing.enter_context(world.standing_still())
        clients = [open_.enter_context(contextlib.closing(world.another())) for _ in range(most - 4)]
        while world.waiting() < ALWAYS_ALLOWED:
            made.append(asyncio.run_coroutine_threadsafe(_create(world), world.loop))
        refused = [elsewhere.submit(client.send, "POST", "/v1/documents", world.document) for client in clients]
        for each in refused:
            each.result().refused(429)
        assert world.get("/v1/subscriptions").status == 200
        standing.close()
        for created in made:
            created.result()


async def _create(world: "World") -> None:
    await world.gateway.documents.create(type="NDA", title="One", owner_email="o@a.example", author_email="a@a.example")
