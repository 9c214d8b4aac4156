"""Mail to real servers: aiosmtpd with certificates of trustme's, and scripted ones that do what no server should."""

import asyncio
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from gateway.tests.fakes.mail_server import PASSWORD, USER, MailServer
from gateway.tests.patience import PATIENCE
from msgspec.structs import replace

from signalpost.domain.delivery.outcome import Failure, Outcome
from signalpost.domain.request import OutgoingMail, Target
from signalpost.sender.addresses import Guard, parse_allow_targets
from signalpost.sender.mailer import Mailer
from signalpost.sender.sender import SenderSettings

if TYPE_CHECKING:
    from gateway.tests.sender.conftest import Run
    from gateway.tests.sender.endpoint import Endpoint, Peer

Serve = Callable[..., "Endpoint"]
TEXT = b"From: us@example.com\r\nSubject: A\r\n\r\n.a line that begins with a point\r\nand one more\r\n"


@pytest.fixture
def server(authority: trustme.CA, request: pytest.FixtureRequest) -> Iterator[MailServer]:
    with MailServer(authority, **getattr(request, "param", {})) as made:
        yield made


def mail(server: MailServer, *to: str, **given: Any) -> OutgoingMail:
    usual = OutgoingMail(
        target=Target(server.scheme, "localhost", server.port),
        login=(USER, PASSWORD),
        sender="us@example.com",
        recipients=to or ("you@example.com",),
        message=TEXT,
        seconds=PATIENCE,
        holder=1,
    )
    return replace(usual, **given)


@asynccontextmanager
async def mailer(
    authority: trustme.CA, tmp_path: Path, allow: str = "", names: Sequence[str] = ("127.0.0.1",)
) -> AsyncIterator[Mailer]:
    """A mailer that trusts the authority, and by whose name server every name has these addresses."""

    async def resolve(host: str, port: int) -> Sequence[str]:
        return names

    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    settings = SenderSettings(guard=Guard(parse_allow_targets(allow)), ca_file=ca_file, connect_timeout=PATIENCE)
    made = Mailer(settings, wall=lambda: 1_700_000_000_000_000, resolve=resolve)
    try:
        yield made
    finally:
        await made.close(0)


def sent(run: "Run", authority: trustme.CA, tmp_path: Path, asked: OutgoingMail, **given: Any) -> Outcome:
    """What becomes of one mail, whose server may be called."""
    given.setdefault("allow", f"{asked.target.scheme}://127.0.0.0/8:{asked.target.port}")

    async def scenario() -> Outcome:
        async with mailer(authority, tmp_path, **given) as made, asyncio.timeout(PATIENCE):
            return await made.send_mail(asked)

    return run(scenario())


# --- Servers that work ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("server", [{"scheme": "smtp"}, {"scheme": "smtps"}], indirect=True)
def test_a_mail_is_sent_under_tls_by_somebody_who_signed_in(
    run: "Run", authority: trustme.CA, server: MailServer, tmp_path: Path
) -> None:
    outcome = sent(run, authority, tmp_path, mail(server, "a@example.com", "b@example.com"))
    assert (outcome.failure, outcome.status) == (None, 250)
    assert outcome.detail == "The mail server took it: 250 2.0.0 queued as 1"
    assert outcome.started_at == 1_700_000_000_000_000
    assert outcome.trace is None
    [taken] = server.taken
    assert (taken.sender, taken.recipients, taken.user) == (
        "us@example.com", ["a@example.com", "b@example.com"], USER,
    )  # fmt: skip
    assert taken.tls in ("TLSv1.2", "TLSv1.3")
    assert taken.raw == TEXT


@pytest.mark.parametrize("server", [{"signs_in": False}], indirect=True)
def test_a_server_that_wants_no_password_gets_none(
    run: "Run", authority: trustme.CA, server: MailServer, tmp_path: Path
) -> None:
    assert sent(run, authority, tmp_path, mail(server, login=None)).failure is None
    assert server.taken[0].user is None


def test_a_mail_to_nobody_signs_in_and_sends_nothing(
    run: "Run", authority: trustme.CA, server: MailServer, tmp_path: Path
) -> None:
    outcome = sent(run, authority, tmp_path, mail(server, recipients=()))
    assert (outcome.failure, outcome.detail) == (None, "The mail server accepted the credentials and the sender.")
    assert not server.taken


# --- Servers that refuse ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "answer", "detail"),
    [
        ("MAIL", "550 5.7.1 Not yours", "The mail server refused the sender us@example.com: 550 5.7.1 Not yours"),
        ("RCPT", "450 4.2.0 Later", "The mail server refused the recipient you@example.com: 450 4.2.0 Later"),
        ("DATA", "554 5.7.1 Spam", "The mail server refused the message: 554 5.7.1 Spam"),
        ("DATA", "421 4.3.2 Busy", "The mail server refused the message: 421 4.3.2 Busy"),
    ],
)
def test_what_a_server_refuses_is_said_with_its_words(
    run: "Run", authority: trustme.CA, server: MailServer, tmp_path: Path, command: str, answer: str, detail: str
) -> None:
    server.answers[command] = answer
    outcome = sent(run, authority, tmp_path, mail(server))
    assert (outcome.failure, outcome.status, outcome.detail) == (Failure.STATUS, int(answer[:3]), detail)
    assert outcome.answer == answer[4:].encode()
    assert outcome.trace is not None
    assert (outcome.trace.address, outcome.trace.tls) == ("127.0.0.1", "TLSv1.3")
    assert not server.taken


def test_one_recipient_who_is_refused_keeps_the_mail_from_nobody_else(
    run: "Run", authority: trustme.CA, server: MailServer, tmp_path: Path
) -> None:
    server.answers["RCPT gone@example.com"] = "550 5.1.1 Nobody"
    outcome = sent(run, authority, tmp_path, mail(server, "gone@example.com", "here@example.com"))
    assert outcome.failure is None
    assert "The mail server refused the recipient gone@example.com: 550 5.1.1 Nobody" in outcome.detail
    assert server.taken[0].recipients == ["here@example.com"]


def test_a_mail_that_all_recipients_refuse_may_be_sent_later_if_one_says_so(
    run: "Run", authority: trustme.CA, server: MailServer, tmp_path: Path
) -> None:
    server.answers |= {"RCPT gone@example.com": "550 5.1.1 Nobody", "RCPT full@example.com": "452 4.2.2 Full"}
    outcome = sent(run, authority, tmp_path, mail(server, "gone@example.com", "full@example.com"))
    assert (outcome.failure, outcome.status) == (Failure.STATUS, 452)


def test_a_wrong_password_is_refused_and_never_repeated(
    run: "Run", authority: trustme.CA, server: MailServer, tmp_path: Path
) -> None:
    outcome = sent(run, authority, tmp_path, mail(server, login=(USER, "wrong-0123456789")))
    assert (outcome.failure, outcome.status) == (Failure.STATUS, 535)
    assert outcome.detail.startswith("The mail server refused the sign-in: 535")
    assert "wrong-0123456789" not in repr(outcome)


# --- Names and addresses ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_certificate_of_another_name_is_refused_before_anything_is_said(
    run: "Run", authority: trustme.CA, tmp_path: Path, scheme: str
) -> None:
    with MailServer(authority, scheme=scheme, names=("other.example",)) as server:
        outcome = sent(run, authority, tmp_path, mail(server))
        assert (outcome.failure, outcome.detail) == (Failure.TLS_HOSTNAME, "The certificate is for another host.")
        assert not server.taken


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_certificate_of_a_stranger_is_refused(run: "Run", authority: trustme.CA, tmp_path: Path, scheme: str) -> None:
    with MailServer(trustme.CA(), scheme=scheme) as server:
        outcome = sent(run, authority, tmp_path, mail(server))
        assert outcome.failure is Failure.TLS_UNTRUSTED


@pytest.mark.parametrize("server", [{"scheme": "smtp"}, {"scheme": "smtps"}], indirect=True)
def test_a_private_address_is_never_dialled_unless_it_is_allowed(
    run: "Run", authority: trustme.CA, server: MailServer, tmp_path: Path
) -> None:
    for allow in ("", f"https://127.0.0.0/8:{server.port}", f"{server.scheme}://127.0.0.0/8:{server.port + 1}"):
        outcome = sent(run, authority, tmp_path, mail(server), allow=allow)
        assert outcome.failure is Failure.ADDRESS_REFUSED
    assert server.sessions == 0


def test_a_server_that_is_not_there_is_a_failure_of_the_connection(
    run: "Run", authority: trustme.CA, serve: Serve, tmp_path: Path
) -> None:
    endpoint = serve(b"")
    endpoint.stop()
    assert sent(run, authority, tmp_path, to(endpoint)).failure is Failure.CONNECT


# --- Servers that do what no server should ----------------------------------------------------------------------------


def to(endpoint: "Endpoint", scheme: str = "smtp", seconds: float = PATIENCE) -> OutgoingMail:
    return OutgoingMail(
        target=Target(scheme, "localhost", endpoint.port),
        login=(USER, PASSWORD),
        sender="us@example.com",
        recipients=("you@example.com",),
        message=TEXT,
        seconds=seconds,
        holder=1,
    )


def test_without_starttls_nothing_is_said(run: "Run", authority: trustme.CA, serve: Serve, tmp_path: Path) -> None:
    heard: list[bytes] = []

    def plain(peer: "Peer") -> None:
        peer.send(b"220 mail.example.com\r\n")
        heard.append(peer.raw.recv(1000))
        peer.send(b"250-mail.example.com\r\n250 AUTH PLAIN\r\n")
        heard.append(peer.raw.recv(1000))

    outcome = sent(run, authority, tmp_path, to(serve(plain)))
    assert outcome.failure is Failure.TLS_HANDSHAKE
    assert outcome.detail.startswith("The mail server offers no STARTTLS")
    assert heard[0] == b"EHLO example.com\r\n"
    assert heard[1:] in ([], [b""])


def in_clear(*answers: bytes) -> Callable[["Peer"], None]:
    """Sends one answer after each thing that comes, and then says nothing."""

    def script(peer: "Peer") -> None:
        for answer in answers:
            peer.send(answer)
            if not peer.raw.recv(1000):
                return
        peer.hold()

    return script


HANGS = (b"220 hello\r\n", b"250-a\r\n250 STARTTLS\r\n", b"220 go\r\n")
STEPS = ("The mail server was not reached", "The mail server did not answer to the connection",
         "The mail server did not answer to EHLO", "The mail server did not answer to STARTTLS")  # fmt: skip


@pytest.mark.parametrize("said", range(len(HANGS) + 1))
def test_a_server_that_hangs_holds_nothing_up_beyond_the_mails_time(
    run: "Run", authority: trustme.CA, serve: Serve, tmp_path: Path, said: int
) -> None:
    outcome = sent(run, authority, tmp_path, to(serve(in_clear(*HANGS[:said])), seconds=0.5))
    assert outcome.failure is Failure.TIMEOUT
    step, _, seconds = outcome.detail.partition(" within ")
    assert step in STEPS[: said + 2]  # a slow machine does not come as far
    assert seconds == "0.5 s."


def test_a_server_that_drips_has_the_same_time(run: "Run", authority: trustme.CA, serve: Serve, tmp_path: Path) -> None:
    endpoint = serve(lambda peer: peer.drip(b"220-" + b"x" * 10_000, 0.05))
    outcome = sent(run, authority, tmp_path, to(endpoint, seconds=0.5))
    assert outcome.failure is Failure.TIMEOUT


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"22\r\n",
        b"\xff\xfe\x00\r\n",
        b"220-" + b"x" * 100_000,
        b"220-a\r\n" * 20_000,
    ],
)
def test_an_answer_that_is_no_smtp_or_has_no_end_is_a_fault_of_the_protocol(
    run: "Run", authority: trustme.CA, serve: Serve, tmp_path: Path, answer: bytes
) -> None:
    outcome = sent(run, authority, tmp_path, to(serve(in_clear(answer))))
    assert (outcome.failure, outcome.detail) == (
        Failure.PROTOCOL, "The mail server's answer to the connection is no SMTP.",
    )  # fmt: skip


def test_a_server_that_refuses_everybody_is_said_so(
    run: "Run", authority: trustme.CA, serve: Serve, tmp_path: Path
) -> None:
    outcome = sent(run, authority, tmp_path, to(serve(in_clear(b"554 No mail from you\r\n"))))
    assert (outcome.status, outcome.detail) == (554, "The mail server refused the connection: 554 No mail from you")


def test_an_answer_in_another_encoding_is_one_that_can_be_kept(
    run: "Run", authority: trustme.CA, serve: Serve, tmp_path: Path
) -> None:
    outcome = sent(run, authority, tmp_path, to(serve(in_clear("554 Boîte\x00 pleine\r\n".encode("latin-1")))))
    assert (outcome.status, outcome.detail) == (554, "The mail server refused the connection: 554 Bo�te� pleine")
    assert outcome.answer == "Bo�te� pleine".encode()


def test_what_is_injected_before_tls_is_not_taken_for_an_answer_under_it(
    run: "Run", authority: trustme.CA, serve: Serve, tmp_path: Path
) -> None:
    """RFC 3207, 6: an attacker on the way adds answers of their own in the clear."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)

    def script(peer: "Peer") -> None:
        peer.send(b"220 hello\r\n")
        peer.raw.recv(1000)
        peer.send(b"250-a\r\n250 STARTTLS\r\n")
        peer.raw.recv(1000)
        peer.send(b"220 go\r\n250-injected\r\n250 AUTH PLAIN\r\n")
        with context.wrap_socket(peer.raw, server_side=True) as secured:
            secured.recv(1000)
            secured.sendall(b"250-a\r\n250 SIZE\r\n")
            secured.recv(1000)

    outcome = sent(run, authority, tmp_path, to(serve(script)))
    assert outcome.detail.startswith("The mail server offers neither AUTH PLAIN nor AUTH LOGIN")


def under_tls(last: Callable[[Any], None], *answers: bytes) -> Callable[["Peer"], None]:
    """For an endpoint with TLS: sends these answers, and does something at the end."""

    def script(peer: "Peer") -> None:
        for answer in answers:
            peer.send(answer)
            peer.raw.recv(1000)
        last(peer)

    return script


TAKES = (b"220 hi\r\n", b"250-a\r\n250 AUTH LOGIN\r\n", b"334 UGFzc3dvcmQ6\r\n", b"235 in\r\n",
         b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n")  # fmt: skip


def secured(serve: Serve, authority: trustme.CA, script: Callable[["Peer"], None]) -> "Endpoint":
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return serve(script, tls=context)


def test_a_server_that_ends_after_the_message_leaves_it_open_whether_it_took_it(
    run: "Run", authority: trustme.CA, serve: Serve, tmp_path: Path
) -> None:
    endpoint = secured(serve, authority, under_tls(lambda peer: None, *TAKES))
    outcome = sent(run, authority, tmp_path, to(endpoint, "smtps"))
    assert (outcome.failure, outcome.detail) == (
        Failure.RESET, "The mail server closed the connection instead of answering to the message.",
    )  # fmt: skip


def test_a_server_that_hangs_at_the_good_bye_has_taken_the_mail(
    run: "Run", authority: trustme.CA, serve: Serve, tmp_path: Path
) -> None:
    endpoint = secured(serve, authority, under_tls(lambda peer: peer.hold(), *TAKES, b"250 2.0.0 taken\r\n"))
    outcome = sent(run, authority, tmp_path, to(endpoint, "smtps", seconds=PATIENCE))
    assert (outcome.failure, outcome.detail) == (None, "The mail server took it: 250 2.0.0 taken")


def test_the_end_waits_for_mails_and_then_cuts_them(
    run: "Run", authority: trustme.CA, serve: Serve, tmp_path: Path
) -> None:
    endpoint = serve(in_clear())
    allow = f"smtp://127.0.0.0/8:{endpoint.port}"

    async def scenario() -> None:
        async with mailer(authority, tmp_path, allow=allow) as made, asyncio.timeout(PATIENCE):
            running = asyncio.create_task(made.send_mail(to(endpoint)))
            while endpoint.open == 0:
                await asyncio.sleep(0.01)
            await made.close(0.05)
            assert (await running).failure is Failure.INTERRUPTED
            assert (await made.send_mail(to(endpoint))).failure is Failure.INTERRUPTED

    run(scenario())


def test_a_mail_that_was_taken_is_not_cut_by_the_end_during_the_good_bye(
    run: "Run", authority: trustme.CA, serve: Serve, tmp_path: Path
) -> None:
    taken = threading.Event()

    def leaving(peer: "Peer") -> None:
        taken.set()  # QUIT has come
        peer.hold()

    endpoint = secured(serve, authority, under_tls(leaving, *TAKES, b"250 2.0.0 taken\r\n"))
    allow = f"smtps://127.0.0.0/8:{endpoint.port}"

    async def scenario() -> None:
        async with mailer(authority, tmp_path, allow=allow) as made, asyncio.timeout(PATIENCE):
            running = asyncio.create_task(made.send_mail(to(endpoint, "smtps")))
            while not taken.is_set():
                await asyncio.sleep(0.01)
            await made.close(0)
            assert (await running).failure is None

    run(scenario())
