"""One deadline around everything (C15): whatever an endpoint does slowly, its attempt ends in time.

Never early, which is measured; and not late, which is told by the order of timers on the loop, so that no slow machine
counts as lateness.
"""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import pytest
from gateway.tests.patience import PATIENCE
from msgspec.structs import replace

from signalpost.domain.delivery.outcome import Failure, Outcome
from signalpost.domain.request import OutgoingRequest, Target
from signalpost.sender.resolver import LOOKUP_SECONDS

if TYPE_CHECKING:
    from gateway.tests.sender.conftest import Client, Run, Sending
    from gateway.tests.sender.endpoint import Endpoint, Peer

Serve = Callable[..., "Endpoint"]

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
TIMEOUT = 2.0
"""The seconds that an attempt has here: as many as a busy machine needs to bring the beginning of an answer."""
LATE = 0.1
"""50 ms are meant."""
pytestmark = pytest.mark.slow


async def cut_in_time(
    client: "Client", request: OutgoingRequest, status: int | None = None, seconds: float = TIMEOUT
) -> Outcome:
    outcome = await client.attempt(request, within=seconds + LATE)
    assert_cut(outcome, status, seconds)
    return outcome


def assert_cut(outcome: Outcome, status: int | None = None, seconds: float = TIMEOUT) -> None:
    assert (outcome.failure, outcome.status) == (Failure.TIMEOUT, status)
    assert outcome.elapsed_us >= seconds * 1e6
    assert outcome.detail.endswith(f" within {seconds:g} s.")


def silent(peer: "Peer") -> None:
    peer.hold()


def slow_head(peer: "Peer") -> None:
    peer.read_request()
    peer.drip(b"HTTP/1.1 200 OK\r\nx-slow: " + b"a" * 1000, 0.02)


def slow_body(peer: "Peer") -> None:
    peer.answer(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
    peer.drip(bytes(1000), 0.01)


def slow_chunks(peer: "Peer") -> None:
    peer.answer(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        peer.drip(b"1\r\na\r\n", 0.01)


def body_without_an_end(peer: "Peer") -> None:
    peer.answer(b"HTTP/1.1 200 OK\r\n\r\nok")
    peer.hold()


def interim_answers(peer: "Peer") -> None:
    peer.read_request()
    while True:
        peer.send(b"HTTP/1.1 103 Early\r\n\r\n")
        peer.pause(0.01)


def hold_up(seconds: float) -> None:
    time.sleep(seconds)


def reads_nothing(peer: "Peer") -> None:
    peer.pause(30)


def test_a_slow_answer_is_cut_at_the_deadline(run: "Run", serve: Serve, sending: "Sending") -> None:
    expected: dict[Callable[[Peer], None], int | None] = {
        silent: None,
        slow_head: None,
        interim_answers: None,
        slow_body: 200,
        slow_chunks: 200,
        body_without_an_end: 200,
    }
    endpoints = {script: serve(script) for script in expected}

    async def scenario() -> None:
        async with sending(*endpoints.values(), attempt_timeout=TIMEOUT) as client:

            async def ask(script: "Callable[[Peer], None]") -> None:
                outcome = await cut_in_time(client, endpoints[script].request(), expected[script])
                assert outcome.detail.startswith("No answer" if script is silent else "The answer was not complete")

            await asyncio.gather(*map(ask, expected))

    run(scenario())


def test_a_request_may_have_a_time_of_its_own(run: "Run", serve: Serve, sending: "Sending") -> None:
    """Whichever was sent first, each attempt is cut when its own time is over."""
    endpoint = serve(silent)

    async def scenario() -> None:
        async with sending(endpoint) as client:
            usual = client.start(endpoint.request())
            await cut_in_time(client, replace(endpoint.request(), seconds=TIMEOUT))
            assert not usual.done()
        async with sending(endpoint, attempt_timeout=TIMEOUT) as client:
            longer = client.start(replace(endpoint.request(), seconds=PATIENCE))
            await cut_in_time(client, endpoint.request())
            assert not longer.done()

    run(scenario())


def test_a_flood_of_interim_answers_ends_before_the_deadline(run: "Run", serve: Serve, sending: "Sending") -> None:
    def script(peer: "Peer") -> None:
        peer.read_request()
        while True:
            peer.send(b"HTTP/1.1 103 Early\r\n\r\n" * 100)

    endpoint = serve(script)

    async def scenario() -> None:
        async with sending(endpoint) as client:
            assert (await client.attempt(endpoint.request())).failure is Failure.PROTOCOL

    run(scenario())


@pytest.mark.parametrize("sending", ["alone"], indirect=True)
def test_a_request_that_is_not_read_is_cut_at_the_deadline(run: "Run", serve: Serve, sending: "Sending") -> None:
    endpoint = serve(reads_nothing)

    async def scenario() -> None:
        async with sending(endpoint, attempt_timeout=TIMEOUT) as client:
            # Eight times what an event may have (C13), which a slow machine takes long to hand to a worker.
            await cut_in_time(client, endpoint.request(bytes(8_000_000)))

    run(scenario())


def test_a_cut_attempts_connection_is_not_used_again(run: "Run", serve: Serve, sending: "Sending") -> None:
    late = threading.Event()

    def script(peer: "Peer") -> None:
        if peer.number == 0:
            peer.answer(OK)
            peer.read_request()
            late.wait()
            peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlate")
            peer.hold()
        while True:
            peer.answer(OK)

    endpoint = serve(script)

    async def scenario() -> None:
        async with sending(endpoint, attempt_timeout=TIMEOUT) as client:
            assert (await client.attempt(endpoint.request())).failure is None
            await cut_in_time(client, endpoint.request())
            late.set()
            outcome = await client.attempt(endpoint.request())
            assert (outcome.failure, outcome.answer, endpoint.connections) == (None, b"ok", 2)

    run(scenario())


def test_a_cut_attempts_connection_is_ended_at_once(run: "Run", serve: Serve, sending: "Sending") -> None:
    gone = threading.Event()

    def script(peer: "Peer") -> None:
        try:
            peer.hold()
        finally:
            gone.set()

    endpoint = serve(script)

    async def scenario() -> None:
        async with sending(endpoint, attempt_timeout=TIMEOUT) as client:
            await cut_in_time(client, endpoint.request())
            assert await asyncio.to_thread(gone.wait, PATIENCE), "the connection stays open"

    run(scenario())


def test_an_attempt_cut_before_its_connection_is_never_sent(run: "Run", serve: Serve, sending: "Sending") -> None:
    seconds = LOOKUP_SECONDS / 2  # a look-up alone is cut after `LOOKUP_SECONDS`

    async def resolve(host: str, port: int) -> Sequence[str]:
        await asyncio.sleep(seconds + LATE)
        return ["127.0.0.1"]

    endpoint = serve(OK)

    async def scenario() -> None:
        async with sending(endpoint, resolve=resolve, attempt_timeout=seconds) as client:
            await cut_in_time(client, endpoint.request(host="hooks.example"), seconds=seconds)
            await asyncio.sleep(0.3)
            assert endpoint.connections == 0

    run(scenario())


def test_a_slow_name_server_is_cut_before_the_deadline(run: "Run", serve: Serve, sending: "Sending") -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        await asyncio.sleep(30)
        return []

    endpoint = serve(OK)

    async def scenario() -> None:
        async with sending(endpoint, resolve=resolve, attempt_timeout=PATIENCE) as client:
            outcome = await client.attempt(endpoint.request(host="hooks.example"))
            assert outcome.failure is Failure.TIMEOUT
            assert outcome.detail == f"The host name was not resolved within {LOOKUP_SECONDS:g} s."

    run(scenario())


@pytest.fixture
def unaccepting() -> Iterator[int]:
    """A port that lets no connection be made: its listener's queue is full. The kernel drops what comes
    then."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=0)
    port: int = listener.getsockname()[1]
    waiting = []
    for _ in range(4):
        waiting.append(socket.socket())
        waiting[-1].setblocking(False)
        waiting[-1].connect_ex(("127.0.0.1", port))
    yield port
    for one in (*waiting, listener):
        one.close()


def test_a_connection_that_is_never_made_is_cut_at_the_deadline(
    run: "Run", serve: Serve, sending: "Sending", unaccepting: int
) -> None:
    async def scenario() -> None:
        request = OutgoingRequest(Target("http", "127.0.0.1", unaccepting), b"POST / HTTP/1.1\r\n\r\n", b"")
        async with sending(allow=f"http://127.0.0.1:{unaccepting}", attempt_timeout=TIMEOUT) as client:
            outcome = await cut_in_time(client, request)
            assert outcome.detail == f"No connection was made within {TIMEOUT:g} s."

    run(scenario())


def test_an_address_that_is_never_reached_leaves_time_for_the_next(
    run: "Run", serve: Serve, sending: "Sending", unaccepting: int
) -> None:
    endpoint = serve(OK, host="127.0.0.2", port=unaccepting)
    names = {"hooks.example": ["127.0.0.1", "127.0.0.2"]}

    async def scenario() -> None:
        async with sending(endpoint, names=names, connect_timeout=TIMEOUT) as client:
            outcome = await client.attempt(endpoint.request(host="hooks.example"))
            assert outcome.failure is None
            assert outcome.elapsed_us >= TIMEOUT * 1e6

    run(scenario())


def test_a_tls_handshake_that_does_not_end_is_cut_at_the_deadline(run: "Run", serve: Serve, sending: "Sending") -> None:
    endpoint = serve(silent)

    async def scenario() -> None:
        allow = f"https://127.0.0.1:{endpoint.port}"
        request = endpoint.request()
        secure = replace(request, target=replace(request.target, scheme="https"))
        async with sending(allow=allow, attempt_timeout=TIMEOUT) as client:
            outcome = await cut_in_time(client, secure)
            assert outcome.detail == f"TLS was not agreed on within {TIMEOUT:g} s."

    run(scenario())


def test_every_attempt_of_many_is_cut_in_its_own_time(run: "Run", serve: Serve, sending: "Sending") -> None:
    endpoint = serve(silent)

    async def scenario() -> None:
        async with sending(endpoint, attempt_timeout=TIMEOUT) as client:

            async def ask(number: int) -> None:
                await asyncio.sleep(0.013 * number)
                await cut_in_time(client, endpoint.request())

            await asyncio.gather(*map(ask, range(20)))

    run(scenario())


def test_a_loop_that_was_held_up_ends_no_attempt_early(run: "Run", serve: Serve, sending: "Sending") -> None:
    endpoint = serve(silent)

    async def scenario() -> None:
        async with sending(endpoint, attempt_timeout=TIMEOUT) as client:
            # A loop's own clock may stand still for as long as one of its turns takes.
            hold_up(0.2)
            assert_cut(await client.start(endpoint.request()))

    run(scenario())
