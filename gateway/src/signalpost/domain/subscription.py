"""A subscription: who wants which events where, and from which point of the log (C14)."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from msgspec import Meta, Struct, field
from msgspec.structs import replace

from signalpost.domain import key_pair as key_pairs
from signalpost.domain.body import Body
from signalpost.domain.checks import MAX_TEXT_CHARACTERS
from signalpost.domain.event import BY_WIRE, EVERY_TYPE, EventType
from signalpost.domain.key_pair import KeyPair
from signalpost.domain.language.condition_reader import StillSo
from signalpost.domain.oauth import OAuthClient
from signalpost.domain.objective import Objective
from signalpost.domain.old_signature import OldSignature
from signalpost.domain.own_tls import Certificate, ClientCertificate
from signalpost.domain.request import EndpointTls
from signalpost.domain.timestamps import MINUTE

Status = Literal["active", "paused", "disabled"]
Ordering = Literal["loose", "strict"]
Filters = tuple[tuple[int, int], ...]
"""Pairs of (sequence, types as bits): the types that count for events above that sequence, ascending."""


WEBHOOK: Final = "webhook"
"""The kind of a subscription that names none: the event itself is sent, signed."""


POLL: Final = "poll"
"""The kind of a subscription whose events are not sent: its customer reads them."""
SIGNING: Final = frozenset({WEBHOOK, POLL})
"""The kinds that sign events with a secret."""


MOVED_WITHIN: Final = MINUTE
"""After so long every node sends to a changed URL. Each hears of it a moment after its commit, and one that hears
nothing of the database soon stops sending."""
MAX_DELAY: Final = 30 * 24 * 3600


class Delay(Body, frozen=True, kw_only=True):
    """How long after its event a delivery waits before it is sent."""

    seconds: Annotated[
        int, Meta(ge=1, le=MAX_DELAY, description="Seconds from the event to the delivery; less than events are kept.")
    ]
    condition: StillSo | None = field(name="if", default=None)
    """What must then still be so of the document's newest state."""


class Subscription(Struct, frozen=True, kw_only=True):
    """A subscription as the engine uses it. Its secrets, its header values and its whole URL go nowhere but into the
    head of a request; `shown_url` says what is shown of the URL."""

    id: str
    tenant_id: int
    number: int
    """Primary key in the store."""
    name: str
    kind: str = WEBHOOK
    """The kind of destination that it sends to."""
    connection_id: str | None = None
    """The connection that it delivers through; None for a webhook."""
    config: Mapping[str, Any] = {}
    """The members of the kind's struct of what a subscription says, as JSON; none of them is a secret."""
    when: Mapping[str, Any] | None = None
    """The condition that an event must meet to be sent, as JSON; None if every event of its types is."""
    after: Delay | None = None
    url: str
    """The endpoint of a webhook; for any other kind, the first origin of the connection."""
    secret: str
    """A webhook's; empty for any other kind."""
    next_secret: str | None = None
    """During a rotation: the secret that replaces `secret` at `promote_at` (C21)."""
    promote_at: int | None = None
    headers: dict[str, str]
    sign_also: tuple[OldSignature, ...] = ()
    """The signatures of other systems that are sent beside the gateway's own."""
    key_pair: KeyPair | None = None
    """What its webhook is signed with beside `secret`; None if nothing."""
    next_key_pair: KeyPair | None = None
    """During a rotation: the pair that replaces `key_pair` at `promote_at`; None if that stays."""
    client_certificate: ClientCertificate | None = None
    """What its webhook offers to its endpoint in TLS; None if nothing."""
    authorities: tuple[Certificate, ...] = ()
    """Who may have issued the certificate of its endpoint; empty for whom the gateway trusts else."""
    oauth: OAuthClient | None = None
    """The client as which tokens are asked for that its requests carry; None if they carry none."""
    status: Status
    ordering: Ordering
    rate_limit: int | None
    objective: Objective | None = None
    """What it promises of its events; None if nothing."""
    trace: bool = False
    """Whether its endpoint gets the `traceparent` of attempts that are traced."""
    contacts: tuple[str, ...] = ()
    """The addresses of people who are told how it does. They go into mails to them and onto pages, and into no log."""
    unsubscribed: tuple[str, ...] = ()
    """The contacts who want to be told no more."""
    shadow_of: str | None = None
    """The subscription whose shadow it is (`domain/shadow.py`); None if it is none. This never changes."""
    retry_delays: tuple[int, ...]
    starts_after: int
    """The subscription gets exactly the events with a higher sequence."""
    filters: Filters
    skip_to: int = 0
    """Events up to this sequence that were not settled at a resume with `skipBacklog` are given up."""
    skip_version: int = 0
    """The version that a resume with `skipBacklog` last gave it; 0 if there was none."""
    skipped_at: int = 0
    """When the subscription was last resumed with `skipBacklog`."""
    disabled_at: int | None = None
    """When the gateway disabled the subscription; None if it is not disabled."""
    disabled_because: str | None = None
    """A sentence for people about that; None if its endpoint had failed for days."""
    revived_at: int = 0
    """When the subscription was last resumed after being disabled."""
    secret_since: int = 0
    """Since when `secret` signs; 0 if it did from the beginning."""
    url_since: int = 0
    """Since when it has its URL; 0 if it had it from the beginning."""
    headers_since: int = 0
    """Since when it has its additional headers; 0 if it had them from the beginning."""
    when_since: int = 0
    """Since when it has its condition, or none; 0 if that never changed."""
    tested_at: int = 0
    """When a test was last delivered by another node than the one with its lane, whose breaker that closes (C16)."""
    created_at: int
    updated_at: int
    version: int = 1
    deleted_at: int | None = None

    def __repr__(self) -> str:
        """Shows no secret, because tools that print a traceback's variables call this."""
        return f"Subscription({self.id}, tenant {self.tenant_id}, {self.status}, version {self.version})"

    @property
    def event_types(self) -> tuple[str, ...]:
        return names_of(self.filters[-1][1])

    @property
    def is_read(self) -> bool:
        """Whether its customer reads its events, so that no node sends them."""
        return self.kind == POLL

    @property
    def had_condition(self) -> bool:
        """Whether its lane may have passed over events that did not meet a condition, or that were too old for a
        shadow."""
        return self.when is not None or self.when_since > 0 or self.shadow_of is not None

    @property
    def moved_at(self) -> int:
        """Since when no node sends to a URL that it had before; 0 if it had no other one."""
        return self.url_since + MOVED_WITHIN if self.url_since else 0

    @property
    def delay(self) -> int:
        """How many seconds after its event a delivery is sent at the earliest."""
        return 0 if self.after is None else self.after.seconds

    @property
    def attempts(self) -> int:
        """How many attempts an event gets before it is given up (C16)."""
        return len(self.retry_delays) + 1

    @property
    def told_contacts(self) -> tuple[str, ...]:
        """The contacts who want to be told."""
        return tuple(each for each in self.contacts if each not in self.unsubscribed) if self.contacts else ()

    @property
    def key_pairs(self) -> tuple[KeyPair, ...]:
        """The pairs that sign, of a rotation the old one first."""
        return tuple(each for each in (self.key_pair, self.next_key_pair) if each is not None)

    @property
    def tls(self) -> EndpointTls | None:
        """How it speaks TLS with its endpoint; None if as with every other."""
        certificate = self.client_certificate
        if certificate is None and not self.authorities:
            return None
        trusted = b"".join(each.pem for each in self.authorities)
        chain, key = (b"", b"") if certificate is None else (certificate.pem, certificate.key)
        return EndpointTls(self.id, chain, key, trusted)

    def with_secrets_of(self, now: int) -> "Subscription":
        """The subscription at `now`: a rotation whose overlap is over by then has ended."""
        if self.promote_at is None or now < self.promote_at:
            return self
        return self.promoted(self.promote_at)

    def promoted(self, at: int) -> "Subscription":
        """The subscription with only the new secret, if a rotation is in progress. `at` is since when."""
        if self.next_secret is None:
            return replace(self, promote_at=None)
        return replace(
            self,
            secret=self.next_secret,
            next_secret=None,
            promote_at=None,
            secret_since=at,
            key_pair=self.next_key_pair or self.key_pair,
            next_key_pair=None,
        )

    def signing_with(self, secret: str) -> "Subscription":
        """The subscription with this secret, or what is made of it, in place of all that signs."""
        return replace(
            self,
            secret=secret,
            next_secret=None,
            promote_at=None,
            sign_also=tuple(replace(each, secret=secret) for each in self.sign_also),
            key_pair=None if self.key_pair is None else key_pairs.stand_in(secret),
            next_key_pair=None,
        )

    def disabled(self, now: int, because: str | None) -> "Subscription":
        """The subscription, disabled by the gateway."""
        return replace(
            self,
            status="disabled",
            disabled_at=now,
            disabled_because=because,
            version=self.version + 1,
            updated_at=now,
        )

    def has_skipped_since(self, version: int) -> bool:
        """Whether its backlog was skipped after it had a version: what was asked of it until then is over."""
        return version < self.skip_version

    @property
    def etag(self) -> str:
        return f'"{self.version}"'


UNSAVED: Final = Subscription(
    id="00000000-0000-7000-8000-000000000000",
    tenant_id=0,
    number=0,
    name="",
    url="",
    secret="",
    headers={},
    status="active",
    ordering="loose",
    rate_limit=None,
    retry_delays=(),
    starts_after=0,
    filters=((0, EVERY_TYPE),),
    created_at=0,
    updated_at=0,
)
"""A subscription that no store has, from which previews and tests of endpoints make theirs."""


def name_of_unnamed(url: str) -> str:
    """The name of a webhook that was given none. It is the host, since what follows in a URL may be a credential."""
    return urlsplit(url).netloc[:MAX_TEXT_CHARACTERS]


def wanted(filters: Filters, sequence: int) -> int:
    """The types, as bits, that counted when the event with `sequence` was made."""
    mask = 0
    for after, types in filters:
        if sequence <= after:
            break
        mask = types
    return mask


def refiltered(filters: Filters, last_sequence: int, mask: int) -> Filters:
    """The filters with `mask` for all future events."""
    if filters[-1][1] == mask:
        return filters
    earlier = tuple(pair for pair in filters if pair[0] < last_sequence)
    return (*earlier, (last_sequence, mask))


def widened(subscription: Subscription, first: int, at: int) -> Subscription:
    """The subscription whose present types count from the sequence `first` on, too; the same if they do."""
    before, (_, present) = wanted(subscription.filters, first), subscription.filters[-1]
    since = [(after, types) for after, types in subscription.filters if after >= first]
    if all(types & present == present for types in (before, *(types for _, types in since))):
        return subscription
    earlier = (pair for pair in subscription.filters if pair[0] < first - 1)
    filters = (*earlier, (first - 1, before | present), *((after, types | present) for after, types in since))
    # What is not sent yet of its new types is told from what was sent by its attempts, as after a change of `when`.
    return replace(subscription, filters=filters, when_since=at, version=subscription.version + 1, updated_at=at)


def bits_of(names: Iterable[str]) -> int:
    """Event types as bits."""
    return sum(BY_WIRE[name] for name in set(names))


def names_of(bits: int) -> tuple[str, ...]:
    """The inverse of `bits_of`."""
    return tuple(event_type.wire for event_type in EventType if event_type & bits)
