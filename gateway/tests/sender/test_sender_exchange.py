"""One request and its answer over real sockets (C15): what counts as delivered, and what each failure is
called."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from signalpost.domain.delivery.outcome import ANSWER_KEPT_BYTES, Failure, Outcome

if TYPE_CHECKING:
    from gateway.tests.sender.conftest import Run, Sending
    from gateway.tests.sender.endpoint import Endpoint, Peer

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
MEGABYTE = b"m" * 1_000_000


@pytest.fixture
def ask(run: "Run", serve: "Callable[..., Endpoint]", sending: "Sending") -> Callable[..., Outcome]:
    """The outcome of one request to an endpoint with this script."""

    def asking(script: "Callable[[Peer], None] | bytes", body: bytes = b"{}", **settings: Any) -> Outcome:
        endpoint = serve(script)

        async def scenario() -> Outcome:
            async with sending(endpoint, **settings) as client:
                return await client.attempt(endpoint.request(body))

        return run(scenario())

    return asking


def test_the_request_is_written_as_it_is(run: "Run", serve: "Callable[..., Endpoint]", sending: "Sending") -> None:
    received = []

    def script(peer: "Peer") -> None:
        while True:
            received.append(peer.read_request())
            peer.send(OK)

    endpoint = serve(script)
    bodies = [b"", b"{}", "{“é”}".encode(), MEGABYTE, b"{}"]

    async def scenario() -> None:
        async with sending(endpoint) as client:
            for body in bodies:
                assert (await client.attempt(endpoint.request(body))).failure is None

    run(scenario())
    assert [got.body for got in received] == bodies
    assert [got.head + b"\r\n\r\n" for got in received] == [endpoint.request(body).head for body in bodies]


def test_a_2xx_delivers_and_says_when_and_how_long(ask: Callable[..., Outcome]) -> None:
    def script(peer: "Peer") -> None:
        peer.read_request()
        peer.pause(0.05)
        peer.send(OK)

    outcome = ask(script)
    assert (outcome.failure, outcome.status, outcome.answer, outcome.detail) == (None, 200, b"ok", "")
    assert outcome.started_at > 1_700_000_000_000_000
    assert outcome.elapsed_us >= 50_000


def test_a_redirect_is_a_failure_and_is_not_followed(
    ask: Callable[..., Outcome], serve: "Callable[..., Endpoint]"
) -> None:
    elsewhere = serve(OK)
    location = f"location: http://127.0.0.1:{elsewhere.port}/\r\n".encode()
    outcome = ask(b"HTTP/1.1 307 Temporary\r\n" + location + b"content-length: 0\r\n\r\n")
    assert (outcome.failure, outcome.status) == (Failure.REDIRECT, 307)
    assert outcome.detail == "The endpoint answered 307, a redirect; redirects are not followed."
    assert elsewhere.connections == 0


def test_retry_after_comes_with_a_429(ask: Callable[..., Outcome]) -> None:
    outcome = ask(b"HTTP/1.1 429 Slow\r\nretry-after: 30\r\ncontent-length: 4\r\n\r\nslow")
    assert (outcome.failure, outcome.status, outcome.retry_after) == (Failure.STATUS, 429, "30")
    assert (outcome.answer, outcome.detail) == (b"slow", "The endpoint answered 429.")


def test_a_gzip_body_is_kept_as_it_came(ask: Callable[..., Outcome]) -> None:
    bomb = b"\x1f\x8b" + bytes(40_000)
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(bomb)
    outcome = ask(head + bomb)
    assert (outcome.failure, outcome.answer) == (None, bomb[:ANSWER_KEPT_BYTES])


def test_only_a_request_that_asks_for_it_gets_the_answers_head_and_all_that_was_read_of_its_body(
    run: "Run", serve: "Callable[..., Endpoint]", sending: "Sending"
) -> None:
    body = b"b" * 10_000
    head = b"HTTP/1.1 409 Conflict\r\ncontent-length: 10000\r\nx-limit: 7\r\n\r\n"

    def script(peer: "Peer") -> None:
        while True:
            peer.read_request()
            peer.send(head + body)

    endpoint = serve(script)

    async def scenario() -> None:
        async with sending(endpoint) as client:
            for keeps in (False, True, False):  # on one connection
                outcome = await client.attempt(replace(endpoint.request(), keeps=keeps))
                kept = (head, body) if keeps else (b"", body[:ANSWER_KEPT_BYTES])
                assert (outcome.status, outcome.head, outcome.answer) == (409, *kept)

    run(scenario())
    assert endpoint.connections == 1


def test_an_answer_that_ends_with_the_connection_delivers(ask: Callable[..., Outcome]) -> None:
    def script(peer: "Peer") -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        peer.let_read()
        peer.send(b"bye")

    outcome = ask(script)
    assert (outcome.failure, outcome.answer) == (None, b"bye")


def test_an_answer_that_ends_with_a_reset_does_not_deliver(ask: Callable[..., Outcome]) -> None:
    def script(peer: "Peer") -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\nbye")
        peer.let_read()
        peer.reset()

    outcome = ask(script)
    assert (outcome.failure, outcome.status) == (Failure.RESET, 200)


@pytest.mark.parametrize(
    "short",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
    ],
)
def test_a_body_that_is_cut_short_does_not_deliver(ask: Callable[..., Outcome], short: bytes) -> None:
    outcome = ask(lambda peer: peer.answer(short))
    assert (outcome.failure, outcome.status, outcome.answer) == (Failure.RESET, 200, b"abc")
    assert outcome.detail == "The endpoint closed the connection in the middle of its answer."


def reset_at_once(peer: "Peer") -> None:
    peer.reset()


def reset_after_the_head(peer: "Peer") -> None:
    peer.read_head()
    peer.reset()


def reset_after_the_request(peer: "Peer") -> None:
    peer.read_request()
    peer.reset()


def close_after_the_request(peer: "Peer") -> None:
    peer.read_request()


def reset_in_the_head(peer: "Peer") -> None:
    peer.answer(OK[:12])
    peer.let_read()
    peer.reset()


def close_in_the_head(peer: "Peer") -> None:
    peer.answer(OK[:30])


def reset_after_an_interim_answer(peer: "Peer") -> None:
    peer.answer(b"HTTP/1.1 103 Early\r\n\r\n")
    peer.let_read()
    peer.reset()


def reset_in_the_body(peer: "Peer") -> None:
    peer.answer(OK[:-1])
    peer.let_read()
    peer.reset()


@pytest.mark.parametrize("body", [b"{}", MEGABYTE], ids=["small", "large"])
@pytest.mark.parametrize(
    "script",
    [
        reset_at_once,
        reset_after_the_head,
        reset_after_the_request,
        close_after_the_request,
        reset_in_the_head,
        close_in_the_head,
        reset_after_an_interim_answer,
        reset_in_the_body,
    ],
)
def test_a_connection_that_is_closed_before_the_end_of_the_answer_is_a_reset(
    ask: Callable[..., Outcome], script: "Callable[[Peer], None]", body: bytes
) -> None:
    outcome = ask(script, body)
    assert outcome.failure is Failure.RESET
    assert outcome.status == (200 if script is reset_in_the_body else None)
    began = script in (reset_in_the_head, close_in_the_head, reset_after_an_interim_answer, reset_in_the_body)
    assert outcome.detail == (
        "The endpoint closed the connection in the middle of its answer."
        if began
        else "The endpoint closed the connection before answering."
    )


def test_nothing_is_sent_twice_to_a_fresh_connection(
    run: "Run", serve: "Callable[..., Endpoint]", sending: "Sending"
) -> None:
    endpoint = serve(close_after_the_request)

    async def scenario() -> None:
        async with sending(endpoint) as client:
            for number in range(1, 4):
                assert (await client.attempt(endpoint.request())).failure is Failure.RESET
                assert endpoint.connections == number

    run(scenario())


def test_an_endless_body_is_decided_by_the_status_at_the_cap(ask: Callable[..., Outcome]) -> None:
    def script(peer: "Peer") -> None:
        peer.answer(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while True:
            peer.send(b"400\r\n" + b"x" * 1024 + b"\r\n")

    outcome = ask(script)
    assert (outcome.failure, outcome.status, outcome.answer) == (None, 200, b"x" * ANSWER_KEPT_BYTES)


@pytest.mark.parametrize(
    "headers",
    [b"name: " + b"x" * 9000 + b"\r\n", b"name: value\r\n" * 200, b"x" * 200_000],
    ids=["long line", "many headers", "endless"],
)
def test_a_head_beyond_the_caps_is_a_protocol_failure(ask: Callable[..., Outcome], headers: bytes) -> None:
    outcome = ask(b"HTTP/1.1 200 OK\r\n" + headers + b"\r\n")
    assert (outcome.failure, outcome.status) == (Failure.PROTOCOL, None)


@pytest.mark.parametrize("talk", [b"220 mail.example ESMTP\r\n", b"SSH-2.0-OpenSSH_9\r\n", OK])
def test_an_endpoint_that_talks_first_is_read_as_answering(ask: Callable[..., Outcome], talk: bytes) -> None:
    def script(peer: "Peer") -> None:
        peer.send(talk)
        peer.hold()

    outcome = ask(script)
    assert outcome.failure == (None if talk == OK else Failure.PROTOCOL)


def test_an_answer_before_the_request_was_read_is_taken_and_the_connection_ended(
    run: "Run", serve: "Callable[..., Endpoint]", sending: "Sending"
) -> None:
    def script(peer: "Peer") -> None:
        peer.read_head()
        peer.send(b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nbig")
        peer.pause(30)

    endpoint = serve(script)

    async def scenario() -> None:
        async with sending(endpoint) as client:
            for number in (1, 2):
                outcome = await client.attempt(endpoint.request(MEGABYTE * 8))
                assert (outcome.failure, outcome.status, outcome.answer) == (Failure.STATUS, 413, b"big")
                assert endpoint.connections == number

    run(scenario())


def test_an_early_answer_survives_the_reset_that_follows_it(ask: Callable[..., Outcome]) -> None:
    def script(peer: "Peer") -> None:
        peer.read_head()
        # Closed with the body unread, which resets.
        peer.send(b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nbig")

    outcome = ask(script, MEGABYTE * 8)
    assert (outcome.failure, outcome.status, outcome.answer) == (Failure.STATUS, 413, b"big")


@pytest.mark.parametrize(
    "script",
    [OK, b"HTTP/1.1 500 No\r\n\r\n", b"garbage", close_after_the_request],
    ids=["ok", "500", "garbage", "close"],
)
def test_no_detail_tells_what_was_sent(ask: Callable[..., Outcome], script: object) -> None:
    outcome = ask(script, b"secret-body", attempt_timeout=1.0)
    assert "secret" not in outcome.detail
    assert "/hook" not in outcome.detail


def test_a_callback_that_raises_harms_nothing(run: "Run", serve: "Callable[..., Endpoint]", sending: "Sending") -> None:
    endpoint = serve(OK)

    async def scenario() -> None:
        async with sending(endpoint) as client:

            def raising(outcome: Outcome) -> None:
                raise RuntimeError("a bug in the callback")

            for _ in range(3):
                client.sender.send(endpoint.request(), raising)
                assert (await client.attempt(endpoint.request())).failure is None
            assert (await client.attempt(endpoint.request())).failure is None

    run(scenario())
