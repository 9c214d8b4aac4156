"""What a kind of destination is: the class that others derive from to deliver events to a vendor's API.

A kind says in two structs what a connection and a subscription of it hold. Its methods say which call an event becomes,
and what the vendor's reply means. They are pure: they do no I/O, read no clock and remember nothing, so the same event
makes the same call on each attempt. The engine does the rest. It asks whether the subscription wants the event, waits,
gets tokens, fills in the placeholders, makes every call through the guarded sender, strikes secrets from what it keeps,
and repeats, waits or gives up as the ruling says.

    event ──prepare──▶ Call ──the engine sends it──▶ Reply ──classify──▶ Ruling
                  ├──▶ Skip, Reject                            ▲           │
                  │                                            └── Then ◀──┘   at most MAX_FOLLOW_UPS times
                  └──▶ Mail ──the engine sends it──▶ Ruling
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from inspect import cleandoc
from typing import ClassVar, Final, Generic, TypeVar

from signalpost.destinations.access import Access, Held, Revocation
from signalpost.destinations.calls import Call, Mail, Reply, Skip
from signalpost.destinations.presets import Preset
from signalpost.destinations.rulings import Reject, Ruling, by_status
from signalpost.domain.body import Body
from signalpost.domain.language.names import Subject

API: Final = 1
"""The version of this interface. A kind that was written for another is left out at the start."""
MAX_FOLLOW_UPS: Final = 2
"""How many calls may follow the first of an attempt."""
MAX_REVOCATIONS: Final = 3

C = TypeVar("C", bound=Body)
F = TypeVar("F", bound=Body)


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
    def prepare(self, connection: C, config: F, context: Context) -> Call | Mail | Skip | Reject:
        """The call or the mail that an event becomes; or a Reject, if the vendor is known to refuse it."""

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
