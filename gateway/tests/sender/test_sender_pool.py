"""Kept connections: reused, never trusted with a doubt, and no answer taken for another's (C15)."""

import asyncio
import gc
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from gateway.tests.patience import PATIENCE
from msgspec.structs import replace

from signalpost.domain.delivery.outcome import Failure, Outcome

if TYPE_CHECKING:
    from gateway.tests.sender.conftest import Run, Sending
    from gateway.tests.sender.endpoint import Endpoint, Peer, ReceivedRequest

Serve = Callable[..., "Endpoint"]

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


def nonce_of(request: "ReceivedRequest") -> bytes:
    (nonce,) = (line[7:] for line in request.head.split(b"\r\n") if line.startswith(b"nonce: "))
    return nonce


def answer(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)


@pytest.mark.parametrize(
    "kept",
    [
        OK,
        b"HTTP/1.1 204 None\r\n\r\n",
        b"HTTP/1.1 500 No\r\ncontent-length: 2\r\n\r\nno",
        b"HTTP/1.1 302 Away\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 103 Early\r\n\r\n" + OK,
    ],
)
def test_a_connection_is_used_again_after_a_clean_answer(
    run: "Run", serve: Serve, sending: "Sending", kept: bytes
) -> None:
    endpoint = serve(kept)

    async def scenario() -> None:
        async with sending(endpoint) as client:
            for _ in range(5):
                assert (await client.attempt(endpoint.request())).status is not None
        assert endpoint.connections == 1

    run(scenario())


@pytest.mark.parametrize(
    "final",
    [
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nok",
        OK + b"extra",
        OK + OK,
        b"HTTP/1.1 200 OK\r\ncontent-length: 70000\r\n\r\n" + bytes(70_000),
        b"not HTTP",
    ],
)
def test_a_connection_is_not_used_again_after_any_other(
    run: "Run", serve: Serve, sending: "Sending", final: bytes
) -> None:
    endpoint = serve(final)

    async def scenario() -> None:
        async with sending(endpoint) as client:
            for number in range(1, 4):
                await client.attempt(endpoint.request())
                assert endpoint.connections == number

    run(scenario())


def test_connections_belong_to_one_target(run: "Run", serve: Serve, sending: "Sending") -> None:
    endpoint, other = serve(OK), serve(OK)
    names = {"a.example": ["127.0.0.1"], "b.example": ["127.0.0.1"]}

    async def scenario() -> None:
        async with sending(endpoint, other, names=names) as client:
            for _ in range(2):
                for host in ("a.example", "b.example", "127.0.0.1"):
                    await client.attempt(endpoint.request(host=host))
                await client.attempt(other.request())
        assert (endpoint.connections, other.connections) == (3, 1)

    run(scenario())


def test_the_connection_used_last_is_used_first(run: "Run", serve: Serve, sending: "Sending") -> None:
    served: list[int] = []
    asked, may_answer = [[threading.Event() for _ in range(3)] for _ in range(2)]

    def script(peer: "Peer") -> None:
        peer.read_request()
        asked[peer.number].set()
        may_answer[peer.number].wait(PATIENCE)
        peer.send(OK)
        while True:
            peer.read_request()
            served.append(peer.number)
            peer.send(OK)

    endpoint = serve(script)

    async def scenario() -> None:
        async with sending(endpoint) as client:
            waiting = {asyncio.ensure_future(client.attempt(endpoint.request())) for _ in range(3)}
            for number in range(3):
                await asyncio.to_thread(asked[number].wait, PATIENCE)
            for number in range(3):
                may_answer[number].set()
                _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for _ in range(4):
                await client.attempt(endpoint.request())
        assert served == [2, 2, 2, 2]

    run(scenario())


def test_a_kept_connection_that_the_endpoint_has_closed_is_not_used(
    run: "Run", serve: Serve, sending: "Sending"
) -> None:
    endpoint = serve(lambda peer: peer.answer(OK))

    async def scenario() -> None:
        async with sending(endpoint) as client:
            for number in range(1, 4):
                assert (await client.attempt(endpoint.request())).failure is None
                assert endpoint.connections == number
                await asyncio.sleep(0.05)

    run(scenario())


def close(peer: "Peer") -> None:
    return


def reset(peer: "Peer") -> None:
    peer.reset()


@pytest.mark.parametrize("leave", [close, reset])
def test_a_request_that_meets_a_dying_kept_connection_is_sent_once_more_on_a_fresh_one(
    run: "Run", serve: Serve, sending: "Sending", leave: "Callable[[Peer], None]"
) -> None:
    received: list[tuple[int, bytes]] = []

    def script(peer: "Peer") -> None:
        peer.answer(OK)
        received.append((peer.number, nonce_of(peer.read_request())))
        if peer.number == 0:
            leave(peer)
        else:
            peer.send(OK)

    endpoint = serve(script)

    async def scenario() -> None:
        async with sending(endpoint) as client:
            assert (await client.attempt(endpoint.request())).failure is None
            outcome = await client.attempt(endpoint.request(nonce="second"))
            assert (outcome.failure, endpoint.connections) == (None, 2)

    run(scenario())
    assert received == [(0, b"second")]


def test_a_request_is_sent_again_only_once(run: "Run", serve: Serve, sending: "Sending") -> None:
    def script(peer: "Peer") -> None:
        if peer.number < 3:
            together.wait(PATIENCE)
            peer.answer(OK)
        peer.read_request()

    together = threading.Barrier(3)
    endpoint = serve(script)

    async def scenario() -> None:
        async with sending(endpoint) as client:
            # Three kept connections, all of which end instead of answering again; so does the fresh one.
            await asyncio.gather(*(client.attempt(endpoint.request()) for _ in range(3)))
            outcome = await client.attempt(endpoint.request())
            assert outcome.failure is Failure.RESET
            assert endpoint.connections == 4

    run(scenario())


@pytest.mark.parametrize("began", [b"H", b"HTTP/1.1 103 Early\r\n\r\n", OK[:-1]])
def test_a_request_whose_answer_began_is_not_sent_again(
    run: "Run", serve: Serve, sending: "Sending", began: bytes
) -> None:
    def script(peer: "Peer") -> None:
        peer.answer(OK)
        peer.answer(began)

    endpoint = serve(script)

    async def scenario() -> None:
        async with sending(endpoint) as client:
            assert (await client.attempt(endpoint.request())).failure is None
            assert (await client.attempt(endpoint.request())).failure is Failure.RESET
            assert endpoint.connections == 1

    run(scenario())


def test_sending_again_does_not_lengthen_the_attempt(run: "Run", serve: Serve, sending: "Sending") -> None:
    def script(peer: "Peer") -> None:
        if peer.number == 0:
            peer.answer(OK)
            peer.read_request()
            peer.pause(0.3)
        else:
            peer.hold()

    endpoint = serve(script)

    async def scenario() -> None:
        async with sending(endpoint, attempt_timeout=3.0) as client:
            assert (await client.attempt(endpoint.request())).failure is None
            outcome = await client.attempt(endpoint.request(), within=3.2)
            assert (outcome.failure, endpoint.connections) == (Failure.TIMEOUT, 2)
            assert outcome.elapsed_us >= 3_000_000

    run(scenario())


@pytest.mark.parametrize("unasked", [b"x", b"\r\n", answer(b"stale")])
def test_a_kept_connection_on_which_anything_comes_is_dropped(
    run: "Run", serve: Serve, sending: "Sending", unasked: bytes
) -> None:
    came = threading.Semaphore(0)

    def script(peer: "Peer") -> None:
        peer.answer(OK)
        peer.let_read()
        peer.send(unasked)
        peer.let_read()
        came.release()
        peer.answer(OK)

    endpoint = serve(script)

    async def scenario() -> None:
        async with sending(endpoint) as client:
            for number in range(1, 4):
                outcome = await client.attempt(endpoint.request())
                assert (outcome.failure, outcome.answer, endpoint.connections) == (None, b"ok", number)
                assert await asyncio.to_thread(came.acquire, timeout=PATIENCE)

    run(scenario())


def test_what_came_unread_before_a_request_is_never_its_answer(run: "Run", serve: Serve, sending: "Sending") -> None:
    sent = threading.Event()

    def script(peer: "Peer") -> None:
        peer.answer(OK)
        peer.send(answer(b"stale"))
        sent.set()
        peer.answer(answer(b"fresh"))

    endpoint = serve(script)

    async def scenario() -> None:
        async with sending(endpoint) as client:
            first = await client.attempt(endpoint.request())
            # The loop does not turn here, so that the unasked answer lies in the socket, unread, at the next
            # request.
            assert sent.wait(PATIENCE)
            second = await client.attempt(endpoint.request())
            assert (first.answer, second.answer) == (b"ok", b"ok")
            assert endpoint.connections == 2

    run(scenario())


def test_no_answer_is_taken_for_anothers(run: "Run", serve: Serve, sending: "Sending") -> None:
    """Every answer repeats its request's nonce; some are followed by a second one at once, cut short, or
    ended."""

    def script(peer: "Peer") -> None:
        while True:
            nonce = nonce_of(peer.read_request())
            match int(nonce) % 7:
                case 0:
                    peer.send(answer(nonce) + answer(b"wrong"))
                case 1:
                    peer.send(answer(nonce)[:-1])
                    peer.send(nonce[-1:])
                case 2:
                    peer.send(answer(nonce))
                    return
                case 3:
                    peer.reset()
                    return
                case 4:
                    peer.send(b"HTTP/1.1 103 Early\r\n\r\n" + answer(nonce) + b"\r\nHTTP/1.1")
                case 5:
                    # Too late: its attempt has been given up, and another may be waiting.
                    peer.pause(3.1)
                    peer.send(answer(nonce))
                case _:
                    peer.send(answer(nonce))

    endpoint = serve(script)
    count = 210

    async def scenario() -> None:
        async with sending(endpoint, attempt_timeout=3.0) as client:
            seen: list[Outcome] = []
            left = iter(range(count))

            async def worker() -> None:
                for number in left:
                    outcome = await client.attempt(endpoint.request(nonce=f"{number}"))
                    assert outcome.answer in (b"", f"{number}".encode())
                    assert outcome.failure is None or outcome.answer == b""
                    seen.append(outcome)

            await asyncio.gather(*(worker() for _ in range(20)))
            assert len(seen) == count
            assert {outcome.failure for outcome in seen} <= {None, Failure.RESET, Failure.TIMEOUT}
            assert sum(outcome.failure is None for outcome in seen) >= count * 4 // 7

    run(scenario())


def test_a_connection_idle_for_too_long_is_closed(run: "Run", serve: Serve, sending: "Sending") -> None:
    gone = threading.Event()

    def script(peer: "Peer") -> None:
        try:
            while True:
                peer.answer(OK)
        finally:
            gone.set()

    endpoint = serve(script)

    async def scenario() -> None:
        async with sending(endpoint, idle_seconds=0.1) as client:
            await client.attempt(endpoint.request())
            assert await asyncio.to_thread(gone.wait, PATIENCE), "the connection stays open"

    run(scenario())


def test_what_is_idle_beside_a_connection_that_went_silent_is_not_used(
    run: "Run", serve: Serve, sending: "Sending"
) -> None:
    """C15, C16: whatever forgot one connection without a word, as a firewall does, forgot the others too. Each of them
    would cost a delivery an attempt, though the endpoint is well."""
    forgotten = 3
    together = threading.Barrier(forgotten)

    def script(peer: "Peer") -> None:
        peer.read_request()
        if peer.number < forgotten:
            together.wait(PATIENCE)  # so that each of them is needed
            peer.send(OK)
            peer.hold()
        peer.send(OK)

    endpoint = serve(script)

    async def scenario() -> None:
        async with sending(endpoint) as client:
            await asyncio.gather(*[client.attempt(endpoint.request()) for _ in range(forgotten)])
            silent = await client.attempt(replace(endpoint.request(), seconds=0.1))
            assert silent.failure is Failure.TIMEOUT
            assert (await client.attempt(endpoint.request())).failure is None
        assert endpoint.connections == forgotten + 1

    run(scenario())


def test_a_connection_is_used_for_a_limited_time(run: "Run", serve: Serve, sending: "Sending") -> None:
    endpoint = serve(OK)

    async def scenario() -> None:
        now = 0.0
        async with sending(endpoint, age_seconds=60, clock=lambda: now) as client:
            for now, connections in ((0.0, 1), (59.0, 1), (61.0, 2), (120.0, 2), (122.0, 3)):  # noqa: B007
                await client.attempt(endpoint.request())
                assert endpoint.connections == connections

    run(scenario())


def test_the_longest_idle_connection_makes_room_for_the_next(run: "Run", serve: Serve, sending: "Sending") -> None:
    endpoints = [serve(OK) for _ in range(3)]

    async def scenario() -> None:
        async with sending(*endpoints, idle_connections=2) as client:
            for endpoint in endpoints:
                await client.attempt(endpoint.request())
            for endpoint in reversed(endpoints):
                await client.attempt(endpoint.request())
        assert [endpoint.connections for endpoint in endpoints] == [2, 1, 1]

    run(scenario())


def test_of_a_target_whose_connections_are_gone_nothing_is_kept(run: "Run", serve: Serve, sending: "Sending") -> None:
    """Subscriptions get other URLs for as long as a gateway runs."""

    def script(peer: "Peer") -> None:
        peer.answer(OK)
        peer.answer(OK.replace(b"\r\n", b"\r\nconnection: close\r\n", 1))

    endpoint = serve(script)

    async def scenario() -> None:
        async with sending(endpoint) as client:
            request = endpoint.request()
            known = sys.getrefcount(request.target)
            for _ in range(2):
                assert (await client.attempt(request)).failure is None
            assert endpoint.connections == 1
            async with asyncio.timeout(PATIENCE):
                while sys.getrefcount(request.target) != known:
                    gc.collect()
                    await asyncio.sleep(0.01)

    run(scenario())
