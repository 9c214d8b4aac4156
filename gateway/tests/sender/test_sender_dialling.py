"""From a host name to a connection (C14, C15): names, the guard, TCP, TLS, and what each failure is
called."""

import asyncio
import datetime
import gc
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from gateway.tests.captured_log import captured_log
from gateway.tests.patience import PATIENCE

from signalpost.domain.delivery.outcome import Failure, Outcome
from signalpost.domain.request import OutgoingRequest, Target
from signalpost.sender.resolver import MAX_LOOKUPS, MAX_RUNNING, Names, SystemResolver
from signalpost.sharing.slots import share

if TYPE_CHECKING:
    from gateway.tests.sender.conftest import Run, Sending
    from gateway.tests.sender.endpoint import Endpoint, Peer

Serve = Callable[..., "Endpoint"]

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
HOST = "hooks.example"
HERE = {HOST: ["127.0.0.1"]}


def server_context(authority: trustme.CA, *identities: str, **options: object) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*identities, **options).configure_cert(context)  # type: ignore[arg-type]
    return context


def post(scheme: str, host: str, port: int) -> OutgoingRequest:
    return OutgoingRequest(Target(scheme, host, port), b"POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n", b"")


# Names


def test_a_name_without_an_address_is_a_dns_failure(run: "Run", serve: Serve, sending: "Sending") -> None:
    endpoint = serve(OK)

    async def scenario() -> None:
        async with sending(endpoint, names={"empty.example": [], "odd.example": ["not an address"]}) as client:
            for host in ("unknown.example", "empty.example", "odd.example"):
                outcome = await client.attempt(endpoint.request(host=host))
                assert outcome.failure is Failure.DNS
                assert outcome.detail

    run(scenario())
    assert endpoint.connections == 0


def test_attempts_that_need_one_name_share_a_look_up_and_its_answer_for_a_while(
    run: "Run", serve: Serve, sending: "Sending"
) -> None:
    endpoint = serve(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
    asked: list[str] = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        await asyncio.sleep(0.05)
        return ["127.0.0.1"]

    async def scenario() -> None:
        now = 0.0
        async with sending(endpoint, resolve=resolve, names_kept_seconds=5, clock=lambda: now) as client:
            hosts = ("a.example", "b.example") * 10
            await asyncio.gather(*(client.attempt(endpoint.request(host=host)) for host in hosts))
            now = 4.9
            await client.attempt(endpoint.request(host="a.example"))
            assert sorted(asked) == ["a.example", "b.example"]
            now = 5.1
            await client.attempt(endpoint.request(host="a.example"))
            assert len(asked) == 3

    run(scenario())


def test_a_failed_look_up_is_not_remembered(run: "Run", serve: Serve, sending: "Sending") -> None:
    endpoint = serve(OK)
    answers: list[Sequence[str]] = [["127.0.0.1"]]

    async def resolve(host: str, port: int) -> Sequence[str]:
        if host == HOST and len(answers) == 1:
            answers.append([])
            raise OSError("the name server is down")
        return answers[0]

    async def scenario() -> None:
        async with sending(endpoint, resolve=resolve, names_kept_seconds=10) as client:
            assert (await client.attempt(endpoint.request(host=HOST))).failure is Failure.DNS
            assert (await client.attempt(endpoint.request(host=HOST))).failure is None

    run(scenario())


def test_a_look_up_outlives_the_attempts_that_gave_it_up(run: "Run", serve: Serve, sending: "Sending") -> None:
    endpoint = serve(OK)
    asked: list[str] = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        await answered.wait()
        return ["127.0.0.1"]

    answered = asyncio.Event()

    async def scenario() -> None:
        async with sending(endpoint, resolve=resolve, attempt_timeout=3.0) as client:
            assert (await client.attempt(endpoint.request(host=HOST))).failure is Failure.TIMEOUT
            asyncio.get_running_loop().call_later(0.1, answered.set)
            assert (await client.attempt(endpoint.request(host=HOST))).failure is None
            assert asked == [HOST]

    run(scenario())


def test_the_number_of_names_looked_up_at_once_is_bounded(run: "Run") -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        await asyncio.sleep(30)
        return []

    async def scenario() -> None:
        names = Names(resolve, 0.0, asyncio.get_running_loop().time, limit=2)
        waiting = [asyncio.ensure_future(names.addresses(host, 443)) for host in ("a", "b", "a")]
        await asyncio.sleep(0)
        with pytest.raises(OSError):
            await names.addresses("c", 443)
        await names.close()
        await asyncio.gather(*waiting, return_exceptions=True)

    run(scenario())


def test_names_that_take_long_leave_look_ups_for_the_names_of_others(run: "Run") -> None:
    """A tenant with a hundred names whose server is silent had all of them, and everybody else none."""
    begun: list[str] = []
    over = asyncio.Event()

    async def resolve(host: str, port: int) -> Sequence[str]:
        begun.append(host)
        if host.startswith("silent"):
            await over.wait()
        return ["192.0.2.1"]

    async def scenario() -> None:
        names = Names(resolve, 0.0, asyncio.get_running_loop().time, wait_seconds=PATIENCE)
        silent = [asyncio.ensure_future(names.addresses(f"silent{n}", 443, holder=1)) for n in range(2 * MAX_LOOKUPS)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert len(begun) < MAX_RUNNING
        for n in range(20):
            assert await names.addresses(f"well{n}", 443, holder=2) == ["192.0.2.1"]
        # The same name is looked up for each: who waits for a turn shares it with nobody else.
        another = asyncio.ensure_future(names.addresses(f"silent{MAX_LOOKUPS // 2}", 443, holder=3))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert begun[-1] == f"silent{MAX_LOOKUPS // 2}"
        over.set()
        assert await another == ["192.0.2.1"]
        found = await asyncio.gather(*silent, return_exceptions=True)
        assert sum(each == ["192.0.2.1"] for each in found) == share(MAX_LOOKUPS, 0)
        await names.close()

    run(scenario())


def test_attempts_that_have_waited_long_enough_for_names_end_one_in_each_round_of_the_loop(run: "Run") -> None:
    """A hundred that had begun together kept the loop for 7 ms as they ended together."""

    async def resolve(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    async def scenario() -> None:
        names = Names(resolve, 0.0, asyncio.get_running_loop().time, wait_seconds=0.01)
        ended: list[int] = []
        rounds = 0

        async def wait_for(number: int) -> None:
            with pytest.raises(TimeoutError):
                await names.addresses(f"silent{number}", 443, holder=1)
            ended.append(rounds)

        waiting = [asyncio.ensure_future(wait_for(number)) for number in range(20)]
        while len(ended) < len(waiting):
            await asyncio.sleep(0)
            rounds += 1
        assert len(set(ended)) == len(ended)
        await names.close()

    run(scenario())


def test_the_systems_resolver_knows_this_machine_and_refuses_nonsense(run: "Run") -> None:
    async def scenario() -> None:
        resolve = SystemResolver(threads=1)
        found = await asyncio.gather(*(resolve("localhost", 80) for _ in range(5)))
        assert all(set(addresses) <= {"127.0.0.1", "::1"} and addresses for addresses in found)
        with pytest.raises((OSError, UnicodeError)):
            await resolve("a" * 70 + ".invalid", 80)

    run(scenario())


def test_the_systems_resolver_uses_a_bounded_number_of_threads(run: "Run") -> None:
    at_work: set[int] = set()
    together = threading.Event()
    most = 0

    def look_up(host: str, port: int, **options: int) -> list[Any]:
        nonlocal most
        at_work.add(threading.get_ident())
        most = max(most, len(at_work))
        if most == 2:
            together.set()
        assert together.wait(PATIENCE)
        try:
            return socket.getaddrinfo(host, port, **options)
        finally:
            at_work.discard(threading.get_ident())

    async def scenario() -> None:
        resolve = SystemResolver(threads=2, look_up=look_up)
        waiting = [asyncio.ensure_future(resolve("localhost", 80)) for _ in range(50)]
        waiting[10].cancel()
        await asyncio.wait(waiting)
        assert sum(one.cancelled() for one in waiting) == 1

    run(scenario())
    assert most == 2


def test_a_look_up_that_hangs_holds_its_thread_alone(run: "Run") -> None:
    over = threading.Event()

    def look_up(host: str, port: int, **options: int) -> list[Any]:
        if host == "hangs":
            over.wait(PATIENCE)
        return socket.getaddrinfo("localhost", port, **options)

    async def scenario() -> None:
        resolve = SystemResolver(threads=2, look_up=look_up)
        hanging = asyncio.ensure_future(resolve("hangs", 80))
        for _ in range(5):
            assert await resolve("localhost", 80)
        assert not hanging.done()
        over.set()
        assert await hanging

    run(scenario())


# The guard


@pytest.mark.parametrize(
    "found",
    [
        ["127.0.0.1"],
        ["8.8.8.8", "127.0.0.1"],
        ["127.0.0.1", "8.8.8.8"],
        ["::ffff:127.0.0.1"],
        ["::1"],
        ["64:ff9b::7f00:1"],
        ["fe80::1%lo"],
    ],
)
def test_one_refused_address_refuses_the_host_and_nothing_is_dialled(
    run: "Run", serve: Serve, sending: "Sending", found: Sequence[str]
) -> None:
    endpoint = serve(OK, tls=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))

    async def scenario() -> None:
        async with sending(names={HOST: found}) as client:
            with captured_log() as logs:
                outcome = await client.attempt(endpoint.request(host=HOST))
        assert outcome.failure is Failure.ADDRESS_REFUSED
        # Which address it was is for the operator alone.
        assert outcome.detail == "The host name resolves to an address that is not called."
        assert [entry["host"] for entry in logs] == [HOST]

    run(scenario())
    assert endpoint.connections == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "127.1", "2130706433", "0x7f.1", "localhost"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_no_spelling_of_this_machine_is_dialled(
    run: "Run", serve: Serve, sending: "Sending", host: str, scheme: str
) -> None:
    endpoint = serve(OK)

    async def resolve(host: str, port: int) -> Sequence[str]:
        raise AssertionError("it is refused before that")

    async def scenario() -> None:
        async with sending(resolve=resolve) as client:
            outcome = await client.attempt(post(scheme, host, endpoint.port))
            assert outcome.failure is Failure.ADDRESS_REFUSED

    run(scenario())
    assert endpoint.connections == 0


@pytest.mark.parametrize("deny", ["127.0.0.2", "127.0.0.2/31", HOST, "example"])
def test_what_the_operator_denies_is_not_dialled_although_it_is_allowed(
    run: "Run", serve: Serve, sending: "Sending", deny: str
) -> None:
    endpoint = serve(OK, host="127.0.0.2")

    async def scenario() -> None:
        async with sending(endpoint, names={HOST: ["127.0.0.2"]}, deny=deny) as client:
            assert (await client.attempt(endpoint.request(host=HOST))).failure is Failure.ADDRESS_REFUSED

    run(scenario())
    assert endpoint.connections == 0


def test_a_name_that_moves_to_a_refused_address_is_refused_at_the_next_connection(
    run: "Run", serve: Serve, sending: "Sending"
) -> None:
    endpoint = serve(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
    canary = serve(OK, host="127.0.0.2", port=endpoint.port)
    flips = iter(["127.0.0.1", "127.0.0.2"] * 10)

    async def resolve(host: str, port: int) -> Sequence[str]:
        return [next(flips)]

    async def scenario() -> None:
        async with sending(allow=f"http://127.0.0.1:{endpoint.port}", resolve=resolve) as client:
            for number in range(20):
                outcome = await client.attempt(endpoint.request(host=HOST))
                assert outcome.failure is (Failure.ADDRESS_REFUSED if number % 2 else None)

    run(scenario())
    assert (endpoint.connections, canary.connections) == (10, 0)


def test_the_address_that_was_judged_is_the_one_that_is_dialled(run: "Run", serve: Serve, sending: "Sending") -> None:
    endpoint = serve(OK)
    asked: list[str] = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.99"]

    async def scenario() -> None:
        async with sending(endpoint, resolve=resolve) as client:
            assert (await client.attempt(endpoint.request(host=HOST))).failure is None

    run(scenario())
    assert (asked, endpoint.connections) == ([HOST], 1)


# TCP


def test_a_refused_connection_is_a_connect_failure(run: "Run", serve: Serve, sending: "Sending") -> None:
    endpoint = serve(OK)
    endpoint.stop()

    async def scenario() -> None:
        async with sending(endpoint) as client:
            outcome = await client.attempt(endpoint.request())
            assert (outcome.failure, outcome.detail) == (Failure.CONNECT, "The endpoint refused the connection.")

    run(scenario())


@pytest.mark.parametrize("found", [["127.0.0.2", "127.0.0.1"], ["::1", "127.0.0.1"], ["127.0.0.1", "::1"]])
def test_a_hosts_addresses_are_tried_in_turn(
    run: "Run", serve: Serve, sending: "Sending", found: Sequence[str]
) -> None:
    endpoint = serve(OK)

    async def scenario() -> None:
        async with sending(endpoint, names={HOST: found}) as client:
            assert (await client.attempt(endpoint.request(host=HOST))).failure is None

    run(scenario())


def test_an_ipv6_endpoint_is_reached(run: "Run", serve: Serve, sending: "Sending") -> None:
    endpoint = serve(OK, host="::1")

    async def scenario() -> None:
        async with sending(endpoint, names={HOST: ["::1"]}) as client:
            assert (await client.attempt(endpoint.request())).failure is None
            assert (await client.attempt(endpoint.request(host=HOST))).failure is None

    run(scenario())


# TLS


@pytest.fixture
def ask_tls(run: "Run", serve: Serve, sending: "Sending", ca_file: Path) -> Callable[..., Outcome]:
    """The outcome of one https request to an endpoint with this TLS."""

    def asking(tls: ssl.SSLContext | None, host: str = HOST, script: object = OK, at: str = "127.0.0.1") -> Outcome:
        endpoint = serve(script, tls=tls, host=at)

        async def scenario() -> Outcome:
            allow = f"https://127.0.0.1:{endpoint.port},https://[::1]:{endpoint.port}"
            async with sending(allow=allow, names=HERE, ca_file=ca_file) as client:
                return await client.attempt(post("https", host, endpoint.port))

        return run(scenario())

    return asking


def test_a_trusted_certificate_for_the_host_is_accepted_and_its_connection_kept(
    run: "Run", serve: Serve, sending: "Sending", authority: trustme.CA, ca_file: Path
) -> None:
    named: list[str | None] = []
    context = server_context(authority, HOST)
    context.sni_callback = lambda _, name, __: named.append(name)
    context.set_alpn_protocols(["h2", "http/1.1"])
    agreed: list[tuple[str | None, str | None]] = []

    def script(peer: "Peer") -> None:
        assert isinstance(peer.raw, ssl.SSLSocket)
        agreed.append((peer.raw.selected_alpn_protocol(), peer.raw.version()))
        while True:
            peer.answer(OK)

    endpoint = serve(script, tls=context)

    async def scenario() -> None:
        async with sending(endpoint, names=HERE, ca_file=ca_file) as client:
            for body in (b"{}", bytes(1_000_000), b"{}"):
                outcome = await client.attempt(endpoint.request(body, host=HOST))
                assert (outcome.failure, outcome.answer) == (None, b"ok")

    run(scenario())
    assert endpoint.connections == 1
    assert (named, agreed) == ([HOST], [("http/1.1", "TLSv1.3")])


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_an_address_as_a_host_is_checked_against_the_certificates_addresses(
    ask_tls: Callable[..., Outcome], authority: trustme.CA, address: str
) -> None:
    assert ask_tls(server_context(authority, address), address, at=address).failure is None
    other = ask_tls(server_context(authority, "127.0.0.9"), address, at=address)
    assert other.failure is Failure.TLS_HOSTNAME


def test_tls_1_2_is_spoken(ask_tls: Callable[..., Outcome], authority: trustme.CA) -> None:
    context = server_context(authority, HOST)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    assert ask_tls(context).failure is None


def test_a_certificate_from_an_unknown_authority_is_untrusted(ask_tls: Callable[..., Outcome]) -> None:
    outcome = ask_tls(server_context(trustme.CA(), HOST))
    assert outcome.failure is Failure.TLS_UNTRUSTED
    assert outcome.detail == "The certificate's authority is not trusted."


def test_a_self_signed_certificate_is_untrusted(ask_tls: Callable[..., Outcome], tmp_path: Path) -> None:
    unknown = trustme.CA()
    files = tmp_path / "cert.pem", tmp_path / "key.pem"
    unknown.cert_pem.write_to_path(files[0])
    unknown.private_key_pem.write_to_path(files[1])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    outcome = ask_tls(context)
    assert (outcome.failure, outcome.detail) == (Failure.TLS_UNTRUSTED, "The certificate is self-signed.")


YEAR = datetime.timedelta(days=365)
NOW = datetime.datetime.now(datetime.UTC)


def test_a_certificate_out_of_its_time_is_expired(ask_tls: Callable[..., Outcome], authority: trustme.CA) -> None:
    past = server_context(authority, HOST, not_before=NOW - 2 * YEAR, not_after=NOW - YEAR)
    outcome = ask_tls(past)
    assert (outcome.failure, outcome.detail) == (Failure.TLS_EXPIRED, "The certificate expired.")
    future = server_context(authority, HOST, not_before=NOW + YEAR, not_after=NOW + 2 * YEAR)
    outcome = ask_tls(future)
    assert (outcome.failure, outcome.detail) == (Failure.TLS_EXPIRED, "The certificate is not valid yet.")


def test_a_certificate_that_names_the_host_in_its_common_name_alone_is_refused(
    ask_tls: Callable[..., Outcome], authority: trustme.CA
) -> None:
    outcome = ask_tls(server_context(authority, "someone@example.com", common_name=HOST))
    assert (outcome.failure, outcome.detail) == (Failure.TLS_HOSTNAME, "The certificate is for another host.")


def test_the_keys_of_connections_are_written_to_no_file(
    ask_tls: Callable[..., Outcome], authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """SSLKEYLOGFILE in the environment would open every delivery to those who read that file."""
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    assert ask_tls(server_context(authority, HOST)).failure is None
    assert not (tmp_path / "keys").exists()


def test_a_certificate_for_another_host_is_named_so(ask_tls: Callable[..., Outcome], authority: trustme.CA) -> None:
    for identity in ("other.example", "a.hooks.example", "127.0.0.1"):
        outcome = ask_tls(server_context(authority, identity))
        assert (outcome.failure, outcome.detail) == (Failure.TLS_HOSTNAME, "The certificate is for another host.")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1")
def test_an_old_tls_version_is_a_handshake_failure(ask_tls: Callable[..., Outcome], authority: trustme.CA) -> None:
    context = server_context(authority, HOST)
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    assert ask_tls(context).failure is Failure.TLS_HANDSHAKE


def speak_plain(peer: "Peer") -> None:
    peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    peer.hold()


def hang_up(peer: "Peer") -> None:
    peer.raw.recv(1)


def reset_in_the_handshake(peer: "Peer") -> None:
    peer.raw.recv(1)
    peer.reset()


@pytest.mark.parametrize("script", [speak_plain, hang_up, reset_in_the_handshake])
def test_an_endpoint_without_tls_is_a_handshake_failure(
    ask_tls: Callable[..., Outcome], script: "Callable[[Peer], None]"
) -> None:
    outcome = ask_tls(None, script=script)
    assert outcome.failure is Failure.TLS_HANDSHAKE
    assert outcome.detail.endswith(".")


def test_an_endpoint_that_wants_a_certificate_of_ours_is_a_handshake_failure(
    ask_tls: Callable[..., Outcome], authority: trustme.CA
) -> None:
    context = server_context(authority, HOST)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    assert ask_tls(context).failure is Failure.TLS_HANDSHAKE


@pytest.mark.parametrize("ending", ["content-length: 2", "connection: close"])
def test_an_answer_over_tls_that_ends_without_goodbye_is_taken(
    ask_tls: Callable[..., Outcome], authority: trustme.CA, ending: str
) -> None:
    def script(peer: "Peer") -> None:
        peer.answer(f"HTTP/1.1 200 OK\r\n{ending}\r\n\r\nok".encode())

    outcome = ask_tls(server_context(authority, HOST), script=script)
    assert (outcome.failure, outcome.answer) == (None, b"ok")


def test_a_kept_tls_connection_that_dies_is_replaced(
    run: "Run", serve: Serve, sending: "Sending", authority: trustme.CA, ca_file: Path
) -> None:
    def script(peer: "Peer") -> None:
        peer.answer(OK)
        peer.read_request()
        if peer.number > 0:
            peer.send(OK)

    endpoint = serve(script, tls=server_context(authority, HOST))

    async def scenario() -> None:
        async with sending(endpoint, names=HERE, ca_file=ca_file) as client:
            for _ in range(2):
                assert (await client.attempt(endpoint.request(host=HOST))).failure is None
        assert endpoint.connections == 2

    run(scenario())


def test_a_connection_that_is_not_made_is_closed_by_nobody_but_the_loop(
    run: "Run", serve: Serve, sending: "Sending", authority: trustme.CA, ca_file: Path
) -> None:
    """The descriptor's number is soon another's: to close it twice would cut that one off, or have the loop refuse it.
    What Python closes by itself it warns of, and warnings are errors here."""

    def reset(peer: "Peer") -> None:
        peer.reset()

    def stall(peer: "Peer") -> None:
        peer.hold()

    broken = [serve(reset), serve(stall)]
    good = serve(OK, tls=server_context(authority, "localhost"))
    allow = ",".join(f"https://localhost:{endpoint.port}" for endpoint in (*broken, good))

    async def scenario() -> None:
        names = {"localhost": ["127.0.0.1"]}
        async with (
            sending(allow=allow, names=names, ca_file=ca_file) as client,
            sending(allow=allow, names=names, ca_file=ca_file, attempt_timeout=3.0) as impatient,
        ):
            stalled = []
            for _ in range(5):
                stalled.append(impatient.start(post("https", "localhost", broken[1].port)))
                await asyncio.gather(*(client.attempt(post("https", "localhost", broken[0].port)) for _ in range(5)))
                gc.collect()
                outcomes = [await client.attempt(post("https", "localhost", good.port)) for _ in range(3)]
                assert [outcome.failure for outcome in outcomes] == [None] * 3
            assert {(await end).failure for end in stalled} == {Failure.TIMEOUT}

    run(scenario())
    gc.collect()
