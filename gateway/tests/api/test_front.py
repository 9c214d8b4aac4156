"""What a client's bytes meet before the API does, with raw sockets: limits, slowness, smuggling, crowds."""

import contextlib
import itertools
import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from gateway.tests.patience import PATIENCE
from gateway.tests.worker_on_loop import either_way

from signalpost.listener.connection_limits import SPARE
from signalpost.listener.request_head import MAX_HEAD_BYTES, MAX_HEADERS

if TYPE_CHECKING:
    from gateway.tests.api.conftest import Client, World

listening = either_way


@pytest.fixture(scope="module")
def hasty(make_world: Callable[..., "World"]) -> "World":
    """A gateway that waits a second for its clients: no longer, but no slow machine takes that long for a request."""
    return make_world(wait_seconds=1.0, idle_seconds=1.0)


@contextmanager
def connected(world: "World", *, receive_buffer: int | None = None) -> Iterator[socket.socket]:
    with socket.socket() as connection:
        if receive_buffer is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.settimeout(PATIENCE)
        connection.connect(("127.0.0.1", world.port))
        yield connection


def until_closed(connection: socket.socket) -> bytes:
    """All that still comes, to the end, or to a reset."""
    received = b""
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(65536):
            received += part
    return received


def refused(answer: bytes, status: int, code: str) -> dict[str, Any]:
    """The problem of an answer that is the only one, and the last on its connection."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), answer[:300]
    assert b"\r\ncontent-type: application/problem+json" in head
    assert b"\r\nconnection: close" in head
    assert len(re.findall(rb"^HTTP/1", answer, re.MULTILINE)) == 1
    problem: dict[str, Any] = json.loads(body)
    assert (problem["status"], problem["code"]) == (status, code)
    assert b"\r\nrequest-id: " + problem["requestId"].encode() in head
    assert problem["detail"].endswith(".")
    return problem


def request(world: "Client", writer: str, *headers: str, body: bytes = b"") -> bytes:
    length = [f"content-length: {len(body)}"] if body else []
    lines = [f"{writer} HTTP/1.1", "host: x", f"authorization: Bearer {world.key}", *headers, *length]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def creation(world: "World", *headers: str) -> bytes:
    return request(world, "POST /v1/documents", *headers, body=json.dumps(dict(world.document)).encode())


# --- How long a head may be -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "beginning",
    [
        b"GET /" + b"x" * 100_000,
        b"GET /health/live HTTP/1.1\r\nx: ",
        b"GET /health/live HTTP/1.1\r\n",
        b"GET /health/live HTTP/1.1\r\nhost: x\r\n" + b"x" * 70_000 + b": y",
    ],
    ids=["target", "value", "headers", "name"],
)
def test_a_head_without_end_is_refused_at_the_limit(world: "World", beginning: bytes) -> None:
    with connected(world) as connection:
        connection.sendall(beginning)
        with contextlib.suppress(ConnectionError):
            for _ in range(1000):  # until the gateway reads no more of it
                connection.sendall(b"x: y\r\n" * 100 if beginning.endswith(b"\r\n") else b"y" * 600)
                connection.settimeout(0.001)
                with contextlib.suppress(TimeoutError):
                    if connection.recv(1, socket.MSG_PEEK):
                        break
                connection.settimeout(PATIENCE)
            connection.shutdown(socket.SHUT_WR)
        problem = refused(until_closed(connection), 431, "head_too_large")
    assert str(MAX_HEAD_BYTES) in problem["detail"]


def test_a_head_is_limited_in_bytes_and_in_headers_also_if_it_comes_at_once(world: "World") -> None:
    lead = len(request(world, "GET /health/live", "connection: close", "x: "))
    filling = "x: " + "y" * (MAX_HEAD_BYTES - lead)
    fits = request(world, "GET /health/live", "connection: close", filling)
    assert len(fits) == MAX_HEAD_BYTES
    assert world.raw(fits).startswith(b"HTTP/1.1 200 ")
    refused(world.raw(request(world, "GET /health/live", "connection: close", filling + "y")), 431, "head_too_large")
    headers = [f"x{number}: y" for number in range(MAX_HEADERS - 3)]
    assert world.raw(request(world, "GET /health/live", "connection: close", *headers)).startswith(b"HTTP/1.1 200 ")
    problem = refused(world.raw(request(world, "GET /health/live", "a: b", "c: d", *headers)), 431, "head_too_large")
    assert str(MAX_HEADERS) in problem["detail"]


# --- How slow a client may be -----------------------------------------------------------------------------------------


def dripped(connection: socket.socket, data: bytes) -> bytes:
    """What comes back while this is sent byte by byte, over and over, until the connection is closed."""
    received, deadline = b"", time.monotonic() + PATIENCE
    connection.settimeout(0.02)
    for byte in itertools.cycle(data):
        assert time.monotonic() < deadline, "it was never cut off"
        with contextlib.suppress(ConnectionError):  # what came back before it was closed can be read even so
            connection.sendall(bytes([byte]))
        try:
            part = connection.recv(65536)
        except TimeoutError:
            continue
        except ConnectionError:
            break
        if not part:
            break
        received += part
    return received


def test_a_head_that_comes_too_slowly_is_cut_off(hasty: "World") -> None:
    with connected(hasty) as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\n")
        assert dripped(connection, b"x: y\r\n") == b""


def test_a_client_that_says_nothing_is_cut_off(hasty: "World") -> None:
    with connected(hasty) as connection:
        assert until_closed(connection) == b""


def test_a_connection_is_kept_between_requests_and_cut_off_after_them(make_world: Callable[..., "World"]) -> None:
    patient = make_world(wait_seconds=5.0)  # a slow machine may need some between two requests
    with connected(patient) as connection:
        for _ in range(3):
            connection.sendall(request(patient, "GET /health/live"))
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        assert until_closed(connection) == b""


def test_a_body_that_comes_too_slowly_is_refused(hasty: "World") -> None:
    before = hasty.state()
    for framing, drop in (("content-length: 1000", b" "), ("transfer-encoding: chunked", b"1\r\n \r\n")):
        with connected(hasty) as connection:
            connection.sendall(request(hasty, "POST /v1/documents", framing))
            problem = refused(dripped(connection, drop), 400, "incomplete_body")
            assert problem["detail"] == "The body was not complete within 1 s."
    assert hasty.state() == before


def test_chunks_that_bring_nothing_hold_nobody_up(hasty: "World") -> None:
    """An extension or a trailer without end."""
    for framing in (b"1;", b"0\r\n"):
        with connected(hasty) as connection:
            connection.sendall(request(hasty, "POST /v1/documents", "transfer-encoding: chunked") + framing)
            refused(dripped(connection, b"x=y;" if framing == b"1;" else b"x: y\r\n"), 400, "incomplete_body")


def test_without_a_key_no_body_is_waited_for(world: "World") -> None:
    with connected(world) as connection:
        connection.sendall(b"POST /v1/documents HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        refused(until_closed(connection), 401, "no_key")


def test_what_is_wrong_before_the_body_is_refused_without_it(world: "World") -> None:
    head = request(world, "PUT /v1/documents/no-uuid", "content-type: application/json", "content-length: 100")
    refused(world.raw(head), 422, "invalid_fields")


def test_a_change_whose_body_comes_slowly_is_judged_as_if_it_had_come_at_once(world: "World") -> None:
    body = json.dumps({**world.document, "title": "", "nothing": 1}).encode()
    sent = request(world, "POST /v1/documents?no=1", "connection: close", "idempotency-key: a b", body=body)
    with connected(world) as connection:
        connection.sendall(sent[:-5])
        time.sleep(0.05)
        connection.sendall(sent[-5:])
        slowly = refused(until_closed(connection), 422, "invalid_fields")
    at_once = refused(world.raw(sent), 422, "invalid_fields")
    assert len(at_once["errors"]) == 4
    assert {**slowly, "requestId": ""} == {**at_once, "requestId": ""}


@pytest.mark.parametrize("count", [50, 3000], ids=["all of it is read", "more than is read"])
def test_who_takes_no_answers_is_given_no_more_and_cut_off(hasty: "World", count: int) -> None:
    """Seen from the gateway: a client that takes nothing, and has nothing more to send, does not learn of it."""
    with connected(hasty, receive_buffer=4096) as connection:
        connection.settimeout(1)
        with contextlib.suppress(TimeoutError, ConnectionError):
            connection.sendall(request(hasty, "GET /openapi.json") * count)
        connection.settimeout(PATIENCE)
        connection.recv(1, socket.MSG_PEEK)
        hasty.wait_until(lambda: not hasty.connections)
        assert until_closed(connection).count(b"HTTP/1.1 200") < count / 10


# --- What could be read in two ways -----------------------------------------------------------------------------------

POST = "POST /v1/documents"


def framed(*lines: str, body: bytes = b"") -> Callable[["World"], bytes]:
    """A request with these headers, and behind it one that must not be taken for another."""

    def make(world: "World") -> bytes:
        return request(world, POST, *lines) + body + creation(world)

    return make


def began(start: bytes) -> Callable[["World"], bytes]:
    return lambda world: start + creation(world)


@pytest.mark.parametrize(
    "attack",
    [
        framed("content-length: 5", "transfer-encoding: chunked", body=b"0\r\n\r\n"),
        framed("transfer-encoding: chunked", "content-length: 5", body=b"0\r\n\r\n"),
        framed("content-length: 0", "content-length: 400"),
        framed("content-length: 0", "content-length: 0"),
        framed("content-length: 0, 0"),
        framed("content-length: +0"),
        framed("content-length: -1"),
        framed("content-length: 0x0"),
        framed("content-length: 0 0"),
        framed("content-length: 0_0"),
        framed("content-length: "),
        framed("content-length: 9999999999999999999999"),
        framed("content-length : 400"),
        framed("content-length\t: 400"),
        framed(" content-length: 400"),
        framed("x: y\r\n content-length: 400"),
        framed("x: y\ncontent-length: 400"),
        framed("x: y\rcontent-length: 400"),
        framed("x: y\n\nGET / HTTP/1.1"),
        framed("x: y\x00content-length: 400"),
        framed("x\x00: y"),
        framed("content-length:\x0b400"),
        framed("transfer-encoding: xchunked"),
        framed("transfer-encoding: chunkedx"),
        framed("transfer-encoding: identity"),
        framed("transfer-encoding: gzip, chunked", body=b"0\r\n\r\n"),
        framed("transfer-encoding: identity, chunked", body=b"0\r\n\r\n"),
        framed("transfer-encoding: ,chunked", body=b"0\r\n\r\n"),
        framed("transfer-encoding: chunked, identity", body=b"0\r\n\r\n"),
        framed("transfer-encoding: chunked, chunked", body=b"0\r\n\r\n"),
        framed('transfer-encoding: "chunked"', body=b"0\r\n\r\n"),
        framed("transfer-encoding: chunked;q=1", body=b"0\r\n\r\n"),
        framed("transfer-encoding:\x0bchunked", body=b"0\r\n\r\n"),
        framed("transfer-encoding: \x00chunked", body=b"0\r\n\r\n"),
        framed("transfer-encoding : chunked", body=b"0\r\n\r\n"),
        framed("transfer-encoding: identity", "transfer-encoding: chunked", body=b"0\r\n\r\n"),
        framed("transfer-encoding: chunked", "transfer-encoding: identity", body=b"0\r\n\r\n"),
        framed("transfer-encoding: chunked", "transfer-encoding: chunked", body=b"0\r\n\r\n"),
        framed("transfer-encoding:", body=b"0\r\n\r\n"),
        framed("x: y\r\n transfer-encoding: chunked", body=b"0\r\n\r\n"),
        framed("connection: upgrade", "upgrade: h2c", "content-length: 5", body=b"hello"),
        framed("connection: upgrade", "upgrade: websocket", "transfer-encoding: chunked", body=b"0\r\n\r\n"),
        began(b"POST /v1/documents HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
        began(b"GET /health/live HTTP/1.1\nhost: x\n\n"),
        began(b"GET /health/live HTTP/1.1\r\nhost: x\n\n"),
        began(b"GET /health/live HTTP/1.1\r\nhost: x\r\n\n"),
        began(b"GET /health/live HTTP/1.1\r\r\nhost: x\r\n\r\n"),
        began(b"GET /health/live HTTP/1.1 \r\nhost: x\r\n\r\n"),
        began(b"GET  /health/live HTTP/1.1\r\nhost: x\r\n\r\n"),
        began(b"GET\t/health/live HTTP/1.1\r\nhost: x\r\n\r\n"),
        began(b"GET /health/live HTTP/1.1 HTTP/1.1\r\nhost: x\r\n\r\n"),
        began(b"GET /health/live#x HTTP/1.1\r\nhost: x\r\n\r\n"),
        began(b"GET /health\x00/live HTTP/1.1\r\nhost: x\r\n\r\n"),
        began(b"GET /health/l\xefve HTTP/1.1\r\nhost: x\r\n\r\n"),
        began(b"GET http://x/health/live HTTP/1.1\r\nhost: y\r\n\r\n"),
        began(b"GET health/live HTTP/1.1\r\nhost: x\r\n\r\n"),
        began(b"GET * HTTP/1.1\r\nhost: x\r\n\r\n"),
        began(b"OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n"),
        began(b"CONNECT x:443 HTTP/1.1\r\nhost: x:443\r\n\r\n"),
        began(b"CONNECT /health/live HTTP/1.1\r\nhost: x:443\r\ncontent-length: 5\r\n\r\n"),
        began(b"GET /health/live\r\n\r\n"),
        began(b"GET /health/live HTTP/0.9\r\n\r\n"),
        began(b"GET /health/live HTTP/1.2\r\nhost: x\r\n\r\n"),
        began(b"GET /health/live HTTP/2.0\r\nhost: x\r\n\r\n"),
        began(b"GET /health/live HTTP/1.10\r\nhost: x\r\n\r\n"),
        began(b"GET /health/live http/1.1\r\nhost: x\r\n\r\n"),
        began(b"GET /health/live RTSP/1.0\r\nhost: x\r\n\r\n"),
        began(b"DESCRIBE /health/live RTSP/1.0\r\nhost: x\r\n\r\n"),
        began(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        began(b"get /health/live HTTP/1.1\r\nhost: x\r\n\r\n"),
        began(b"GET /health/live HTTP/1.1\r\n\r\n"),
        began(b"GET /health/live HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n"),
        began(b"GET /health/live HTTP/1.1\r\nhost: x\r\nno colon\r\n\r\n"),
        began(b"GET /health/live HTTP/1.1\r\nhost: x\r\n: no name\r\n\r\n"),
        began(b"GET /health/live HTTP/1.1\r\nhost: x\r\nn\xe4me: x\r\n\r\n"),
        began(b"GET /health/live HTTP/1.1\r\nhost: x\r\nna(me): x\r\n\r\n"),
        began(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
        began(b"\x00"),
        began(b" GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n"),
        began(b"SSH-2.0-OpenSSH_9\r\n"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused_and_nothing_behind_it_is_read(
    world: "World", attack: Callable[["World"], bytes]
) -> None:
    before = world.state()
    answer = world.raw(attack(world), PATIENCE, hang_up=True)
    assert answer.startswith(b"HTTP/1.1 400 "), answer
    refused(answer, 400, json.loads(answer.partition(b"\r\n\r\n")[2])["code"])
    assert world.state() == before


@pytest.mark.parametrize(
    "name", ["Authorization", "Content-Type", "Idempotency-Key", "If-Match", "Signalpost-Tenant", "Host", "Expect"]
)
def test_a_header_that_decides_something_comes_once(world: "World", name: str) -> None:
    before = world.state()
    problem = refused(world.raw(creation(world, f"{name}: a", f"{name.upper()}: a"), PATIENCE), 400, "repeated_header")
    assert problem["detail"] == f"Send these headers once: {name.lower()}."
    assert world.state() == before


@pytest.mark.parametrize(
    ("chunks", "status"),
    [
        (b"%x\r\n%b\r\n0\r\n\r\n", 201),
        (b"%X;a=b;c\r\n%b\r\n0;d\r\nx: y\r\n\r\n", 201),
        (b"%x\n%b\r\n0\r\n\r\n", 400),
        (b"%x \r\n%b\r\n0\r\n\r\n", 400),
        (b"0x%x\r\n%b\r\n0\r\n\r\n", 400),
        (b"%x\r\n%b0\r\n\r\n", 400),
        (b"%x\r\n%b\r\n0\r\nx: y\n\r\n", 400),
        (b"%x\r\n%b\r\n0\r\ncontent-length: 3\r\n\r\n", 400),
        (b"%x\r\n%b\r\n-0\r\n\r\n", 400),
        (b"%x\r\n%b\r\nfffffffffffffffff\r\n\r\n", 400),
    ],
)
def test_chunks_are_read_strictly(world: "World", chunks: bytes, status: int) -> None:
    body = json.dumps(dict(world.document)).encode()
    head = request(world, POST, "transfer-encoding: chunked", "connection: close")
    answer = world.raw(head + chunks % (len(body), body), PATIENCE)
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer
    if status == 400:
        refused(answer, 400, "incomplete_body")


def test_a_trailer_is_no_header(world: "World") -> None:
    """A proxy that takes `signalpost-tenant` off a request would not look for it there."""
    body = json.dumps(dict(world.document)).encode()
    head = request(world, POST, "transfer-encoding: chunked", "connection: close")
    trailers = b"signalpost-tenant: nobody\r\nidempotency-key: a b\r\nif-match: x\r\n"
    answer = world.raw(head + b"%x\r\n%b\r\n0\r\n%b\r\n" % (len(body), body, trailers), PATIENCE)
    assert answer.startswith(b"HTTP/1.1 201 "), answer


def test_empty_lines_before_a_request_are_skipped(world: "World") -> None:
    answer = world.raw(b"\r\n\r\n" + request(world, "GET /health/live", "connection: close"), PATIENCE)
    assert answer.startswith(b"HTTP/1.1 200 ")


# --- Several requests on one connection -------------------------------------------------------------------------------


def test_a_flood_of_requests_in_one_packet_is_answered_one_by_one(world: "World") -> None:
    count = 2000
    with connected(world) as connection:
        connection.sendall(request(world, "GET /health/live") * count)
        connection.shutdown(socket.SHUT_WR)
        assert until_closed(connection).count(b"HTTP/1.1 200 ") == count


def test_bodies_and_heads_may_be_cut_anywhere(world: "World") -> None:
    whole = creation(world) + request(world, "GET /health/live") + creation(world, "connection: close")
    for size in (1, 7, 64):
        with connected(world) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for at in range(0, len(whole), size):
                connection.sendall(whole[at : at + size])
            answers = until_closed(connection)
        assert re.findall(rb"HTTP/1\.1 (\d+)", answers) == [b"201", b"200", b"201"]


def test_what_follows_a_chunked_request_in_its_packet_costs_the_connection(world: "World") -> None:
    chunked = request(world, "GET /health/live", "transfer-encoding: chunked")
    with connected(world) as connection:
        connection.sendall(chunked + b"0\r\n\r\n" + creation(world))
        answers = until_closed(connection)
    assert answers.count(b"HTTP/1.1 ") == 1


def test_after_the_last_request_nothing_is_read(world: "World") -> None:
    before = world.state()
    last = request(world, "GET /health/live", "connection: close")
    old = b"GET /health/live HTTP/1.0\r\n\r\n"
    for first in (last, old, old.replace(b"\r\n\r\n", b"\r\nconnection: keep-alive\r\n\r\n")):
        answers = world.raw(first + creation(world), PATIENCE)
        assert answers.startswith(b"HTTP/1.1 200 ")
        assert answers.count(b"HTTP/1.1 ") == 1
    assert world.state() == before


def test_who_asks_for_another_protocol_is_answered_in_this_one(world: "World") -> None:
    for upgrade in ("h2c", "websocket", "TLS/1.0"):
        ask = request(world, "GET /health/live", "connection: Upgrade", f"upgrade: {upgrade}")
        answers = world.raw(ask + creation(world), PATIENCE)
        assert answers.startswith(b"HTTP/1.1 200 ")
        assert b"\r\nconnection: close\r\n" in answers
        assert answers.count(b"HTTP/1.1 ") == 1


# --- Answers that come before the request is whole --------------------------------------------------------------------


def test_an_early_answer_reaches_a_client_that_still_sends(world: "World") -> None:
    """Closed with something unread, the connection would be reset, and the answer lost."""
    for key, status, code in ((world.key, 413, "body_too_large"), ("wrong", 401, "unknown_key")):
        head = request(world, POST, "content-length: 9000000").replace(world.key.encode(), key.encode())
        with connected(world) as connection:
            connection.sendall(head + bytes(9_000_000))
            refused(until_closed(connection), status, code)


def test_a_client_that_waits_to_be_asked_for_its_body_is_asked_only_if_it_is_wanted(world: "World") -> None:
    body = json.dumps(dict(world.document)).encode()
    head = creation(world, "expect: 100-continue")[: -len(body)]
    with connected(world) as connection:
        connection.sendall(head)
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert connection.recv(65536).startswith(b"HTTP/1.1 201 ")
    with connected(world) as connection:
        connection.sendall(head.replace(world.key.encode(), b"wrong"))
        connection.shutdown(socket.SHUT_WR)
        refused(until_closed(connection), 401, "unknown_key")


def test_a_client_of_http_1_0_is_not_asked_for_its_body(world: "World") -> None:
    """An old client would take `100 Continue` for the answer (RFC 9110, 10.1.1)."""
    old = creation(world, "expect: 100-continue").replace(b"HTTP/1.1", b"HTTP/1.0")
    head, end, body = old.partition(b"\r\n\r\n")
    with connected(world) as connection:
        connection.sendall(head + end)
        assert world.get("/health/live").status == 200  # by now the head before it was read
        connection.sendall(body)
        assert until_closed(connection).startswith(b"HTTP/1.1 201 ")


def test_a_client_that_sends_no_more_still_has_its_answer(world: "World") -> None:
    with connected(world) as connection:
        connection.sendall(creation(world))
        connection.shutdown(socket.SHUT_WR)
        assert until_closed(connection).startswith(b"HTTP/1.1 201 ")


# --- How many clients there may be ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(make_world: Callable[..., "World"]) -> "World":
    return make_world(max_connections=10)


def test_when_there_are_too_many_the_longest_waiting_makes_room(small: "World") -> None:
    small.close()
    with ExitStack() as stack:
        silent = [stack.enter_context(connected(small)) for _ in range(10 + SPARE)]
        # The last first: once that is answered, all have been let in, in their order.
        for connection in (silent[-1], *silent[:2]):
            connection.sendall(request(small, "GET /health/live"))
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        with connected(small) as newcomer:
            newcomer.sendall(request(small, "GET /v1/events", "connection: close"))
            assert until_closed(newcomer).startswith(b"HTTP/1.1 200 ")
        assert until_closed(silent[2]) == b"", "the first that never asked"
        silent[0].sendall(request(small, "GET /health/live"))
        assert silent[0].recv(65536).startswith(b"HTTP/1.1 200 ")


def test_when_there_is_too_much_work_only_health_is_answered(small: "World") -> None:
    clients = [small.another() for _ in range(3)]  # no key may have all
    for client in clients:
        client.key = small.send("POST", "/v1/keys", {"name": "busy", "role": "operator"}).ok(201)["key"]
    small.close()
    with ExitStack() as stack:
        busy = [stack.enter_context(connected(small)) for _ in range(10)]
        for number, connection in enumerate(busy):
            connection.sendall(request(clients[number % 3], POST, "expect: 100-continue", "content-length: 2"))
            assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        for path in ("/health/live", "/health/ready", "/metrics"):
            with connected(small) as newcomer:
                newcomer.sendall(request(small, f"GET {path}", "connection: close"))
                assert until_closed(newcomer).startswith(b"HTTP/1.1 200 "), path
        with connected(small) as newcomer:
            newcomer.sendall(request(small, "GET /v1/events"))
            newcomer.shutdown(socket.SHUT_WR)
            answer = until_closed(newcomer)
            refused(answer, 503, "too_many_connections")
            assert b"\r\nretry-after: 1\r\n" in answer
        for connection in busy:
            connection.sendall(b"{}")
            assert connection.recv(65536).startswith(b"HTTP/1.1 422 ")
        with connected(small) as newcomer:
            newcomer.sendall(request(small, "GET /v1/events", "connection: close"))
            assert until_closed(newcomer).startswith(b"HTTP/1.1 200 ")
