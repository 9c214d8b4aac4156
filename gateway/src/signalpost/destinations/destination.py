"""What a kind of destination is: the class that others derive from to deliver events to a vendor's API.

A kind says in two structs what a connection and a subscription of it hold. Its methods say which call an event becomes,
and what the vendor's reply means. They are pure: they do no I/O, read no clock and remember nothing, so the same event
makes the same call on each attempt. The engine does the rest. It asks whether the subscription wants the event, waits,
gets tokens, fills in the placeholders, makes every call through the guarded sender, strikes secrets from what it keeps,
and repeats, waits or gives up as the ruling says.

    event ──prepare──▶ Call ──the engine sends it──▶ Reply ──classify──▶ Ruling
                  ├──▶ Skip                                    ▲           │
                  │                                            └── Then ◀──┘   at most MAX_FOLLOW_UPS times
                  └──▶ Mail ──the engine sends it──▶ Ruling
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from inspect import cleandoc
from typing import Any, ClassVar, Final, Generic, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, Struct, UnsetType

from signalpost.destinations.presets import Preset
from signalpost.domain.body import Body
from signalpost.domain.language.names import Subject

API: Final = 1
"""The version of this interface. A kind that was written for another is left out at the start."""
MAX_FOLLOW_UPS: Final = 2
"""How many calls may follow the first of an attempt."""
MAX_REVOCATIONS: Final = 3
MAX_REPLY_BYTES: Final = 64 * 1024
DAY: Final = 24 * 3600
_ENHANCED_CODE: Final = re.compile(r"\b5\.[0-9]{1,3}\.[0-9]{1,3}\b")
"""The precise cause that most mail servers name (RFC 3463)."""

# --- What a kind is given ---------------------------------------------------------------------------------------------


class Context(Subject, frozen=True, kw_only=True):
    """One event on its way to one subscription: what conditions and placeholders look at, and what identifies it."""

    key: str
    """The same on each attempt to deliver this event to this subscription, and nowhere else: 32 hexadecimal digits."""
    slot: str
    """The same for all events of this document to this subscription, and nowhere else: 32 hexadecimal digits."""
    attempt: int
    """1, 2, … in this run."""
    account: Mapping[str, str] = {}
    """What `discovered` kept of the vendor's account; empty if no person gave a consent."""


class Reply(Struct, frozen=True, kw_only=True):
    """What a vendor answered."""

    status: int
    headers: Mapping[str, str] = {}
    """The headers by names in lower case; of one that came twice, the last."""
    body: bytes = b""
    """The first `MAX_REPLY_BYTES`."""

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    @property
    def json(self) -> Any:
        """The body as JSON, or {} if it is none."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return {}

    def at(self, *path: str | int) -> Any:
        """The value at a path of names and indexes in the JSON body, or None if there is none."""
        value = self.json
        for step in path:
            if isinstance(value, dict) and isinstance(step, str):
                value = value.get(step)
            elif isinstance(value, list) and isinstance(step, int) and -len(value) <= step < len(value):
                value = value[step]
            else:
                return None
        return value


# --- What a kind answers ----------------------------------------------------------------------------------------------


Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


class Call(Struct, frozen=True, kw_only=True):
    """One request to a vendor. The engine adds the authorisation, the length and its own user agent."""

    url: str
    """The address; its origin must be one of the connection's `origins`."""
    method: Method = "POST"
    json: Any | UnsetType = UNSET
    """The body, as a value that becomes JSON; without it there is none."""
    form: Mapping[str, str] | UnsetType = UNSET
    """The body, as fields of a form."""
    headers: Mapping[str, str] = {}
    authorised: bool = True
    """Whether it carries what `access` says."""

    def __repr__(self) -> str:
        """Shows where it goes and no more: addresses and headers of some vendors are secret."""
        return f"Call({self.method} {'/'.join(self.url.split('/', 3)[:3])}/…)"


class Mail(Struct, frozen=True, kw_only=True):
    """One mail, which the engine hands to a mail server under TLS. It adds the date, and an id made of `key`."""

    url: str
    """The mail server: `smtps://HOST:PORT` if TLS is there from the start, `smtp://HOST:PORT` for STARTTLS. It must be
    one of the connection's `origins`."""
    login: tuple[str, str] | None = None
    """User name and password, if the server wants any."""
    sender: str
    """The address that the mail comes from."""
    sender_name: str = ""
    to: Sequence[str]
    """The addresses that get it. A probe names none, and sends nothing."""
    subject: str
    text: str
    """Plain text; the ends of its lines may be of any kind."""
    key: str
    """The same on each attempt, such as `Context.key`: the mail's id is made of it, by which a repeat can be told."""
    unsubscribe: str = ""
    """The URL at which its recipient has no more such mails sent (RFC 2369, RFC 8058); without it there is none."""

    def __repr__(self) -> str:
        """Shows where it goes and no more."""
        return f"Mail({self.url}, …)"


class Skip(Struct, frozen=True):
    """There is nothing to send for this event, which settles the delivery."""

    why: str
    """A sentence for people, which is shown with the delivery."""


class Done(Struct, frozen=True, kw_only=True):
    """The vendor did what was asked."""

    detail: str = ""
    made: Mapping[str, str] | UnsetType = UNSET
    """What to remember for the document's next events: an id, a link. Without it, what was remembered stays."""


class Retry(Struct, frozen=True):
    """A failure that may pass; it counts as the webhook's failures do (C16)."""

    detail: str
    after: float | None = None
    """Seconds that the vendor asked to wait."""


class Throttle(Struct, frozen=True):
    """The vendor limits our calls: everything of this connection waits, and nothing is counted."""

    detail: str
    after: float = 60.0
    """Seconds; a day at most."""


class Reject(Struct, frozen=True):
    """The vendor refuses this event, and would again: it fails at once and can be replayed once the cause is fixed."""

    code: str
    """The vendor's name for the cause, such as `invalid_blocks`. Ten in a row with one disable a subscription."""
    detail: str


class Reauthorise(Struct, frozen=True):
    """The vendor no longer takes the authorisation. With a token that can be renewed, the delivery waits for the next
    token; otherwise the subscriptions of the connection are disabled until a person fixes it."""

    detail: str


class Then(Struct, frozen=True):
    """The attempt goes on with another call."""

    call: Call


Ruling: TypeAlias = Done | Retry | Throttle | Reject | Reauthorise | Then
"""What a reply means."""

# --- How a kind signs in ----------------------------------------------------------------------------------------------


class Fixed(Struct, frozen=True):
    """The same header on every call, for as long as the connection says so."""

    authorization: str
    """The value of the header `authorization`, such as `Bearer xoxb-…`."""

    def __repr__(self) -> str:
        return "Fixed(…)"


class Grant(Struct, frozen=True, kw_only=True):
    """A token is asked for at `url` with a form, and renewed in time (RFC 6749, 4.4; RFC 7523)."""

    url: str
    form: Mapping[str, str]
    """The fields, `grant_type` among them."""
    basic: tuple[str, str] | None = None
    """Client id and secret, if they go into the header."""
    claims: Mapping[str, Any] | None = None
    """What a signed assertion says; the engine adds `iat` and `exp`, signs it and adds it as the field `assertion`."""
    signing_key: str | None = None
    """The private RSA key in PEM that signs the claims."""

    def __repr__(self) -> str:
        return f"Grant({self.url}, …)"


class Consent(Struct, frozen=True, kw_only=True):
    """A person gives consent at `authorize_url` (RFC 6749, 4.1, with PKCE). What the vendor grants is kept with the
    connection and renewed at `token_url` with its refresh token, which the vendor may replace each time."""

    authorize_url: str
    token_url: str
    client_id: str
    client_secret: str
    scopes: tuple[str, ...]
    issuer: str = ""
    """What the vendor calls itself in the redirect's `iss`, exactly as it documents it (RFC 9207); without it, the
    origin of `authorize_url`."""
    more: Mapping[str, str] = {}
    """Further parameters of the authorisation request."""

    def __repr__(self) -> str:
        return f"Consent({self.authorize_url}, …)"


Access: TypeAlias = Fixed | Grant | Consent | None
"""How calls are authorised; None if they need nothing, or the URL is the secret."""


class Held(Struct, frozen=True, kw_only=True):
    """The credentials that a vendor gave, in addition to those in the connection."""

    access_token: str = ""
    """Empty if there is none, or the connection itself has the credentials."""
    refresh_token: str = ""
    """From a person's consent; otherwise empty."""
    account: Mapping[str, str] = {}
    """What `discovered` kept of the vendor's account."""

    def __repr__(self) -> str:
        return "Held(…)"


class Revocation(Struct, frozen=True, kw_only=True):
    """A call that revokes the gateway's credentials at the vendor."""

    call: Call
    basic: tuple[str, str] | None = None
    """Client id and secret that go into the header in place of what `access` says."""

    def __repr__(self) -> str:
        return f"Revocation({self.call!r})"


# --- The kind ---------------------------------------------------------------------------------------------------------

C = TypeVar("C", bound=Body)
F = TypeVar("F", bound=Body)


class Destination(ABC, Generic[C, F]):
    """A kind of destination. `C` is what a connection of this kind holds, `F` what a subscription of it says."""

    kind: ClassVar[str]
    """The name on the wire: small letters, digits and underscores."""
    title: ClassVar[str]
    """The name for people."""
    api: ClassVar[int] = API
    """The version of this interface that it was written for."""
    seconds: ClassVar[float] = 5.0
    """How long one call may take."""
    rate: ClassVar[tuple[int, float]] = (50, 1.0)
    """The rate limit: a number of calls, and the seconds in which at most so many may be made. It holds for the calls
    that, according to `paced_by`, the vendor counts together."""
    at_once: ClassVar[int] = 4
    """How many deliveries of one connection may be under way."""
    strict: ClassVar[bool] = False
    """Whether a document's events must keep their order even through retries."""
    latest_wins: ClassVar[bool] = False
    """Whether an event is not sent again, be it by a retry or a replay, once a later one of its document is wanted."""
    presets: ClassVar[Sequence[Preset]] = ()

    connection: type[C]
    """The struct of what a connection holds: addresses, accounts, secrets."""
    config: type[F]
    """The struct of what a subscription says. Members with placeholders reach `prepare` filled in."""

    @property
    def about(self) -> str:
        """What people read about the kind below its title: the docstring of its class."""
        return cleandoc(type(self).__doc__ or "")

    def check(self, connection: C, config: F) -> None:
        """Refuse what is right by itself but does not go together. Raises `Bad` or `Several`, whose paths begin at
        the config."""

    def is_open(self, connection: C) -> bool:
        """Whether everyone who may make subscriptions may say what is sent through the connection. If not, only those
        may who could change the connection, too."""
        return True

    @abstractmethod
    def origins(self, connection: C) -> tuple[str, ...]:
        """The origins that calls may go to, such as `https://slack.com`: checked when a connection is saved, and on
        every call."""

    def paced_by(self, connection: C, config: F) -> str:
        """The name of what the vendor counts a subscription's calls by, such as a channel: each has `rate` for itself.
        Without one, all calls of a connection are counted together."""
        return ""

    def access(self, connection: C) -> Access:
        """How calls of a connection are authorised."""
        return None

    @abstractmethod
    def prepare(self, connection: C, config: F, context: Context) -> Call | Mail | Skip:
        """The call or the mail that an event becomes."""

    def classify(self, connection: C, config: F, context: Context, call: Call, reply: Reply) -> Ruling:
        """What the reply to a call means. Of a mail, `by_mail_status` says so for every kind."""
        return by_status(reply)

    def foreseen(self, connection: C, config: F, context: Context) -> Sequence[Call]:
        """The calls that would follow the first if the vendor has nothing of this document yet. Only previews ask, for
        a kind whose first call does not show what is made; `classify` decides what really follows."""
        return ()

    def probe(self, connection: C) -> Call | Mail | None:
        """A call that shows that a connection works and changes nothing, or a mail without a recipient; None if
        there is neither."""
        return None

    def probed(self, connection: C, reply: Reply) -> Ruling:
        """What the reply to `probe` means."""
        return by_status(reply)

    def discover(self, connection: C) -> Call | None:
        """A call that is made once after a person's consent, to learn for which account it is; None if nothing needs
        to be known."""
        return None

    def discovered(self, connection: C, reply: Reply) -> Mapping[str, str]:
        """What to keep of the reply to `discover`, as `Context.account`. Raises ValueError with a sentence for people
        if the consent is for no account that will do."""
        return {}

    def revocations(self, connection: C, held: Held) -> Sequence[Revocation]:
        """The calls, at most `MAX_REVOCATIONS`, that take back at the vendor what lets the gateway in; none if its API
        has none for what this connection has."""
        return ()

    def revoked(self, connection: C, reply: Reply) -> Ruling:
        """What the reply to one of `revocations` means."""
        return by_status(reply)

    def escape(self, text: str) -> str:
        """A text as it must stand in this vendor's markup; it is applied to the values of placeholders."""
        return text


def by_status(reply: Reply) -> Ruling:
    """What a reply means if only its status counts."""
    status = reply.status
    if reply.is_success:
        return Done()
    detail = f"The vendor answered {status}."
    if status == 429:
        return Throttle(detail, retry_after(reply) or 60.0)
    if status == 401:
        return Reauthorise(detail)
    if status >= 500 or status in (408, 425):
        return Retry(detail, retry_after(reply))
    return Reject(str(status), detail)


def by_mail_status(status: int, said: str) -> Done | Retry | Throttle | Reject | Reauthorise:
    """What a mail server's answer means, by its code (RFC 5321, RFC 4954). `said` is a sentence with its words."""
    if 200 <= status < 300:
        return Done(detail=said)
    if status in (421, 454):  # it ends the conversation, or cannot let anyone in for now
        return Throttle(said)
    if status in (530, 534, 535, 538):
        return Reauthorise(said)
    if status >= 500:
        code = _ENHANCED_CODE.search(said)
        return Reject(str(status) if code is None else code[0], said)
    return Retry(said)


def retry_after(reply: Reply) -> float | None:
    """The seconds of the header `retry-after`; None if there is none, or it is not a number from 0 to a day."""
    text = reply.headers.get("retry-after", "").strip()
    return float(text) if text.isascii() and text.isdigit() and len(text) <= 6 and int(text) <= DAY else None
