"""What clients send about subscriptions."""

from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, UnsetType

from signalpost.domain.beginning import STARTS_AT, StartsAfter
from signalpost.domain.body import Body
from signalpost.domain.checks import NO_NUL
from signalpost.domain.contacts import Contacts
from signalpost.domain.endpoint import EndpointUrl, Headers
from signalpost.domain.event import EventTypeName
from signalpost.domain.fields import GivenTimestamp, Text, Uuid
from signalpost.domain.key_pair import SignWithKeyPair
from signalpost.domain.kind_config import Config, KindName
from signalpost.domain.language.condition_reader import When
from signalpost.domain.oauth import OAuthGiven
from signalpost.domain.objective import Objective
from signalpost.domain.old_signature import ChangedSignAlso, SignAlso
from signalpost.domain.own_tls import Authorities, ClientCertificateGiven
from signalpost.domain.subscription import POLL, WEBHOOK, Delay, Ordering

OVERLAP_HOURS: Final = 24
"""Hours during which both secrets sign by default (C21)."""
MAX_OVERLAP_HOURS: Final = 720
MAX_POLL_WAIT: Final = 30
"""Proxies give up a request that takes much longer."""

EventTypes = Annotated[tuple[EventTypeName, ...], Meta(min_length=1, max_length=10)]
RateLimit = Annotated[
    int,
    Meta(
        ge=1,
        le=100_000,
        description="Maximum attempts that start in any one second; after a pause, up to this many at once.",
    ),
]
RetryDelays = Annotated[
    tuple[Annotated[int, Meta(ge=1, le=86_400)], ...],
    Meta(min_length=0, max_length=10, description="Seconds before each retry."),
]
Trace = Annotated[
    bool,
    Meta(
        description="Send `traceparent` with events that are traced, so that the endpoint's spans join the trace. It "
        "says which requests belong together, so switch it on for endpoints of your own."
    ),
]
Secret = Annotated[str, Meta(min_length=8, max_length=256, pattern=NO_NUL)]


class _NewSubscription(Body, frozen=True, kw_only=True):
    """What a new subscription of any kind may say. Its members are keywords, and so come after those of a kind."""

    status: Literal["active", "paused"] = "active"
    when: When | None = None
    after: Delay | None = None
    objective: Objective | None = None
    contacts: Contacts = ()
    starts_after: StartsAfter | UnsetType = UNSET
    starts_at: Annotated[GivenTimestamp | UnsetType, STARTS_AT] = UNSET


class SubscriptionRequest(_NewSubscription, frozen=True):
    """A new subscription of the kind webhook."""

    url: EndpointUrl
    event_types: EventTypes
    kind: Literal["webhook"] = WEBHOOK
    name: Text | UnsetType = UNSET
    headers: Headers = {}
    sign_also: SignAlso = ()
    sign_with_key_pair: SignWithKeyPair = False
    client_certificate: ClientCertificateGiven | None = None
    authorities: Authorities | None = None
    oauth: OAuthGiven | None = None
    ordering: Ordering = "loose"
    rate_limit: RateLimit | None = None
    retry_delays: RetryDelays | UnsetType = UNSET
    secret: Secret | UnsetType = UNSET
    trace: Trace = False


class ConnectorRequest(_NewSubscription, frozen=True):
    """A new subscription that uses a connection."""

    kind: Annotated[KindName, Meta(extra_json_schema={"not": {"enum": [WEBHOOK, POLL]}})]
    connection: Uuid
    config: Config
    event_types: EventTypes
    name: Text | UnsetType = UNSET
    ordering: Ordering | UnsetType = UNSET
    rate_limit: RateLimit | None = None
    retry_delays: RetryDelays | UnsetType = UNSET


class ReadRequest(_NewSubscription, frozen=True):
    """A new subscription whose events its customer reads."""

    kind: Literal["poll"]
    event_types: EventTypes
    name: Text | UnsetType = UNSET


class PollRequest(Body, frozen=True, kw_only=True):
    """What a reader asks for."""

    limit: Annotated[int, Meta(ge=1, le=250, description="How many events at most.")] = 50
    wait: Annotated[
        int, Meta(ge=0, le=MAX_POLL_WAIT, description="For how many seconds to wait if there is nothing yet.")
    ] = 20
    lease: Annotated[
        int,
        Meta(
            ge=1,
            le=3600,
            description="For how many seconds they are handed to nobody else: long enough to handle all of them.",
        ),
    ] = 60


class Acknowledgement(Body, frozen=True, kw_only=True):
    """What a reader has handled."""

    receipt: Annotated[Uuid, Meta(description="The `receipt` of what was handed out.")]
    through: (
        Annotated[
            int,
            Meta(
                ge=0,
                le=2**62,
                description="The sequence of the last event that was handled; all of them if left out. Those after it "
                "are handed out again.",
            ),
        ]
        | UnsetType
    ) = UNSET


class SubscriptionPatch(Body, frozen=True, kw_only=True):
    name: Text | UnsetType = UNSET
    url: EndpointUrl | UnsetType = UNSET
    event_types: EventTypes | UnsetType = UNSET
    headers: Headers | UnsetType = UNSET
    sign_also: ChangedSignAlso | UnsetType = UNSET
    sign_with_key_pair: SignWithKeyPair | UnsetType = UNSET
    client_certificate: ClientCertificateGiven | None | UnsetType = UNSET
    authorities: Authorities | None | UnsetType = UNSET
    oauth: OAuthGiven | None | UnsetType = UNSET
    ordering: Ordering | UnsetType = UNSET
    rate_limit: RateLimit | None | UnsetType = UNSET
    retry_delays: RetryDelays | UnsetType = UNSET
    status: Literal["active", "paused"] | UnsetType = UNSET
    connection: Uuid | UnsetType = UNSET
    config: Config | UnsetType = UNSET
    when: When | None | UnsetType = UNSET
    after: Delay | None | UnsetType = UNSET
    objective: Objective | None | UnsetType = UNSET
    trace: Trace | UnsetType = UNSET
    contacts: Contacts | UnsetType = UNSET
    skip_backlog: Annotated[
        bool,
        Meta(
            description="When you resume a subscription: skip all waiting events, drop retries by hand that have not"
            " begun, and cancel replays that run."
        ),
    ] = False


MAX_CHECKED_CHARACTERS: Final = 1_000_000


class SecretRotation(Body, frozen=True, kw_only=True):
    secret: Secret | UnsetType = UNSET
    overlap_hours: Annotated[
        int,
        Meta(
            ge=0,
            le=MAX_OVERLAP_HOURS,
            description="How long both secrets sign; 0 switches to the new one at once.",
        ),
    ] = OVERLAP_HOURS


class PreviewRequest(Body, frozen=True, kw_only=True):
    """Which event to look at."""

    event_id: Uuid


class NewPreview(Body, frozen=True, kw_only=True):
    """A subscription that is still to be made, and which event to look at."""

    event_id: Uuid
    connection: Uuid
    config: Config
    when: When | None = None
    after: Delay | None = None


class SamplePreview(Body, frozen=True, kw_only=True):
    """A subscription that is still to be made, to be looked at with a sample that meets its conditions, if one can be
    made."""

    sample: Annotated[EventTypes, Meta(description="The types that the sample may have.")]
    connection: Uuid
    config: Config
    when: When | None = None
    after: Delay | None = None


class SubscriptionTest(Body, frozen=True, kw_only=True):
    event_type: EventTypeName | UnsetType = UNSET
    secret: Annotated[
        Literal["next"] | UnsetType,
        Meta(
            description="During a rotation, `next` signs the sample with the new secret alone: whether the endpoint "
            "accepts it shows whether the old one can end. If left out, the sample is signed as events are."
        ),
    ] = UNSET


class SignatureCheck(Body, frozen=True, kw_only=True):
    signature: Annotated[
        Text,
        Meta(
            description="The value of `plexus-webhook-signature` or, with its `timestamp`, of `webhook-signature`, as "
            "it arrived or as you computed it."
        ),
    ]
    body: Annotated[
        str, Meta(max_length=MAX_CHECKED_CHARACTERS, description="The body that was signed, exactly as it arrived.")
    ]
    timestamp: Annotated[
        Text | UnsetType,
        Meta(description="The value of `webhook-timestamp`, if it is a `webhook-signature` that is checked."),
    ] = UNSET
    id: Annotated[
        Text | UnsetType, Meta(description="The value of `webhook-id`; if left out, the id of the event in the body.")
    ] = UNSET
