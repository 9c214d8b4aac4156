"""The end of a sender, and what it leaves behind (C16: what a shutdown cuts does not count)."""

import asyncio
import gc
import ssl
import threading
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trustme
from gateway.tests.patience import PATIENCE

from signalpost.domain.delivery.outcome import Failure, Outcome

if TYPE_CHECKING:
    from gateway.tests.sender.conftest import Run, Sending
    from gateway.tests.sender.endpoint import Endpoint, Peer

Serve = Callable[..., "Endpoint"]

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


def silent(peer: "Peer") -> None:
    peer.hold()


def test_a_running_attempt_may_end_within_the_grace(run: "Run", serve: Serve, sending: "Sending") -> None:
    """The close ends with the attempt and waits for nothing more."""

    def script(peer: "Peer") -> None:
        peer.read_request()
        asked.set()
        peer.pause(0.2)
        peer.send(OK)

    asked = threading.Event()
    endpoint = serve(script)

    async def scenario() -> None:
        async with sending(endpoint) as client, asyncio.timeout(PATIENCE):
            started = client.start(endpoint.request())
            await asyncio.to_thread(asked.wait, PATIENCE)
            await client.sender.close(2 * PATIENCE)
            assert (await started).failure is None

    run(scenario())


def test_an_attempt_that_outlasts_the_grace_is_cut(run: "Run", serve: Serve, sending: "Sending") -> None:
    endpoint, slow_start = serve(silent), serve(silent)

    async def resolve(host: str, port: int) -> Sequence[str]:
        await asyncio.sleep(30)
        return []

    async def scenario() -> None:
        allow = f"https://127.0.0.1:{slow_start.port}"
        async with sending(endpoint, allow=allow, resolve=resolve) as client:
            waiting = endpoint.request()
            resolving = endpoint.request(host="hooks.example")
            started = [client.start(request, within=4.0) for request in (waiting, resolving) * 3]
            await client.sender.close(0.1)
            for outcome in started:
                assert outcome.done()
                assert (await outcome).failure is Failure.INTERRUPTED
                assert (await outcome).detail == "Signalpost was shut down before the answer came."

    run(scenario())


def test_what_is_sent_to_a_closing_sender_is_cut(run: "Run", serve: Serve, sending: "Sending") -> None:
    endpoint = serve(OK)

    async def scenario() -> None:
        async with sending(endpoint) as client:
            await client.attempt(endpoint.request())
            await client.sender.close(0)
            assert (await client.attempt(endpoint.request())).failure is Failure.INTERRUPTED
            assert endpoint.connections == 1

    run(scenario())


def test_what_a_cut_attempts_callback_sends_is_cut_as_well(run: "Run", serve: Serve, sending: "Sending") -> None:
    endpoint = serve(silent)
    told: list[Outcome] = []

    async def scenario() -> None:
        async with sending(endpoint) as client:

            def again(outcome: Outcome) -> None:
                told.append(outcome)
                if len(told) < 100:
                    client.sender.send(endpoint.request(), again)

            client.sender.send(endpoint.request(), again)
            await client.sender.close(0)
            while len(told) < 100:
                await asyncio.sleep(0)
        assert {outcome.failure for outcome in told} == {Failure.INTERRUPTED}

    run(scenario())


def test_a_sender_can_be_closed_twice_and_unused(run: "Run", sending: "Sending") -> None:
    async def scenario() -> None:
        async with sending() as client:
            await client.sender.close(1)
            await client.sender.close(1)

    run(scenario())


def test_closing_ends_every_connection(
    run: "Run", serve: Serve, sending: "Sending", authority: trustme.CA, ca_file: Path
) -> None:
    gone = threading.Semaphore(0)

    def script(peer: "Peer") -> None:
        try:
            while True:
                peer.answer(OK)
        finally:
            gone.release()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    plain, secure = serve(script), serve(script, tls=context)

    async def scenario() -> None:
        async with sending(plain, secure, ca_file=ca_file) as client:
            for endpoint in (plain, secure):
                assert (await client.attempt(endpoint.request())).failure is None
            assert not gone.acquire(blocking=False)

    run(scenario())
    assert gone.acquire(timeout=PATIENCE)
    assert gone.acquire(timeout=PATIENCE)


def test_five_hundred_requests_to_a_slow_endpoint_run_side_by_side(
    run: "Run", serve: Serve, sending: "Sending"
) -> None:
    count = 500
    together = threading.Barrier(count)

    def script(peer: "Peer") -> None:
        while True:
            peer.read_request()
            # No answer before all have asked.
            together.wait(PATIENCE)
            peer.send(OK)

    endpoint = serve(script)

    async def scenario() -> None:
        async with sending(endpoint, attempt_timeout=PATIENCE) as client:
            for _ in range(2):
                outcomes = await asyncio.gather(*(client.attempt(endpoint.request()) for _ in range(count)))
                assert {outcome.failure for outcome in outcomes} == {None}
            assert endpoint.connections == count

    run(scenario())


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts descriptors through /proc")
def test_no_descriptor_and_no_task_is_left_behind(
    run: "Run", serve: Serve, sending: "Sending", authority: trustme.CA, ca_file: Path
) -> None:
    def reset(peer: "Peer") -> None:
        peer.read_request()
        peer.reset()

    def garbage(peer: "Peer") -> None:
        peer.answer(b"garbage")
        peer.hold()

    def flood(peer: "Peer") -> None:
        peer.answer(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(500_000))

    good, wrong = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(good)
    authority.issue_cert("other.example").configure_cert(wrong)
    endpoints = [serve(script) for script in (OK, reset, garbage, flood)]
    endpoints += [serve(OK, tls=good), serve(OK, tls=wrong)]
    silent_ones = [serve(silent), serve(silent, tls=good)]
    closed = serve(OK)
    closed.stop()
    expected = {
        None, Failure.TIMEOUT, Failure.RESET, Failure.PROTOCOL, Failure.TLS_HOSTNAME, Failure.CONNECT, Failure.DNS
    }  # fmt: skip

    async def scenario() -> None:
        async with (
            sending(*endpoints, closed, ca_file=ca_file) as client,
            sending(*silent_ones, ca_file=ca_file, attempt_timeout=2.0) as impatient,
        ):
            requests = [endpoint.request() for endpoint in (*endpoints, closed)]
            requests.append(endpoints[0].request(host="unknown.example"))
            hopeless = [endpoint.request() for endpoint in silent_ones]
            started = [client.start(request) for request in requests * 4]
            started += [impatient.start(request) for request in hopeless * 4]
            outcomes = await asyncio.gather(*started)
            assert {outcome.failure for outcome in outcomes} == expected
            last = [client.start(request) for request in requests + hopeless]
            await asyncio.sleep(0.05)
        assert all(outcome.done() for outcome in last)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    gc.collect()  # what earlier tests left
    before = descriptors()
    run(scenario())
    for endpoint in (*endpoints, *silent_ones):
        endpoint.stop()
    gc.collect()
    # The listeners that were open before are closed now.
    assert descriptors() == before - len(endpoints) - len(silent_ones)


def test_no_socket_outlives_a_connection_that_was_reset_while_it_was_being_made(
    run: "Run", serve: Serve, sending: "Sending"
) -> None:
    """A socket object whose descriptor is gone would close another file of the same number when it is collected."""

    def reset(peer: "Peer") -> None:
        peer.reset()

    endpoint = serve(reset)

    async def scenario() -> None:
        async with sending(endpoint) as client:
            for _ in range(200):
                outcome = await client.attempt(endpoint.request(body=bytes(1_000_000)))
                assert outcome.failure is Failure.RESET

    gc.collect()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", ResourceWarning)
        run(scenario())
        gc.collect()
    assert [str(warning.message) for warning in warned if "socket" in str(warning.message)] == []


def test_it_ends_whatever_moment_of_their_making_its_connections_are_in(
    run: "Run", serve: "Callable[..., Endpoint]", sending: "Sending"
) -> None:
    """uvloop says nothing of a connection that was made and given up in one turn."""
    endpoint = serve(OK)

    async def scenario() -> None:
        for step in range(40):
            async with asyncio.timeout(PATIENCE), sending(endpoint) as client:
                for _ in range(20):
                    client.start(endpoint.request())
                await asyncio.sleep(step * 0.0001)

    run(scenario())
