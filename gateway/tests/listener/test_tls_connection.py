"""TLS of the gateway's own, on real sockets: what clients get, slow and strange ones included."""

import asyncio
import contextlib
import http.client
import json
import socket
import ssl
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol

import pytest
import trustme
import uvloop
from gateway.tests.captured_log import captured_log
from gateway.tests.listener.applications import read
from gateway.tests.patience import PATIENCE
from gateway.tests.worker_on_loop import ALONE, LISTENING, ServerWithWorker

from signalpost.listener.application import Answer, ArrivingBody, Head, Steps
from signalpost.listener.certificate import Certificate
from signalpost.listener.connection_limits import SPARE
from signalpost.listener.server import Server
from signalpost.listener.serving import ServerSettings

HOST = "gateway.example"
EARLY, STREAMED = "/early", "/streamed"


def app(head: Head, body: ArrivingBody) -> Steps:
    """Answers with the scheme and the body; `EARLY` does so before the body has come, `STREAMED` in parts."""
    content = b"" if head.path == EARLY else (yield read(body))
    answer = head.scheme.encode() + b":" + content
    if head.path == STREAMED:
        return Answer(200, (), in_parts(answer))
    return Answer(200, (("content-length", str(len(answer))),), answer)


async def in_parts(content: bytes) -> AsyncGenerator[bytes, None]:
    for at in range(0, len(content), 100_000):
        yield content[at : at + 100_000]


class Files(NamedTuple):
    """Where a certificate and its key are."""

    cert: Path
    key: Path

    def write(self, leaf: trustme.LeafCert) -> None:
        self.cert.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        self.key.touch(0o600)
        self.key.write_bytes(leaf.private_key_pem.bytes())


@pytest.fixture
def files(authority: trustme.CA, tmp_path: Path) -> Files:
    found = Files(tmp_path / "cert.pem", tmp_path / "key.pem")
    found.write(authority.issue_cert(HOST))
    return found


class Serving(Protocol):
    def __call__(
        self, *, max_connections: int = ..., wait_seconds: float = ..., now: Callable[[], float] = ...
    ) -> AbstractContextManager[int]: ...


@pytest.fixture(params=[(loop, listening) for loop in ("uvloop", "asyncio") for listening in LISTENING], ids="-".join)
def serving(request: pytest.FixtureRequest, files: Files) -> Serving:
    """Serves `app` over TLS on a thread of its own; the port."""
    loop_kind, listening = request.param

    @contextmanager
    def serve(
        *, max_connections: int = 100, wait_seconds: float = PATIENCE, now: Callable[[], float] = lambda: 0.0
    ) -> Iterator[int]:
        listener = socket.create_server(("127.0.0.1", 0))
        servers: list[tuple[asyncio.AbstractEventLoop, Server | ServerWithWorker]] = []

        async def main() -> None:
            make: Callable[..., Server | ServerWithWorker] = (
                Server if listening == ALONE else partial(ServerWithWorker, now=now)
            )
            settings = ServerSettings(max_connections=max_connections, stop_seconds=1.0, wait_seconds=wait_seconds)
            server = make(app, listener, settings, Certificate(*files, now=now))
            servers.append((asyncio.get_running_loop(), server))
            await server.serve()

        def run() -> None:
            factory = uvloop.new_event_loop if loop_kind == "uvloop" else None
            with asyncio.Runner(loop_factory=factory) as runner:
                runner.run(main())

        port = listener.getsockname()[1]
        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield port
        finally:
            while not servers:
                thread.join(0.01)
            loop, server = servers[0]
            loop.call_soon_threadsafe(server.stop)
            thread.join(PATIENCE)
            assert not thread.is_alive(), "it does not stop"

    return serve


@pytest.fixture
def client(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)


def secured(port: int, client: ssl.SSLContext) -> ssl.SSLSocket:
    """A connection whose end without TLS's closing message is an error."""
    return client.wrap_socket(connected(port), server_hostname=HOST, suppress_ragged_eofs=False)


def until_closed(connection: socket.socket) -> bytes:
    received = b""
    while part := connection.recv(65536):
        received += part
    return received


def post(body: bytes, path: str = "/", *, version: str = "1.1") -> bytes:
    return f"POST {path} HTTP/{version}\r\nhost: {HOST}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


def answer_of(connection: ssl.SSLSocket) -> bytes:
    response = http.client.HTTPResponse(connection)
    response.begin()
    return response.read()


def test_requests_are_answered_over_tls_and_browsers_are_told_to_insist_on_it(
    serving: Serving, client: ssl.SSLContext
) -> None:
    with serving() as port, secured(port, client) as connection:
        for body in (b"", b"one", b"two" * 1_000_000):
            connection.sendall(post(body))
            response = http.client.HTTPResponse(connection)
            response.begin()
            assert response.read() == b"https:" + body
            assert response.getheader("strict-transport-security") == "max-age=31536000; includeSubDomains"


def test_requests_that_come_together_are_answered_in_turn(serving: Serving, client: ssl.SSLContext) -> None:
    with serving() as port, secured(port, client) as connection:
        connection.sendall(b"".join(post(str(number).encode()) for number in range(50)))
        socket.socket.shutdown(connection, socket.SHUT_WR)
        bodies = until_closed(connection)
        for number in range(50):
            assert b"\r\n\r\nhttps:%d" % number in bodies


def test_only_tls_from_1_2_on_and_http_1_1_are_agreed_on(serving: Serving, client: ssl.SSLContext) -> None:
    client.set_alpn_protocols(["h2", "http/1.1"])
    with serving() as port:
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            client.minimum_version = client.maximum_version = version
            with secured(port, client) as connection:
                assert connection.version() == version.name.replace("v1_", "v1.")
                assert connection.selected_alpn_protocol() == "http/1.1"
                connection.sendall(post(b"x"))
                assert answer_of(connection) == b"https:x"
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        with connected(port) as raw, pytest.raises(ssl.SSLError, match=r"(?i)protocol.version"):
            old.wrap_socket(raw, server_hostname=HOST)


def test_plain_http_is_told_to_speak_tls(serving: Serving, client: ssl.SSLContext) -> None:
    with serving() as port:
        with connected(port) as connection:
            connection.sendall(b"GET /health/live HTTP/1.1\r\nhost: x\r\nauthorization: Bearer sp_x\r\n\r\n")
            head, _, body = until_closed(connection).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 400 ")
            assert json.loads(body)["detail"] == "Begin the address with https://."
        with secured(port, client) as connection:
            connection.sendall(post(b"x"))
            assert answer_of(connection) == b"https:x"


@pytest.mark.parametrize(
    "said", [b"\x16", b"\x16\x03\x01\xff\xff" + b"\x01" * 70_000, b"\x16\x03\x01\x00\x05hello", b"\x16" * 300]
)
def test_what_only_begins_like_tls_is_ended_and_harms_nobody(
    serving: Serving, client: ssl.SSLContext, said: bytes
) -> None:
    with serving() as port:
        with connected(port) as connection, contextlib.suppress(ConnectionError):
            connection.sendall(said)
            connection.shutdown(socket.SHUT_WR)
            until_closed(connection)
        with secured(port, client) as connection:
            connection.sendall(post(b"x"))
            assert answer_of(connection) == b"https:x"


def hello(client: ssl.SSLContext) -> bytes:
    """The first message of a client."""
    outgoing = ssl.MemoryBIO()
    tls = client.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=HOST)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


@pytest.mark.parametrize("lasts", [0, 1, 100, None], ids=["nothing", "a byte", "half of it", "all and no more"])
def test_a_handshake_that_does_not_go_on_is_cut_off(
    serving: Serving, client: ssl.SSLContext, lasts: int | None
) -> None:
    with serving(wait_seconds=0.5) as port, connected(port) as connection, contextlib.suppress(ConnectionError):
        connection.sendall(hello(client)[:lasts])
        until_closed(connection)


def test_sending_a_handshake_slowly_gives_no_more_time(serving: Serving, client: ssl.SSLContext) -> None:
    with serving(wait_seconds=0.5) as port, connected(port) as connection:
        connection.settimeout(0.02)
        with contextlib.suppress(ConnectionError):
            for byte in hello(client) * 100:
                connection.sendall(bytes([byte]))
                with contextlib.suppress(TimeoutError):
                    if not connection.recv(1):
                        return
            raise AssertionError("it was never cut off")


def test_handshakes_under_way_are_bounded_and_give_way_to_who_comes(serving: Serving, client: ssl.SSLContext) -> None:
    with serving(max_connections=1) as port, contextlib.ExitStack() as stack:
        begun = hello(client)
        held = [stack.enter_context(connected(port)) for _ in range(2 * (SPARE + 1))]
        for connection in held:
            with contextlib.suppress(ConnectionError):
                connection.sendall(begun)
        with secured(port, client) as connection:
            connection.sendall(post(b"x"))
            assert answer_of(connection) == b"https:x"
        gone = 0
        for connection in held:
            with contextlib.suppress(ConnectionError, TimeoutError):
                connection.settimeout(0.001)
                while connection.recv(65536):
                    pass
                gone += 1
        assert gone < len(held), "who fits is left alone"


def test_an_answer_that_comes_before_the_body_can_be_read(serving: Serving, client: ssl.SSLContext) -> None:
    with serving() as port, secured(port, client) as connection:
        connection.sendall(b"POST /early HTTP/1.1\r\nhost: x\r\ncontent-length: 30000000\r\n\r\n")
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            for _ in range(30):
                connection.sendall(b"x" * 100_000)
        assert b"\r\n\r\nhttps:" in until_closed(connection)


def test_an_answer_whose_end_is_the_connections_ends_as_tls_ends(serving: Serving, client: ssl.SSLContext) -> None:
    with serving() as port, secured(port, client) as connection:
        connection.sendall(post(b"x" * 300_000, STREAMED, version="1.0"))
        assert until_closed(connection).endswith(b"\r\n\r\nhttps:" + b"x" * 300_000)


def test_a_client_that_sends_no_more_still_gets_its_answer(serving: Serving, client: ssl.SSLContext) -> None:
    with serving() as port, secured(port, client) as connection:
        connection.sendall(post(b"y" * 200_000))
        socket.socket.shutdown(connection, socket.SHUT_WR)
        assert until_closed(connection).endswith(b"https:" + b"y" * 200_000)


def test_a_stop_waits_for_no_handshake(serving: Serving, client: ssl.SSLContext) -> None:
    with connected_while(serving) as (port, stack):
        for said in (b"", hello(client)):
            stack.enter_context(connected(port)).sendall(said)
        with secured(port, client) as connection:
            connection.sendall(post(b"x"))
            assert answer_of(connection) == b"https:x"


@contextmanager
def connected_while(serving: Serving) -> Iterator[tuple[int, contextlib.ExitStack]]:
    """What is entered is open until the server has stopped."""
    with contextlib.ExitStack() as stack, serving() as port:
        yield port, stack


def serial(connection: ssl.SSLSocket) -> object:
    certificate = connection.getpeercert()
    assert certificate is not None
    return certificate["serialNumber"]


def test_a_new_certificate_is_used_for_who_comes_and_nobody_is_cut_off(
    serving: Serving, client: ssl.SSLContext, authority: trustme.CA, files: Files
) -> None:
    now = 0.0
    with serving(now=lambda: now) as port, secured(port, client) as before:
        files.write(authority.issue_cert(HOST))
        now = 2.0
        with secured(port, client) as after:
            assert serial(after) != serial(before)
            for connection in (before, after):
                connection.sendall(post(b"x"))
                assert answer_of(connection) == b"https:x"


def test_a_broken_pair_changes_nothing_and_is_told_once(
    serving: Serving, client: ssl.SSLContext, authority: trustme.CA, files: Files
) -> None:
    now = 0.0
    with captured_log() as logs, serving(now=lambda: now) as port:
        with secured(port, client) as connection:
            good = serial(connection)
        key = files.key.read_bytes()
        files.write(authority.issue_cert(HOST))
        files.key.write_bytes(key)
        for now in (2.0, 4.0, 6.0):  # noqa: B007 - the server's clock
            with secured(port, client) as connection:
                assert serial(connection) == good
        files.write(authority.issue_cert(HOST))
        now = 8.0
        with secured(port, client) as connection:
            assert serial(connection) != good
    told = [line for line in logs if line["level"] == "warning"]
    assert [line["reason"] for line in told] == [
        f"The key in {files.key} is not that of the certificate in {files.cert}."
    ]
