"""A subscription's own client certificate and authorities: offered and trusted for its endpoint, and for no other's."""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trustme
from gateway.tests import home_made
from msgspec.structs import replace

from signalpost.domain.delivery.outcome import Failure
from signalpost.domain.request import EndpointTls, OutgoingRequest

if TYPE_CHECKING:
    from gateway.tests.sender.conftest import Run, Sending
    from gateway.tests.sender.endpoint import Endpoint, Peer, Script

Serve = Callable[..., "Endpoint"]
KEPT = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
HOST = "hooks.example"
NAMES = {HOST: ["127.0.0.1"]}


def asking_context(authority: trustme.CA, clients: trustme.CA, mode: ssl.VerifyMode) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # with which a refusal is part of the handshake
    authority.issue_cert(HOST).configure_cert(context)
    clients.configure_trust(context)
    context.verify_mode = mode
    return context


def own_tls(identity: str, of: trustme.CA, **more: Any) -> EndpointTls:
    issued = of.issue_cert(identity)
    chain = b"".join(each.bytes() for each in issued.cert_chain_pems)
    return EndpointTls(identity, chain, issued.private_key_pem.bytes(), **more)


def noting(seen: list[str | None]) -> "Script":
    """Answers every request, and notes whose certificate came with each."""

    def script(peer: "Peer") -> None:
        assert isinstance(peer.raw, ssl.SSLSocket)
        certificate: Any = peer.raw.getpeercert()
        while True:
            peer.read_request()
            seen.append(certificate["subjectAltName"][0][1] if certificate else None)
            peer.send(KEPT)

    return script


def with_tls(request: OutgoingRequest, tls: EndpointTls | None) -> OutgoingRequest:
    return replace(request, target=replace(request.target, tls=tls))


def test_each_subscription_offers_its_own_certificate_on_connections_of_its_own(
    run: "Run", serve: Serve, sending: "Sending", authority: trustme.CA, ca_file: Path
) -> None:
    clients, seen = trustme.CA(), list[str | None]()
    endpoint = serve(noting(seen), tls=asking_context(authority, clients, ssl.CERT_OPTIONAL))
    one, other = own_tls("one.example", clients), own_tls("other.example", clients)

    async def scenario() -> None:
        async with sending(endpoint, names=NAMES, ca_file=ca_file) as client:
            for tls in (one, other, None, one, other, None):
                assert (await client.attempt(with_tls(endpoint.request(host=HOST), tls))).failure is None

    run(scenario())
    assert seen == ["one.example", "other.example", None] * 2


def test_an_endpoint_that_wants_a_certificate_refuses_whom_has_none(
    run: "Run", serve: Serve, sending: "Sending", authority: trustme.CA, ca_file: Path
) -> None:
    clients, seen = trustme.CA(), list[str | None]()
    endpoint = serve(noting(seen), tls=asking_context(authority, clients, ssl.CERT_REQUIRED))
    outcomes: list[Failure | None] = []

    async def scenario() -> None:
        async with sending(endpoint, names=NAMES, ca_file=ca_file) as client:
            for tls in (None, own_tls("stranger.example", trustme.CA()), own_tls("one.example", clients)):
                outcomes.append((await client.attempt(with_tls(endpoint.request(host=HOST), tls))).failure)

    run(scenario())
    assert outcomes == [Failure.TLS_HANDSHAKE, Failure.TLS_HANDSHAKE, None]


def test_own_authorities_are_trusted_by_one_subscription_in_place_of_all_others(
    run: "Run", serve: Serve, sending: "Sending", authority: trustme.CA, ca_file: Path
) -> None:
    private = trustme.CA()
    inside, outside = (
        serve(noting([]), tls=asking_context(each, trustme.CA(), ssl.CERT_NONE)) for each in (private, authority)
    )
    own = EndpointTls("one", authorities=private.cert_pem.bytes())
    found: list[Failure | None] = []

    async def scenario() -> None:
        async with sending(inside, outside, names=NAMES, ca_file=ca_file) as client:
            for endpoint in (inside, outside):
                for tls in (own, None):
                    found.append((await client.attempt(with_tls(endpoint.request(host=HOST), tls))).failure)

    run(scenario())
    assert found == [None, Failure.TLS_UNTRUSTED, Failure.TLS_UNTRUSTED, None]


def test_a_home_made_certificate_is_taken_from_a_trusted_authority_alone(
    run: "Run", serve: Serve, sending: "Sending", ca_file: Path, tmp_path: Path
) -> None:
    """With every version of Python; for a subscription with authorities of its own, and for all others."""
    certificate = home_made.make(tmp_path)
    endpoint = serve(noting([]), tls=certificate.serving)
    names = {home_made.HOST: ["127.0.0.1"]}
    own = EndpointTls("one", authorities=certificate.authority.read_bytes())
    found: list[Failure | None] = []

    async def scenario() -> None:
        for trusted in (certificate.authority, ca_file):
            async with sending(endpoint, names=names, ca_file=trusted) as client:
                for tls in (None, own):
                    outcome = await client.attempt(with_tls(endpoint.request(host=home_made.HOST), tls))
                    found.append(outcome.failure)

    run(scenario())
    assert found == [None, None, Failure.TLS_UNTRUSTED, None]


def test_what_openssl_cannot_use_fails_the_attempt_and_shows_no_key(
    run: "Run", serve: Serve, sending: "Sending", authority: trustme.CA, ca_file: Path
) -> None:
    endpoint = serve(noting([]), tls=asking_context(authority, trustme.CA(), ssl.CERT_NONE))
    broken = EndpointTls("one", b"no certificate", b"a private key")
    assert "private key" not in repr(broken)

    async def scenario() -> None:
        async with sending(endpoint, names=NAMES, ca_file=ca_file) as client:
            outcome = await client.attempt(with_tls(endpoint.request(host=HOST), broken))
            assert (outcome.failure, "private" in outcome.detail) == (Failure.TLS_HANDSHAKE, False)

    run(scenario())
