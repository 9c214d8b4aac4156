"""Mail: which message an event becomes, who may get it, and what a mail server's answers mean."""

from email import message_from_bytes, policy
from typing import Any

import pytest
from gateway.tests.destinations.kinds import KEY, config, connection, context, pointers
from msgspec.structs import replace

from signalpost.destinations.calls import Mail, Skip
from signalpost.destinations.fields import Filling
from signalpost.destinations.mail import Letter, Smtp
from signalpost.destinations.registry import Destinations
from signalpost.destinations.rulings import Done, Reauthorise, Reject, Retry, Throttle, by_mail_status
from signalpost.domain.errors import Invalid
from signalpost.domain.request import Target
from signalpost.engine.connectors.mail_wire import mail_request_of, written_mail
from signalpost.engine.connectors.wire import Impossible

SMTP = Smtp()
SIGN_IN = {"with": "password", "username": "us@example.com", "password": "s3cr3t-0123456789"}
SERVER = "smtp://smtp.example.com:587"
NOW = 1_700_000_000_000_000


def on(**given: Any) -> Any:
    return connection("mail", **{"server": SERVER, "signIn": SIGN_IN, "sender": "us@example.com", **given})


def becomes(to: list[str], subject: str = "S", text: str = "T", of: Any = None, **document: Any) -> Mail | Skip:
    holds, here = of or on(), context(**document)
    said = Filling(config("mail", holds, to=to, subject=subject, text=text)).filled(here, SMTP.escape)
    return SMTP.prepare(holds, said, here)


def mail(*given: Any, **more: Any) -> Mail:
    made = becomes(*given, **more)
    assert isinstance(made, Mail)
    return made


# --- What is sent -----------------------------------------------------------------------------------------------------


def test_an_event_becomes_a_mail_with_the_documents_values() -> None:
    made = mail(
        ["legal@example.com", "{{ document.ownerEmail }}"],
        "{{ document.title }} is signed",
        "Value:\n{{ document.contractValue }}",
    )
    assert made == Mail(
        url="smtp://smtp.example.com",
        login=("us@example.com", "s3cr3t-0123456789"),
        sender="us@example.com",
        to=("legal@example.com", "owner@example.com"),
        subject="Supply agreement is signed",
        text="Value:\n12000.5",
        key=KEY,
    )


def test_a_written_mail_says_that_a_program_sent_it_and_which_delivery_it_is() -> None:
    made = mail(
        ["a@example.com", "b@example.com"],
        "Überschrift 🖋",
        "Zeile\r\n.zwei\rdrei\nEnde €",
        of=on(senderName="“Us” <them>"),
    )
    raw = written_mail(made, NOW)
    assert raw.isascii()
    read: Any = message_from_bytes(raw, policy=policy.default)
    assert (read["subject"], read["to"], read["auto-submitted"]) == (
        "Überschrift 🖋", "a@example.com, b@example.com", "auto-generated",
    )  # fmt: skip
    assert read["message-id"] == f"<{KEY}@example.com>"
    assert read["date"] == "Tue, 14 Nov 2023 22:13:20 +0000"
    [sender] = read["from"].addresses
    assert (sender.display_name, sender.addr_spec) == ("“Us” <them>", "us@example.com")
    assert read.get_content().splitlines() == ["Zeile", ".zwei", "drei", "Ende €"]
    assert written_mail(made, NOW) == raw


@pytest.mark.parametrize(("scheme", "post"), [("https", "List-Unsubscribe=One-Click"), ("http", None)])
def test_a_letter_says_where_to_get_no_more_of_them(scheme: str, post: str | None) -> None:
    """RFC 2369; mailboxes unsubscribe by themselves over HTTPS alone (RFC 8058)."""
    url = f"{scheme}://gateway.example/unsubscribe/{'a' * 76}"
    letter = Letter(to="a@example.com", subject="S", text=f"T\n{url}", key=KEY, unsubscribe=url)
    made = SMTP.written(on(), letter)
    read: Any = message_from_bytes(written_mail(made, NOW), policy=policy.default)
    assert (read["to"], read["list-unsubscribe"], read["list-unsubscribe-post"]) == ("a@example.com", f"<{url}>", post)
    with pytest.raises(Impossible):
        mail_request_of(replace(made, unsubscribe=f"{url}>\r\nBcc: x@evil.example"), [SERVER], 30.0, 1, NOW)


def test_a_connection_says_who_may_get_letters() -> None:
    listed = on(recipients=["@example.com"])
    assert [SMTP.may_write(listed, each) for each in ("a@Example.com", "a@example.org", "none")] == [True, False, False]
    assert SMTP.may_write(on(), "a@example.org")


@pytest.mark.parametrize(
    "evil",
    ["a\r\nBcc: x@evil.example", "a\nX: y\n\nbody", "a\rX: y", "a\x00b", "a\u2028b\u2029c\x85d\x0be", "\x1b[2J\x7f"],
)
def test_no_value_of_a_document_becomes_a_header_or_ends_the_mail(evil: str) -> None:
    made = replace(
        mail(["{{ document.ownerEmail }}"], "x", "x"), subject=evil, text=f"{evil}\r\n.\r\nQUIT", sender_name=evil
    )
    raw = written_mail(made, NOW)
    head, _, _ = raw.partition(b"\r\n\r\n")
    names = [line.partition(b":")[0].decode().lower() for line in head.split(b"\r\n") if line[:1] not in (b" ", b"\t")]
    assert sorted(names) == sorted(
        "from to subject message-id auto-submitted date content-type content-transfer-encoding mime-version".split()
    )
    assert b"\r" not in head.replace(b"\r\n", b"")
    assert not any(byte < 32 and byte not in (9, 10, 13) for byte in raw)


def test_a_subject_is_one_line_and_not_endless() -> None:
    assert mail(["a@example.com"], "x\n  y " + "z" * 999).subject == ("x y " + "z" * 999)[:250]


def test_each_attempt_and_each_subscription_makes_the_same_mail_of_an_event() -> None:
    first, again = (
        SMTP.prepare(on(), config("mail", on(), to=["a@b.example"], subject="", text=""), context(attempt=n))
        for n in (1, 4)
    )
    assert first == again


# --- Who gets it ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "",
        "nobody",
        "a@b@c",
        "a b@example.com",
        "ä@example.com",
        "a@exämple.com",
        "a@-b.example",
        "a" * 65 + "@b.example",
        "a@b.example\r\nRCPT TO:<x@y>",
        "<a@b.example>",
        "A <a@b.example>",
    ],
)
def test_an_address_that_is_none_is_refused_by_its_place(address: str) -> None:
    said = {"to": ["ok@example.com", address], "subject": "", "text": ""}
    assert pointers(lambda: config("mail", on(), **said)) == {"/config/to/1": "not_an_email"}
    if address:
        assert pointers(lambda: on(sender=address)).keys() == {"/config/sender"}


@pytest.mark.parametrize("to", [[], ["a@b.example"] * 11, "a@b.example", None, [7]])
def test_a_mail_has_one_recipient_to_ten(to: Any) -> None:
    assert pointers(lambda: config("mail", on(), to=to, subject="", text="")).keys() <= {"/config/to", "/config/to/0"}


def test_an_address_that_is_empty_for_a_document_is_left_out() -> None:
    assert mail(
        ["{{ document.referenceId }}", "a@example.com", "{{ document.title }}", "a@example.com"],
        title="A@example.com ",
        referenceId=None,
    ).to == ("a@example.com", "A@example.com")
    skipped = becomes(["{{ document.referenceId }}"], referenceId=None)
    assert skipped == Skip("There is nobody to write to: every address is empty for this document.")


def test_an_address_that_is_none_for_a_document_keeps_the_mail_from_all() -> None:
    skipped = becomes(["a@example.com", "{{ document.title }}"], title="x@evil.example\r\nRCPT TO:<y@evil.example>")
    assert isinstance(skipped, Skip)
    assert skipped.why.startswith("The address /config/to/1 cannot be used for this document.")
    assert "evil" not in skipped.why


def test_a_connection_lists_who_may_get_mail_through_it() -> None:
    listed = on(recipients=["@Example.com", "counsel@example.org"])
    assert SMTP.is_open(listed)
    assert not SMTP.is_open(on())
    ok = ["Any@example.COM", "counsel@example.org"]
    assert mail(ok, of=listed).to == tuple(ok)
    said = {"to": ["a@example.com", "other@example.org", "a@sub.example.com"], "subject": "", "text": ""}
    assert pointers(lambda: config("mail", listed, **said)) == {
        "/config/to/1": "recipient_not_allowed", "/config/to/2": "recipient_not_allowed",
    }  # fmt: skip
    assert isinstance(becomes(["{{ document.ownerEmail }}"], of=listed, ownerEmail="x@evil.example"), Skip)


@pytest.mark.parametrize("recipient", ["example.com", "@", "@a b", "a@", "*", "@@example.com"])
def test_a_listed_recipient_is_an_address_or_a_domain(recipient: str) -> None:
    assert pointers(lambda: on(recipients=[recipient])).keys() == {"/config/recipients/0"}


# --- Where it goes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("server", "target"),
    [
        ("smtp://Smtp.Example.com", Target("smtp", "smtp.example.com", 587)),
        ("smtps://smtp.example.com/", Target("smtps", "smtp.example.com", 465)),
        ("smtp://[2001:DB8::1]:2525", Target("smtp", "2001:db8::1", 2525)),
    ],
)
def test_a_server_has_the_usual_port_unless_it_names_another(server: str, target: Target) -> None:
    made = mail(["a@example.com"], of=on(server=server))
    assert mail_request_of(made, SMTP.origins(on(server=server)), 30.0, 7, NOW).target == target


@pytest.mark.parametrize(
    "server",
    [
        "https://smtp.example.com",
        "smtp.example.com:587",
        "smtp://me:pw@smtp.example.com",
        "smtp://a/b",
        "smtp://",
        "smtp://a:0",
        "smtp://a\r\nb",
    ],
)
def test_a_server_that_is_none_is_refused(server: str) -> None:
    assert pointers(lambda: on(server=server)).keys() == {"/config/server"}


def test_a_mail_goes_to_the_connections_server_alone() -> None:
    with pytest.raises(Impossible, match="none of the connection's origins"):
        mail_request_of(mail(["a@example.com"]), ("smtp://other.example",), 30.0, 7, NOW)


@pytest.mark.parametrize(
    "change",
    [{"sender": "a b"}, {"to": ("a@b.example>\r\nDATA",)}, {"key": "a>\r\nX: y"}, {"url": "https://smtp.example.com"}],
)
def test_a_mail_that_cannot_be_written_is_not_sent(change: dict[str, Any]) -> None:
    with pytest.raises(Impossible):
        mail_request_of(replace(mail(["a@example.com"]), **change), SMTP.origins(on()), 30.0, 7, NOW)


def test_no_password_is_shown() -> None:
    made = mail(["a@example.com"])
    request = mail_request_of(made, SMTP.origins(on()), 30.0, 7, NOW)
    for shown in (repr(on()), repr(made), repr(request), repr(SMTP.access(on()))):
        assert "s3cr3t" not in shown


# --- What an answer means ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "said", "ruling"),
    [
        (250, "took it", Done(detail="took it")),
        (421, "busy", Throttle("busy")),
        (454, "4.7.0 later", Throttle("4.7.0 later")),
        (450, "4.2.0 later", Retry("4.2.0 later")),
        (452, "4.2.2 full", Retry("4.2.2 full")),
        (334, "?", Retry("?")),
        (530, "5.7.0 sign in", Reauthorise("5.7.0 sign in")),
        (535, "5.7.8 wrong", Reauthorise("5.7.8 wrong")),
        (550, "550 5.1.1 nobody", Reject("5.1.1", "550 5.1.1 nobody")),
        (554, "no", Reject("554", "no")),
    ],
)
def test_a_code_says_what_becomes_of_the_mail(status: int, said: str, ruling: object) -> None:
    assert by_mail_status(status, said) == ruling


# --- Without the package ----------------------------------------------------------------------------------------------


def test_without_its_package_the_kind_says_what_to_install() -> None:
    kinds = Destinations([SMTP], is_there=lambda _package: False)
    with pytest.raises(Invalid) as refused:
        kinds.read_connection("mail", {})
    [error] = refused.value.errors
    assert (error.pointer, error.code) == ("/kind", "package_missing")
    assert (
        error.detail == "The kind mail needs a package: pip install 'signalpost[mail]', then start the gateway again."
    )
