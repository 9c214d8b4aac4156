"""Mail: a message for an event, through a mail server of your own.

A mail server is asked under TLS alone, whose certificate must have its name. The mail's id is made of the delivery's
key, so it is the same on each attempt: a mailbox, and the person who reads it, can tell a repeat.

Those who may make subscriptions could write to anyone in the company's name. So a connection lists who may get mail
through it, and subscriptions that write to others are refused. If it lists no one, only those who may change the
connection say who gets mail.
"""

from typing import Annotated, Any, Final

from msgspec import Meta, Struct
from msgspec.structs import replace

from signalpost.destinations.access import Access, Fixed
from signalpost.destinations.calls import Mail, Skip
from signalpost.destinations.destination import Context, Destination
from signalpost.destinations.fields import Private, SecretText, Template, secret
from signalpost.destinations.members import MAX_ORIGIN_CHARACTERS, basic_authorization, origin_of
from signalpost.destinations.presets.mail import PRESETS
from signalpost.domain.body import Body, read_by
from signalpost.domain.checks import Bad, Several, plain_text
from signalpost.domain.endpoint import MAIL, parse_url
from signalpost.domain.fields import MAIL_ADDRESS, MailAddress, is_mail_address
from signalpost.domain.language.templates import read_template

MAX_TO: Final = 10
MAX_RECIPIENTS: Final = 100
MAX_SUBJECT_CHARACTERS: Final = 250
_DOMAIN: Final = MAIL_ADDRESS.partition("@")[2]


def _read_server(value: Any) -> str:
    text = plain_text(value, MAX_ORIGIN_CHARACTERS)
    parsed = parse_url(text, MAIL)
    if parsed.path != "/":
        raise Bad("bad_url", f"Leave out everything after the port: write {parsed.origin}.")
    return parsed.origin


MailServer = Annotated[
    str,
    Meta(
        title="Mail server",
        description="smtp:// for STARTTLS, mostly on port 587; smtps:// for TLS from the start, mostly on port 465.",
        examples=["smtp://smtp.example.com:587"],
        max_length=MAX_ORIGIN_CHARACTERS,
        pattern="^[Ss][Mm][Tt][Pp][Ss]?://[^/?#@]+/?$",
        extra_json_schema={"format": "uri"},
        extra=read_by(_read_server),
    ),
]
Recipient = Annotated[str, Meta(max_length=254, pattern=f"({MAIL_ADDRESS})|(^@{_DOMAIN})")]
"""An address, or all addresses at a domain: `@example.com`."""


class NoSignIn(Body, frozen=True, kw_only=True, tag_field="with", tag="nothing"):
    """The server takes mail from the gateway's address without a password."""


class Password(Private, frozen=True, kw_only=True, tag_field="with", tag="password"):
    """A user's name and password, or what the server takes for one."""

    username: Annotated[
        str,
        Meta(
            title="User name",
            description="Often the whole address.",
            examples=["signalpost@example.com"],
            min_length=1,
            max_length=256,
            pattern="^[^\\u0000-\\u001f\\u007f]+$",
        ),
    ]
    password: Annotated[
        SecretText,
        secret("Password", "Use one made for this program, not a person's own.", "k3y"),
        Meta(pattern="^[^\\u0000-\\u001f\\u007f]+$"),
    ]


class MailConnection(Body, frozen=True, kw_only=True):
    """A mail server, and in whose name mail is sent."""

    server: MailServer
    sign_in: Annotated[
        NoSignIn | Password,
        Meta(
            title="Signs in with",
            description="How the gateway signs in to the mail server.",
            examples=[{"with": "password", "username": "signalpost@example.com", "password": "k3y"}],
        ),
    ]
    sender: Annotated[
        MailAddress,
        Meta(
            title="From",
            description="The address that mail comes from. The server must let the gateway use it.",
            examples=["contracts@example.com"],
        ),
    ]
    sender_name: Annotated[
        str,
        Meta(
            title="Name",
            description="The name that is shown beside the address.",
            examples=["Example contracts"],
            max_length=100,
            pattern="^[^\\u0000-\\u001f\\u007f]*$",
        ),
    ] = ""
    recipients: Annotated[
        tuple[Recipient, ...],
        Meta(
            title="May write to",
            description="The addresses that subscriptions may write to; @example.com stands for all of a domain. "
            "Without any, only operators can make or change subscriptions of this connection.",
            examples=[["@example.com", "counsel@example.org"]],
            max_length=MAX_RECIPIENTS,
        ),
    ] = ()


class Letter(Struct, frozen=True, kw_only=True):
    """A mail that is about no event."""

    to: str
    subject: str
    text: str
    key: str
    unsubscribe: str
    """See `Mail`."""


class MailConfig(Body, frozen=True, kw_only=True):
    """The mail that an event becomes."""

    to: Annotated[
        tuple[Template, ...],
        Meta(
            title="To",
            description="The addresses that get the mail. One that is empty for a document is left out.",
            examples=[["legal@example.com", "{{ document.ownerEmail }}"]],
            min_length=1,
            max_length=MAX_TO,
        ),
    ]
    subject: Annotated[
        Template,
        Meta(
            title="Subject",
            description="One line; what is beyond 250 characters is cut off.",
            examples=["{{ document.title }} is signed"],
        ),
    ]
    text: Annotated[
        Template,
        Meta(
            title="Text",
            description="Plain text.",
            examples=["{{ document.title }} is now {{ document.status }}."],
        ),
    ]


class Smtp(Destination[MailConnection, MailConfig]):
    """Sends a mail for each event."""

    kind = "mail"
    title = "Mail"
    seconds = 30.0
    rate = (5, 1.0)
    presets = PRESETS
    connection = MailConnection
    config = MailConfig

    def check(self, connection: MailConnection, config: MailConfig) -> None:
        """Addresses without placeholders are addresses, and the connection lists them."""
        bads = [
            Bad(*fault, ("to", str(index)))
            for index, address in enumerate(config.to)
            if not read_template(address).placeholders and (fault := _fault(connection, address)) is not None
        ]
        if bads:
            raise Several(bads)

    def is_open(self, connection: MailConnection) -> bool:
        """Whether the connection lists who may get mail through it."""
        return bool(connection.recipients)

    def origins(self, connection: MailConnection) -> tuple[str, ...]:
        """The mail server's."""
        return (origin_of(connection.server),)

    def access(self, connection: MailConnection) -> Access:
        """What tells one password from the next: a mail itself carries the login."""
        match connection.sign_in:
            case Password(username=username, password=password):
                return Fixed(basic_authorization(username, password))
        return None

    def prepare(self, connection: MailConnection, config: MailConfig, context: Context) -> Mail | Skip:
        """The mail, unless an address is none for this document."""
        to = [address.strip() for address in config.to]
        for index, address in enumerate(to):
            if address and (fault := _fault(connection, address)) is not None:
                return Skip(f"The address /config/to/{index} cannot be used for this document. {fault[1]}")
        if not any(to):
            return Skip("There is nobody to write to: every address is empty for this document.")
        return _mail(connection, tuple(dict.fromkeys(filter(None, to))), config, context.key)

    def may_write(self, connection: MailConnection, address: str) -> bool:
        """Whether a connection lets an address have mail."""
        return _fault(connection, address) is None

    def written(self, connection: MailConnection, letter: Letter) -> Mail:
        """The mail that a letter becomes."""
        mail = _mail(connection, (letter.to,), MailConfig(to=(), subject=letter.subject, text=letter.text), letter.key)
        return replace(mail, unsubscribe=letter.unsubscribe)

    def probe(self, connection: MailConnection) -> Mail:
        """Signs in, names the sender, and leaves."""
        return _mail(connection, (), MailConfig(to=(), subject="", text=""), "probe")


def _mail(connection: MailConnection, to: tuple[str, ...], config: MailConfig, key: str) -> Mail:
    sign_in = connection.sign_in
    return Mail(
        url=connection.server,
        login=(sign_in.username, sign_in.password) if isinstance(sign_in, Password) else None,
        sender=connection.sender,
        sender_name=connection.sender_name,
        to=to,
        subject=" ".join(config.subject.split())[:MAX_SUBJECT_CHARACTERS],
        text=config.text,
        key=key,
    )


def _fault(connection: MailConnection, address: str) -> tuple[str, str] | None:
    """Why an address gets no mail through a connection, as a code and a sentence; None if it may."""
    if not is_mail_address(address):
        return "not_an_email", "It must be an e-mail address, such as owner@example.com, in ASCII."
    own = address.lower()
    listed = {each.lower() for each in connection.recipients}
    if not listed or own in listed or f"@{own.rpartition('@')[2]}" in listed:
        return None
    return "recipient_not_allowed", "The connection does not list it among those who may get mail (recipients)."
