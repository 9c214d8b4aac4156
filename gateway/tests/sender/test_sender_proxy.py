"""Everything leaves through the operator's proxy where there is one, to the addresses that the guard has passed; what
the proxy does wrong is the proxy's fault."""

import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trustme
from gateway.tests.fakes.connect_proxy import FROM, ConnectProxy

from signalpost.domain.delivery.outcome import Failure
from signalpost.sender.egress_proxy import MAX_HEAD_BYTES, EgressProxy, parse_egress_proxy

if TYPE_CHECKING:
    from gateway.tests.sender.conftest import Run, Sending
    from gateway.tests.sender.endpoint import Endpoint, Peer, Script

Serve = Callable[..., "Endpoint"]

HOST = "hooks.example"
HERE = {HOST: ["127.0.0.1"]}
LAST = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
STANDS = b"HTTP/1.1 200 Connection established\r\n\r\n"


def through(proxy: "Endpoint | ConnectProxy", credentials: bytes | None = None) -> EgressProxy:
    return EgressProxy("127.0.0.1", proxy.port, credentials)


@pytest.fixture
def proxy() -> Iterator[ConnectProxy]:
    with ConnectProxy() as made:
        yield made


def noting_callers(callers: list[str], answer: bytes = LAST) -> "Script":
    def script(peer: "Peer") -> None:
        callers.append(peer.raw.getpeername()[0])
        while True:
            peer.answer(answer)

    return script


def server_context(authority: trustme.CA, *identities: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*identities).configure_cert(context)
    return context


def test_nothing_reaches_an_endpoint_but_through_the_proxy_which_is_asked_for_its_address(
    run: "Run", serve: Serve, sending: "Sending", authority: trustme.CA, ca_file: Path, proxy: ConnectProxy
) -> None:
    callers: list[str] = []
    secure = serve(noting_callers(callers), tls=server_context(authority, HOST))
    plain = serve(noting_callers(callers))

    async def scenario() -> None:
        async with sending(secure, plain, names=HERE, ca_file=ca_file, proxy=through(proxy)) as client:
            for endpoint in (secure, plain, secure):
                assert (await client.attempt(endpoint.request(host=HOST))).failure is None

    run(scenario())
    assert callers == [FROM] * 3
    for lines, port in zip(proxy.asked, (secure.port, plain.port, secure.port), strict=True):
        assert lines == [f"CONNECT 127.0.0.1:{port} HTTP/1.1", f"host: 127.0.0.1:{port}"]


def test_an_ipv6_address_is_asked_for_in_brackets(run: "Run", serve: Serve, sending: "Sending") -> None:
    asked: list[bytes] = []

    def script(peer: "Peer") -> None:
        asked.append(peer.read_head())
        peer.send(STANDS)
        peer.answer(LAST)

    front = serve(script)

    async def scenario() -> None:
        names = {HOST: ["2606:4700::1"]}
        async with sending(names=names, proxy=through(front), allow=f"http://{HOST}:80") as client:
            request = front.request(host=HOST)
            target = type(request.target)("http", HOST, 80)
            assert (await client.attempt(type(request)(target, request.head, request.body))).failure is None

    run(scenario())
    assert asked[0].startswith(b"CONNECT [2606:4700::1]:80 HTTP/1.1\r\n")


def test_the_guard_judges_targets_before_the_proxy_hears_of_them(run: "Run", serve: Serve, sending: "Sending") -> None:
    front, endpoint = serve(LAST), serve(LAST)

    async def scenario() -> None:
        names = {HOST: ["127.0.0.1"], "inside.example": ["10.0.0.7"], "denied.example": ["127.0.0.1"]}
        allow = f"http://denied.example:{endpoint.port}"
        async with sending(endpoint, names=names, proxy=through(front), allow=allow, deny="denied.example") as client:
            for host in ("inside.example", "denied.example", "169.254.169.254"):
                outcome = await client.attempt(endpoint.request(host=host))
                assert outcome.failure is Failure.ADDRESS_REFUSED

    run(scenario())
    assert (front.connections, endpoint.connections) == (0, 0)


def test_a_proxy_with_a_name_and_credentials_gets_them_and_no_endpoint_does(
    run: "Run", serve: Serve, sending: "Sending", proxy: ConnectProxy
) -> None:
    heads: list[bytes] = []

    def script(peer: "Peer") -> None:
        heads.append(peer.read_request().head)
        peer.send(LAST)

    endpoint = serve(script)
    url = f"http://gate%40way:p%3Ass@proxy.internal:{proxy.port}"

    async def scenario() -> None:
        names = {**HERE, "proxy.internal": ["127.0.0.1"]}
        async with sending(endpoint, names=names, proxy=parse_egress_proxy(url)) as client:
            assert (await client.attempt(endpoint.request(host=HOST))).failure is None

    run(scenario())
    assert proxy.asked[0][-1] == "proxy-authorization: Basic Z2F0ZUB3YXk6cDpzcw=="
    assert b"proxy" not in heads[0].lower()


def test_a_tunnel_is_kept_for_its_target_and_the_next_resumes_the_session(
    run: "Run", serve: Serve, sending: "Sending", authority: trustme.CA, ca_file: Path, proxy: ConnectProxy
) -> None:
    resumed: list[bool | None] = []

    def script(peer: "Peer") -> None:
        assert isinstance(peer.raw, ssl.SSLSocket)
        resumed.append(peer.raw.session_reused)
        peer.answer(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        peer.answer(LAST)

    endpoint = serve(script, tls=server_context(authority, HOST))

    async def scenario() -> None:
        async with sending(endpoint, names=HERE, ca_file=ca_file, proxy=through(proxy)) as client:
            for _ in range(4):
                assert (await client.attempt(endpoint.request(host=HOST))).failure is None

    run(scenario())
    assert resumed == [False, True]
    assert len(proxy.asked) == 2


def test_a_certificate_for_another_host_is_refused_through_the_proxy_too(
    run: "Run", serve: Serve, sending: "Sending", authority: trustme.CA, ca_file: Path, proxy: ConnectProxy
) -> None:
    endpoint = serve(LAST, tls=server_context(authority, "127.0.0.1"))

    async def scenario() -> None:
        async with sending(endpoint, names=HERE, ca_file=ca_file, proxy=through(proxy)) as client:
            assert (await client.attempt(endpoint.request(host=HOST))).failure is Failure.TLS_HOSTNAME

    run(scenario())


def answering(data: bytes) -> "Script":
    def script(peer: "Peer") -> None:
        peer.read_head()
        peer.send(data)
        peer.hold()

    return script


def closing(data: bytes) -> "Script":
    def script(peer: "Peer") -> None:
        peer.read_head()
        peer.send(data)

    return script


def resetting(peer: "Peer") -> None:
    peer.read_head()
    peer.reset()


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (answering(b"HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\n\r\n"), "407"),
        (answering(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 3\r\n\r\nno\n"), "502"),
        (answering(b"HTTP/1.0 403 Forbidden\r\n\r\n"), "403"),
        (answering(b"HTTP/1.1 100 Continue\r\n\r\n"), "100"),
        (answering(b"220 mail.example ESMTP\r\n\r\n"), "HTTP"),
        (answering(b"\x16\x03\x01\x00\x2f\r\n\r\n"), "HTTP"),
        (answering(STANDS + b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"), "more"),
        (answering(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * MAX_HEAD_BYTES), "long"),
        (closing(b""), "closed"),
        (closing(b"HTTP/1.1 200 Connection est"), "closed"),
        (resetting, "closed"),
    ],
)
def test_what_the_proxy_does_wrong_is_the_proxys_fault_and_nothing_is_sent(
    run: "Run", serve: Serve, sending: "Sending", script: "Script", said: str
) -> None:
    endpoint, front = serve(LAST), serve(script)

    async def scenario() -> None:
        proxy = through(front, b"c2VjcmV0OnNlY3JldA==")
        async with sending(endpoint, names=HERE, proxy=proxy) as client:
            outcome = await client.attempt(endpoint.request(host=HOST))
            assert outcome.failure is Failure.PROXY
            assert said in outcome.detail
            assert outcome.status is None
            assert "c2VjcmV0" not in outcome.detail

    run(scenario())
    assert endpoint.connections == 0


def test_what_comes_after_the_proxys_answer_is_taken_for_the_endpoints_and_is_no_tls(
    run: "Run", serve: Serve, sending: "Sending", authority: trustme.CA, ca_file: Path
) -> None:
    def script(peer: "Peer") -> None:
        peer.read_head()
        peer.send(STANDS)
        peer.skip(1)  # the sender speaks now
        peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        peer.hold()

    endpoint, front = serve(LAST, tls=server_context(authority, HOST)), serve(script)

    async def scenario() -> None:
        async with sending(endpoint, names=HERE, ca_file=ca_file, proxy=through(front)) as client:
            assert (await client.attempt(endpoint.request(host=HOST))).failure is Failure.TLS_HANDSHAKE

    run(scenario())


def silent(peer: "Peer") -> None:
    peer.hold()


def dripping(peer: "Peer") -> None:
    peer.read_head()
    peer.drip(STANDS, every=0.1)


@pytest.mark.parametrize("script", [silent, dripping])
def test_a_proxy_that_hangs_ends_with_the_attempts_time_at_the_latest(
    run: "Run", serve: Serve, sending: "Sending", script: "Script"
) -> None:
    endpoint, front = serve(LAST), serve(script)

    async def scenario() -> None:
        async with sending(endpoint, names=HERE, proxy=through(front), attempt_timeout=0.3) as client:
            outcome = await client.attempt(endpoint.request(host=HOST), within=2.0)
            assert outcome.failure is Failure.PROXY
            assert outcome.detail == "The operator's egress proxy made no connection within 0.3 s."

    run(scenario())
    assert endpoint.connections == 0


def test_a_proxy_that_hangs_at_one_address_leaves_time_for_the_next(
    run: "Run", serve: Serve, sending: "Sending"
) -> None:
    asked: list[bytes] = []

    def script(peer: "Peer") -> None:
        asked.append(peer.read_head().split(b" ")[1])
        if peer.number == 0:
            peer.hold()
        peer.send(STANDS)
        peer.answer(LAST)

    endpoint, front = serve(LAST), serve(script)

    async def scenario() -> None:
        names = {HOST: ["127.0.0.9", "127.0.0.1"]}
        async with sending(endpoint, names=names, proxy=through(front), connect_timeout=2.0) as client:
            assert (await client.attempt(endpoint.request(host=HOST))).failure is None

    run(scenario())
    assert asked == [f"{address}:{endpoint.port}".encode() for address in ("127.0.0.9", "127.0.0.1")]


def test_a_proxy_that_cannot_be_reached_or_found(run: "Run", serve: Serve, sending: "Sending") -> None:
    endpoint = serve(LAST)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = taken.getsockname()[1]

    async def scenario() -> None:
        for host, said in (("127.0.0.1", "cannot be reached"), ("nowhere.example", "no address")):
            async with sending(endpoint, names=HERE, proxy=EgressProxy(host, nobody)) as client:
                outcome = await client.attempt(endpoint.request(host=HOST))
                assert outcome.failure is Failure.PROXY
                assert said in outcome.detail

    run(scenario())
    assert endpoint.connections == 0


@pytest.mark.parametrize(
    ("text", "proxy"),
    [
        ("http://10.0.0.1:3128", EgressProxy("10.0.0.1", 3128)),
        ("http://Proxy.Internal:3128/", EgressProxy("proxy.internal", 3128)),
        ("http://[fd00::1]:8080", EgressProxy("fd00::1", 8080)),
        ("http://user:pass@proxy:1", EgressProxy("proxy", 1, b"dXNlcjpwYXNz")),
        ("http://user:a%40b@proxy:1", EgressProxy("proxy", 1, b"dXNlcjphQGI=")),
    ],
)
def test_the_setting_says_where_the_proxy_is_and_shows_no_password(text: str, proxy: EgressProxy) -> None:
    assert parse_egress_proxy(text) == proxy
    assert "pass" not in repr(parse_egress_proxy(text))
    assert "dXNl" not in repr(parse_egress_proxy(text))


@pytest.mark.parametrize(
    "text",
    [
        "proxy:3128", "https://proxy:3128", "socks5://proxy:1080", "http://proxy", "http://proxy:0",
        "http://proxy:65536", "http://proxy:3128/path", "http://user:secret pass@proxy:1", "http://[::1:80", "http://:80",
        "http://[1.2.3.4]x:80", "http://user:secret\r\n@proxy:1", "",
    ],
)  # fmt: skip
def test_what_is_no_address_of_a_proxy_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ValueError, match="must be http") as refused:
        parse_egress_proxy(text)
    assert "secret" not in str(refused.value)
