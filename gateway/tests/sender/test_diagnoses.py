"""What an endpoint does, on real sockets, and the cause that a person is told of.

Each case is one attempt of the real sender, whose outcome is given to the table of causes. What cannot be made on
loopback, and what vendors' kinds say, is given to the table as it is.
"""

import asyncio
import datetime
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trustme
from gateway.tests.patience import PATIENCE
from msgspec.structs import replace

from signalpost.domain.delivery.diagnosis import Diagnosis, Symptom, diagnose, quoted
from signalpost.domain.delivery.diagnosis_rules import CAUSES, EASED_BY_LIMIT, RULES, Remedy
from signalpost.domain.delivery.outcome import Failure, Outcome
from signalpost.domain.delivery.sentence_openings import SentenceOpening
from signalpost.domain.request import OutgoingRequest, Target
from signalpost.domain.timestamps import SECOND
from signalpost.sender.egress_proxy import EgressProxy

if TYPE_CHECKING:
    from gateway.tests.sender.conftest import Run, Sending
    from gateway.tests.sender.endpoint import Endpoint, Peer

Serve = Callable[..., "Endpoint"]
HOST = "hooks.example"
HERE = {HOST: ["127.0.0.1"]}
SHORT = 2.0
"""The seconds of an attempt here: as many as a busy machine needs to bring the beginning of an answer."""
NOW = 1_764_064_000 * SECOND
BEFORE, LATER = NOW - 60 * SECOND, NOW + 60 * SECOND
SIGNATURE = b'{"error":"invalid signature"}'


def answer(status: int, body: bytes = b"") -> bytes:
    return b"HTTP/1.1 %d Said\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body)


def symptom(outcome: Outcome, **known: object) -> Symptom:
    assert outcome.failure is not None
    seen = {
        "host": "api.acme.example",
        "failure": outcome.failure,
        "status": outcome.status,
        "detail": outcome.detail,
        "answer": outcome.answer.decode(),
        "failing_since": NOW,
    }
    return Symptom(**(seen | known))  # type: ignore[arg-type]


def cause(outcome: Outcome, **known: object) -> str:
    found = diagnose(symptom(outcome, **known))
    assert found is not None
    assert_readable(found)
    return found.cause


def assert_readable(found: Diagnosis) -> None:
    for sentence in (found.title, found.for_us, found.for_customer):
        assert sentence.endswith((".", "?"))
        assert "{" not in sentence
        assert ".." not in sentence


ANSWERS: list[tuple[bytes, dict[str, object], str]] = [
    (answer(401, SIGNATURE), {}, "signature_refused"),
    (answer(401, SIGNATURE), {"changed_at": {"secret": BEFORE}}, "old_secret"),
    (answer(401, SIGNATURE), {"changed_at": {"secret": BEFORE}, "delivered_at": BEFORE - 1}, "old_secret"),
    (answer(401, SIGNATURE), {"changed_at": {"secret": BEFORE}, "delivered_at": BEFORE + 1}, "signature_refused"),
    (answer(401, SIGNATURE), {"changed_at": {"secret": LATER}}, "signature_refused"),
    (answer(400, b"HMAC mismatch"), {}, "signature_refused"),
    (answer(401), {}, "credentials_refused"),
    (answer(403, b"no"), {"changed_at": {"secret": BEFORE}}, "old_secret"),
    (answer(401, b"no"), {"changed_at": {"headers": BEFORE, "secret": BEFORE}}, "headers_changed"),
    (answer(403, b"<title>Attention Required! | Cloudflare</title>"), {}, "firewall"),
    (answer(404), {}, "wrong_path"),
    (answer(404), {"changed_at": {"url": BEFORE}}, "url_changed"),
    (answer(405), {}, "method_refused"),
    (answer(410), {}, "gone"),
    (answer(413), {}, "too_large"),
    (answer(415), {}, "content_type_refused"),
    (answer(429), {}, "overrun"),
    (answer(422, b'{"message":"unknown type"}'), {}, "event_refused"),
    (answer(418), {}, "refused"),
    (answer(500), {}, "endpoint_error"),
    (answer(502), {}, "slow_behind"),
    (answer(503), {}, "unavailable"),
    (answer(302), {}, "redirect"),
    (answer(301), {"changed_at": {"url": BEFORE}}, "url_changed"),
    (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", {}, "not_http"),
    (b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nbegan", {}, "closed_midway"),
    (b"", {}, "closed_unanswered"),
]


def says_its_body(peer: "Peer") -> None:
    peer.send(peer.read_request().body)


def test_answers(run: "Run", serve: Serve, sending: "Sending") -> None:
    endpoint = serve(says_its_body)

    async def scenario() -> None:
        async with sending(endpoint) as client:
            outcomes = await asyncio.gather(*(client.attempt(endpoint.request(said)) for said, _, _ in ANSWERS))
        for (said, known, expected), outcome in zip(ANSWERS, outcomes, strict=True):
            assert cause(outcome, **known) == expected, said

    run(scenario())


def test_names_addresses_and_connections(run: "Run", serve: Serve, sending: "Sending") -> None:
    endpoint = serve(answer(200))
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    nobody = OutgoingRequest(Target("http", "127.0.0.1", port), b"POST / HTTP/1.1\r\n\r\n", b"")
    names = {"empty.example": [], "inside.example": ["10.0.0.7"]}

    async def scenario() -> None:
        async with sending(endpoint, names=names, allow=f"http://127.0.0.1:{port}") as client:
            unknown = await client.attempt(endpoint.request(host="unknown.example"))
            assert cause(unknown) == "name_unresolved"
            assert cause(unknown, changed_at={"url": BEFORE}) == "url_changed"
            assert cause(await client.attempt(endpoint.request(host="empty.example"))) == "no_address"
            assert cause(await client.attempt(endpoint.request(host="inside.example"))) == "private_address"
            assert cause(await client.attempt(nobody)) == "connection_refused"
        proxy = EgressProxy("127.0.0.1", port, None)
        async with sending(endpoint, proxy=proxy) as client:
            assert cause(await client.attempt(endpoint.request())) == "proxy"

    run(scenario())


@pytest.fixture
def unaccepting() -> Iterator[int]:
    """A port whose listener's queue is full: the kernel drops what comes then."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=0)
    port: int = listener.getsockname()[1]
    waiting = [socket.socket() for _ in range(4)]
    for one in waiting:
        one.setblocking(False)
        one.connect_ex(("127.0.0.1", port))
    yield port
    for one in (*waiting, listener):
        one.close()


def begins_or_stays_silent(peer: "Peer") -> None:
    peer.send(peer.read_request().body)
    peer.hold()


def test_time_that_runs_out(run: "Run", serve: Serve, sending: "Sending", unaccepting: int) -> None:
    endpoint = serve(begins_or_stays_silent)
    target = Target("http", "127.0.0.1", unaccepting)
    secure = replace(endpoint.request(), target=replace(endpoint.target(), scheme="https"))

    async def never(host: str, port: int) -> list[str]:
        await asyncio.sleep(PATIENCE)
        return [host, str(port)]

    async def scenario() -> None:
        allow = f"http://127.0.0.1:{unaccepting},https://127.0.0.1:{endpoint.port}"
        async with sending(endpoint, allow=allow, resolve=never, attempt_timeout=SHORT) as client:
            outcomes = await asyncio.gather(
                client.attempt(endpoint.request(host="slow.example")),
                client.attempt(replace(endpoint.request(), target=target)),
                client.attempt(secure),
                client.attempt(endpoint.request(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")),
                client.attempt(endpoint.request(b"")),
            )
        assert [cause(each) for each in outcomes] == [
            "name_timeout", "connect_timeout", "tls_timeout", "answer_unfinished", "too_slow",
        ]  # fmt: skip

    run(scenario())


def test_tls(
    run: "Run", serve: Serve, sending: "Sending", authority: trustme.CA, ca_file: Path, tmp_path: Path
) -> None:
    year = datetime.timedelta(days=365)
    now = datetime.datetime.now(datetime.UTC)
    itself, files = trustme.CA(), (tmp_path / "cert.pem", tmp_path / "key.pem")
    itself.cert_pem.write_to_path(files[0])
    itself.private_key_pem.write_to_path(files[1])

    def context(by: trustme.CA, host: str, **options: datetime.datetime) -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        by.issue_cert(host, **options).configure_cert(made)  # type: ignore[arg-type]
        return made

    self_signed = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    self_signed.load_cert_chain(*files)
    contexts = {
        "certificate_expired": context(authority, HOST, not_before=now - 2 * year, not_after=now - year),
        "certificate_not_yet_valid": context(authority, HOST, not_before=now + year, not_after=now + 2 * year),
        "certificate_untrusted": context(trustme.CA(), HOST),
        "certificate_self_signed": self_signed,
        "certificate_for_another_host": context(authority, "other.example"),
    }
    endpoints = {name: serve(answer(200), tls=tls) for name, tls in contexts.items()}
    plain = endpoints["tls_refused"] = serve(lambda peer: peer.send(b"HTTP/1.1 400 Plain HTTP\r\n\r\n"))

    async def scenario() -> None:
        allow = f"https://127.0.0.0/8:{plain.port}"
        async with sending(*endpoints.values(), names=HERE, allow=allow, ca_file=ca_file) as client:
            for name, endpoint in endpoints.items():
                request = replace(endpoint.request(host=HOST), target=Target("https", HOST, endpoint.port))
                assert cause(await client.attempt(request)) == name

    run(scenario())


def test_what_loopback_does_not_do_and_what_vendors_say() -> None:
    for failure, detail, expected in (
        (Failure.CONNECT, "The endpoint's address cannot be reached from here.", "unreachable"),
        (Failure.CONNECT, "The gateway cannot open another connection: it is out of memory.", "gateway_exhausted"),
        (Failure.CONNECT, "No connection was made within 2 s.", "connect_timeout"),
        (Failure.TOKEN, "No token came: the vendor answered 503.", "no_token"),
        (Failure.UNAUTHORISED, "The token was withdrawn.", "unauthorised"),
        (Failure.THROTTLED, "Wait for 30 s.", "throttled"),
        (Failure.REJECTED, "There is no such channel.", "vendor_refuses"),
        (Failure.CONNECTOR, "It raised an error.", "connector_failed"),
    ):
        assert cause(Outcome(failure=failure, detail=detail)) == expected
    assert diagnose(symptom(Outcome(failure=Failure.INTERRUPTED))) is None
    assert diagnose(symptom(Outcome(failure=Failure.SKIPPED))) is None


def test_every_opening_of_a_sentence_leads_to_a_cause_and_none_is_taken_for_another() -> None:
    assert {rule.opening for rule in RULES} == {*SentenceOpening, None}
    assert not any(one.startswith(other) for one in SentenceOpening for other in SentenceOpening if one is not other)


def test_every_cause_can_be_reached_and_every_failure_that_counts_has_one() -> None:
    """Whatever else was seen, the last rule of each failure fits."""
    for failure in Failure:
        if failure not in (Failure.INTERRUPTED, Failure.SKIPPED):
            assert cause(Outcome(failure=failure, status=599, detail="Something else.")) in CAUSES
    for index, rule in enumerate(RULES):
        assert not any(before.failure is rule.failure and before[6:] == (None,) * 4 for before in RULES[:index]), (
            rule.cause
        )


def test_the_sentences_say_what_was_seen_what_changed_and_that_nothing_is_lost() -> None:
    outcome = Outcome(failure=Failure.STATUS, status=401, answer=SIGNATURE, detail="The endpoint answered 401.")
    found = diagnose(symptom(outcome, changed_at={"secret": BEFORE}, waiting=1284))
    assert found == Diagnosis(
        cause="old_secret",
        title="The endpoint does not accept our signature since the secret was changed.",
        for_us="It answers 401 “invalid signature” since 2025-11-25 09:46 UTC. The secret was changed at "
        "2025-11-25 09:45 UTC, and nothing was accepted since. They most likely still verify with the old one.",
        for_customer="Since 2025-11-25 09:46 UTC your endpoint api.acme.example answers 401 “invalid signature”."
        " Your signing secret was changed at 2025-11-25 09:45 UTC. Please verify with the new one."
        " Nothing is lost: 1,284 events wait and are sent once it answers with 2xx.",
        remedy=found.remedy if found is not None else None,  # type: ignore[arg-type]
        change="secret",
        changed_at=BEFORE,
    )
    lost = diagnose(symptom(outcome, waiting=3, lost=1))
    assert lost is not None
    assert "Nothing is lost" not in lost.for_customer


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("", ""),
        ("<html>no</html>", ""),
        ('{"error":{"code":1},"message":"No such\\u0007 route"}', "No such route"),
        ('{"detail":"cut', ""),
        ('{"errors":[]}', ""),
        ("plain\r\n\x1b[31mred\u202e", "plain [31mred"),
        ("x" * 200, "x" * 79 + "…"),
    ],
)
def test_of_an_answer_a_sentence_repeats_one_short_line(said: str, expected: str) -> None:
    assert quoted(said) == expected


def test_what_a_rate_limit_may_ease_is_known_to_the_table() -> None:
    known = {rule.cause: rule.remedy for rule in RULES}
    assert known.keys() >= EASED_BY_LIMIT
    assert {cause for cause, remedy in known.items() if remedy == Remedy.LIMIT_RATE} <= EASED_BY_LIMIT
