"""New connections go on with the TLS session of the last whole handshake, and never with one that is not theirs."""

import datetime
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trustme

from signalpost.domain.delivery.outcome import Failure
from signalpost.domain.request import Target
from signalpost.sender.tls_context import tls_context
from signalpost.sender.tls_sessions import KEPT_SECONDS, TlsSessions

if TYPE_CHECKING:
    from gateway.tests.sender.conftest import Run, Sending
    from gateway.tests.sender.endpoint import Endpoint, Peer, Script

Serve = Callable[..., "Endpoint"]

LAST = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
HOST, OTHER = "hooks.example", "other.example"
NAMES = {HOST: ["127.0.0.1"], OTHER: ["127.0.0.1"]}


def server_context(authority: trustme.CA, *identities: str, **options: object) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*identities, **options).configure_cert(context)  # type: ignore[arg-type]
    return context


def noting(resumed: list[bool | None]) -> "Script":
    """Answers one request on each connection, and notes how TLS was agreed on."""

    def script(peer: "Peer") -> None:
        assert isinstance(peer.raw, ssl.SSLSocket)
        resumed.append(peer.raw.session_reused)
        peer.answer(LAST)

    return script


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_new_connection_to_a_target_resumes_its_session(
    run: "Run", serve: Serve, sending: "Sending", authority: trustme.CA, ca_file: Path, version: ssl.TLSVersion
) -> None:
    resumed: list[bool | None] = []
    context = server_context(authority, HOST)
    context.maximum_version = version
    endpoint = serve(noting(resumed), tls=context)

    async def scenario() -> None:
        async with sending(endpoint, names=NAMES, ca_file=ca_file) as client:
            for _ in range(4):
                assert (await client.attempt(endpoint.request(host=HOST))).failure is None

    run(scenario())
    assert resumed == [False, True, True, True]


def test_a_session_is_of_one_target_alone(
    run: "Run", serve: Serve, sending: "Sending", authority: trustme.CA, ca_file: Path
) -> None:
    resumed: list[bool | None] = []
    # Both endpoints could go on with the session of either: they share the context that made it.
    context = server_context(authority, HOST, OTHER)
    endpoint, elsewhere = serve(noting(resumed), tls=context), serve(noting(resumed), tls=context)

    async def scenario() -> None:
        async with sending(endpoint, elsewhere, names=NAMES, ca_file=ca_file) as client:
            for _ in range(2):
                await client.attempt(endpoint.request(host=HOST))
                await client.attempt(endpoint.request(host=OTHER))
                await client.attempt(elsewhere.request(host=HOST))

    run(scenario())
    assert resumed == [False] * 3 + [True] * 3


def test_an_endpoint_that_wants_no_session_is_served_all_the_same(
    run: "Run", serve: Serve, sending: "Sending", authority: trustme.CA, ca_file: Path
) -> None:
    resumed: list[bool | None] = []
    context = server_context(authority, HOST)
    context.num_tickets = 0
    endpoint = serve(noting(resumed), tls=context)

    async def scenario() -> None:
        async with sending(endpoint, names=NAMES, ca_file=ca_file) as client:
            for _ in range(3):
                assert (await client.attempt(endpoint.request(host=HOST))).failure is None

    run(scenario())
    assert resumed == [False] * 3


def test_an_endpoint_that_forgot_its_sessions_is_shaken_hands_with_anew(
    run: "Run", serve: Serve, sending: "Sending", authority: trustme.CA, ca_file: Path
) -> None:
    resumed: list[bool | None] = []
    endpoint = serve(noting(resumed), tls=server_context(authority, HOST))

    async def scenario() -> None:
        async with sending(endpoint, names=NAMES, ca_file=ca_file) as client:
            await client.attempt(endpoint.request(host=HOST))
            endpoint.stop()
            again = serve(noting(resumed), tls=server_context(authority, HOST), port=endpoint.port)
            for _ in range(2):
                assert (await client.attempt(again.request(host=HOST))).failure is None

    run(scenario())
    assert resumed == [False, False, True]


def test_whoever_took_an_endpoints_place_has_to_show_its_certificate_and_the_session_is_gone(
    run: "Run", serve: Serve, sending: "Sending", authority: trustme.CA, ca_file: Path
) -> None:
    resumed: list[bool | None] = []
    right = server_context(authority, HOST)
    endpoint = serve(noting(resumed), tls=right)

    async def scenario() -> None:
        async with sending(endpoint, names=NAMES, ca_file=ca_file) as client:
            await client.attempt(endpoint.request(host=HOST))
            endpoint.stop()
            false = serve(noting([]), tls=server_context(trustme.CA(), HOST), port=endpoint.port)
            for _ in range(2):
                assert (await client.attempt(false.request(host=HOST))).failure is Failure.TLS_UNTRUSTED
            false.stop()
            back = serve(noting(resumed), tls=right, port=endpoint.port)
            assert (await client.attempt(back.request(host=HOST))).failure is None

    run(scenario())
    assert resumed == [False, False]


def test_a_connection_that_brought_no_answer_leaves_no_session(
    run: "Run", serve: Serve, sending: "Sending", authority: trustme.CA, ca_file: Path
) -> None:
    resumed: list[bool | None] = []

    def script(peer: "Peer") -> None:
        assert isinstance(peer.raw, ssl.SSLSocket)
        resumed.append(peer.raw.session_reused)
        peer.read_request()

    endpoint = serve(script, tls=server_context(authority, HOST))

    async def scenario() -> None:
        async with sending(endpoint, names=NAMES, ca_file=ca_file) as client:
            for _ in range(2):
                assert (await client.attempt(endpoint.request(host=HOST))).failure is Failure.RESET

    run(scenario())
    assert resumed == [False, False]


# How long, and how many: handshakes in memory, at times that the test chooses.


class Clock:
    def __init__(self) -> None:
        self.now = datetime.datetime.now(datetime.UTC).timestamp()

    def __call__(self) -> float:
        return self.now


def shake_hands(sessions: TlsSessions, server: ssl.SSLContext, target: Target) -> bool:
    """A connection with one answer; whether it went on with a session."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    handshake = sessions.handshake(target)
    here = handshake.wrap_bio(to_client, to_server, server_hostname=target.host)
    there = server.wrap_bio(to_server, to_client, server_side=True)
    for side in (here, there, here, there):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    there.write(LAST)
    assert here.read(1_000) == LAST
    handshake.served()
    return bool(here.session_reused)


def target_of(host: str) -> Target:
    return Target("https", host, 443)


def test_a_session_is_offered_for_a_while(authority: trustme.CA, ca_file: Path) -> None:
    clock, server = Clock(), server_context(authority, HOST)
    sessions = TlsSessions(tls_context(ca_file), clock)
    resumed = []
    for _ in range(3):
        resumed.append(shake_hands(sessions, server, target_of(HOST)))
        clock.now += KEPT_SECONDS * 0.6
    assert resumed == [False, True, False], "its time counts from the whole handshake, not from the last use"


def test_a_session_is_not_offered_beyond_the_certificates_end(authority: trustme.CA, ca_file: Path) -> None:
    clock = Clock()
    end = datetime.datetime.fromtimestamp(clock.now, datetime.UTC) + datetime.timedelta(seconds=KEPT_SECONDS / 2)
    server = server_context(authority, HOST, not_after=end)
    sessions = TlsSessions(tls_context(ca_file), clock)
    assert not shake_hands(sessions, server, target_of(HOST))
    clock.now += KEPT_SECONDS * 0.4
    assert shake_hands(sessions, server, target_of(HOST))
    clock.now += KEPT_SECONDS * 0.2
    assert not shake_hands(sessions, server, target_of(HOST))


def test_the_oldest_session_makes_room_for_the_next(authority: trustme.CA, ca_file: Path) -> None:
    hosts = [f"h{number}.example" for number in range(3)]
    server = server_context(authority, *hosts)
    sessions = TlsSessions(tls_context(ca_file), Clock(), most=2)
    for host in hosts:
        assert not shake_hands(sessions, server, target_of(host))
    assert [shake_hands(sessions, server, target_of(host)) for host in reversed(hosts)] == [True, True, False]
