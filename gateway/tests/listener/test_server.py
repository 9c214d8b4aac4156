"""How a server stops: in order, and in bounded time."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import pytest
import uvloop
from gateway.tests.listener.applications import NOTHING
from gateway.tests.patience import PATIENCE
from gateway.tests.worker_on_loop import ALONE, LISTENING, ServerWithWorker

from signalpost.listener.application import Answer, App, ArrivingBody, Head, Steps
from signalpost.listener.server import Server
from signalpost.listener.serving import ServerSettings

REQUEST = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"


class Door:
    """An application that answers once it is opened."""

    def __init__(self) -> None:
        self.knocked, self.opened = asyncio.Event(), asyncio.Event()

    def __call__(self, _head: Head, _body: ArrivingBody) -> Steps:
        self.knocked.set()
        yield self.opened.wait()
        return NOTHING


Served = Server | ServerWithWorker
Serve = Callable[..., Served]


@pytest.fixture(params=LISTENING)
def served(request: pytest.FixtureRequest) -> Serve:
    """Makes a server."""

    def make(app: App, stop_seconds: float, last_words_seconds: float = 1.0) -> Served:
        settings = ServerSettings(max_connections=100, stop_seconds=stop_seconds, last_words_seconds=last_words_seconds)
        listener = socket.create_server(("127.0.0.1", 0))
        return (Server if request.param == ALONE else ServerWithWorker)(app, listener, settings)

    return make


async def connected(server: Served) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(*server.listener.getsockname())


def test_idle_connections_are_closed_and_nobody_new_is_let_in(served: Serve) -> None:
    async def scenario() -> None:
        server = served(Door(), PATIENCE)
        serving = asyncio.create_task(server.serve())
        address = server.listener.getsockname()
        reader, writer = await connected(server)
        while not server.connections:
            await asyncio.sleep(0)
        server.stop()
        assert await reader.read() == b""
        writer.close()
        await serving
        with socket.socket() as late:
            assert late.connect_ex(address) != 0

    asyncio.run(scenario())


async def answer_of(client: socket.socket) -> bytes:
    """Everything that the server sends until it closes the connection."""
    client.setblocking(False)
    reader, writer = await asyncio.open_connection(sock=client)
    answer = await reader.read()
    writer.close()
    return answer


def test_the_first_request_of_a_new_connection_is_answered_though_the_server_stops(served: Serve) -> None:
    """A balancer may have sent it before it could know."""

    async def scenario() -> None:
        door = Door()
        door.opened.set()
        server = served(door, PATIENCE)
        serving = asyncio.create_task(server.serve())
        client = socket.create_connection(server.listener.getsockname())
        while not server.connections:
            await asyncio.sleep(0)
        server.stop()
        while server.listener.fileno() >= 0:
            await asyncio.sleep(0)
        client.sendall(REQUEST)
        answer = await answer_of(client)
        assert answer.startswith(b"HTTP/1.1 204 ")
        assert b"\r\nconnection: close\r\n" in answer
        await serving

    asyncio.run(scenario())


def test_connections_that_wait_to_be_accepted_when_the_server_stops_are_answered(served: Serve) -> None:
    async def scenario() -> None:
        door = Door()
        door.opened.set()
        server = served(door, PATIENCE)
        serving = asyncio.create_task(server.serve())
        await answer_of(connected_with(server, REQUEST.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")))
        clients = [connected_with(server, REQUEST) for _ in range(60)]  # meanwhile the loop accepts nobody
        server.stop()
        answers = await asyncio.gather(*map(answer_of, clients))
        assert all(answer.startswith(b"HTTP/1.1 204 ") for answer in answers)
        await serving

    uvloop.run(scenario())  # the loop of `signalpost serve`, which accepts a few in each round


def connected_with(server: Served, request: bytes) -> socket.socket:
    """A client that has connected, as far as the system is concerned, and has sent a request."""
    client = socket.create_connection(server.listener.getsockname())
    client.sendall(request)
    return client


def test_a_request_in_progress_is_answered_first(served: Serve) -> None:
    async def scenario() -> None:
        door = Door()
        server = served(door, PATIENCE)
        serving = asyncio.create_task(server.serve())
        reader, writer = await connected(server)
        writer.write(REQUEST)
        await door.knocked.wait()
        server.stop()
        await asyncio.sleep(0.01)
        assert not serving.done()
        door.opened.set()
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 204 ")
        assert b"\r\nconnection: close\r\n" in answer
        writer.close()
        await serving

    asyncio.run(scenario())


def test_a_request_that_does_not_end_is_cut_off(served: Serve) -> None:
    async def scenario() -> None:
        door = Door()
        server = served(door, 0.01)
        serving = asyncio.create_task(server.serve())
        reader, writer = await connected(server)
        writer.write(REQUEST)
        await door.knocked.wait()
        server.stop()
        await serving
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()
        while server.connections:
            await asyncio.sleep(0)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "waits_for",
    [lambda: asyncio.Event().wait(), lambda: asyncio.get_running_loop().create_future()],
    ids=["a task", "a future"],
)
def test_a_request_that_is_cut_off_may_still_be_answered(
    served: Serve, waits_for: Callable[[], Awaitable[Any]]
) -> None:
    def apologetic(_head: Head, _body: ArrivingBody) -> Steps:
        try:
            knocked.set()
            yield waits_for()
        except asyncio.CancelledError:
            return Answer(503, (("content-length", "0"),))
        raise AssertionError("it was not cancelled")

    async def scenario() -> None:
        server = served(apologetic, 0.01)
        serving = asyncio.create_task(server.serve())
        reader, writer = await connected(server)
        writer.write(REQUEST)
        await knocked.wait()
        server.stop()
        assert (await reader.read()).startswith(b"HTTP/1.1 503 ")
        writer.close()
        await serving

    knocked = asyncio.Event()
    asyncio.run(scenario())


def test_a_stream_whose_client_reads_slowly_ends_whole_with_its_last_words(served: Serve) -> None:
    """The client has not read what was sent when the time is up, and reads on then."""
    stopped = asyncio.Event()

    async def parts() -> AsyncGenerator[bytes, None]:
        try:
            while True:
                yield b"x" * 100_000
        except asyncio.CancelledError:
            stopped.set()
            yield b"last words"

    def streaming(_head: Head, _body: ArrivingBody) -> Steps:
        yield from ()
        return Answer(200, (), parts())

    async def scenario() -> None:
        server = served(streaming, 0.01, PATIENCE)
        serving = asyncio.create_task(server.serve())
        reader, writer = await connected(server)
        writer.write(REQUEST)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        server.stop()
        async with asyncio.timeout(PATIENCE):
            await stopped.wait()
        assert (await reader.read()).endswith(b"\r\na\r\nlast words\r\n0\r\n\r\n")
        writer.close()
        await serving

    asyncio.run(scenario())


def test_what_stops_before_it_served_ends_at_once(served: Serve) -> None:
    async def scenario() -> None:
        server = served(Door(), PATIENCE)
        server.stop()
        await server.serve()

    asyncio.run(scenario())
