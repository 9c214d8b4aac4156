"""What answers about subscriptions look like.

Subscriptions are encoded where they are decided; their shapes here add what only the API knows.
"""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from signalpost.api.routing.shapes.deliveries import AttemptExchange, Diagnosis, EndpointAnswer
from signalpost.api.routing.shapes.shape import SHOWN_FOR_AN_HOUR, Cursor, Shape
from signalpost.domain import subscription
from signalpost.domain.delivery.outcome import Failure
from signalpost.domain.delivery.receiver_cases import CASES, Verdict
from signalpost.domain.event import EventTypeName
from signalpost.domain.fields import Timestamp, Uuid
from signalpost.domain.oauth import OAuthClientShown
from signalpost.domain.objective import Objective
from signalpost.domain.old_signature import OldSignatureShown
from signalpost.domain.own_tls import CertificateShown

HealthState = Literal["healthy", "failing", "paused", "disabled"]


class ReadingShown(Shape, frozen=True):
    """How a customer reads the events of a subscription."""

    read_at: Annotated[
        Timestamp | None, Meta(description="When it was last asked for events, to the minute; null if it never was.")
    ]
    acknowledged_at: Annotated[Timestamp | None, Meta(description="When events were last acknowledged.")]
    handed_out: Annotated[int, Meta(description="Events that were handed out and are not acknowledged.")]
    leased_until: Annotated[
        Timestamp | None, Meta(description="Until when these are handed to nobody else; null if they can be.")
    ]
    waits_since: Annotated[
        Timestamp | None,
        Meta(
            description="When the oldest event was made that may be waiting, of a type that is wanted; null if none is."
        ),
    ]


class HandedEvent(Shape, frozen=True):
    """An event as its reader gets it: what an endpoint would get."""

    sequence: int
    headers: Annotated[
        dict[str, str], Meta(description="The headers that the request to an endpoint would have, with its signatures.")
    ]
    body: Annotated[str, Meta(description="The event: exactly these characters, as UTF-8, are what is signed.")]


class HandedEvents(Shape, frozen=True):
    """What a reader gets."""

    data: Annotated[list[HandedEvent], Meta(description="In order; empty if nothing came while the call waited.")]
    receipt: Annotated[Uuid | None, Meta(description="Acknowledge them with this; null if there are none.")]
    leased_until: Annotated[
        Timestamp | None, Meta(description="From then on they are handed out again, if they are not acknowledged.")
    ]
    status: subscription.Status
    lost: Annotated[int, Meta(description="How many events the retention removed before they were read, in all.")]


class Acknowledged(Shape, frozen=True):
    acknowledged: Annotated[int, Meta(description="How many events that settled; none if it was done before.")]


class Health(Shape, frozen=True):
    state: HealthState
    failing_since: Timestamp | None
    last_error: str | None
    breaker: Literal["open", "closed"]
    next_probe_at: Annotated[
        Timestamp | None,
        Meta(description="While the breaker is open: when the next probe is sent, unless somebody retries sooner."),
    ]
    lag: Annotated[int, Meta(description="Events of the log not yet delivered, given up or waiting for a retry.")]
    waiting: Annotated[
        int, Meta(description="Deliveries in flight, queued, awaiting a retry, or behind others of their document.")
    ]
    failed: Annotated[int, Meta(description="Deliveries that were given up; a retry or a replay sends them again.")]
    oldest_due_at: Annotated[
        Timestamp | None,
        Meta(description="When the first of the deliveries that await a retry was due or is due; null if none is."),
    ]
    lost: Annotated[int, Meta(description="Events that the retention removed before they were delivered.")]
    kept_until: Annotated[
        Timestamp | None,
        Meta(
            description="While it is paused or disabled and events wait: when the retention removes the oldest of them."
        ),
    ]
    disabled_at: Annotated[
        Timestamp | None,
        Meta(description="Set if the endpoint has failed for days and nothing more is sent. Waiting events are kept."),
    ]
    disabled_reason: str | None
    reading: Annotated[
        ReadingShown | UnsetType, Meta(description="How its events are read; only of the kind `poll`.")
    ] = UNSET


class SubscriptionShown(Shape, frozen=True):
    """A subscription as the API shows it, without its `health`, which only the engine knows."""

    id: Uuid
    name: str
    url: Annotated[
        str,
        Meta(
            description="`***` replaces each value of the query, and the tokens in the paths of hosts such as "
            "hooks.slack.com. Requests go to the whole URL. A patch that sends this text back changes nothing. Empty "
            "if its customer reads the events."
        ),
    ]
    event_types: tuple[EventTypeName, ...]
    headers: dict[str, None]
    """Names; the values are write-only."""
    status: subscription.Status
    ordering: subscription.Ordering
    rate_limit: int | None
    retry_delays: tuple[int, ...]
    starts_after: int
    rotation_ends_at: Timestamp | None
    """When the rotation in progress makes the new secret the only one; null if there is no rotation."""
    created_at: Timestamp
    updated_at: Timestamp
    kind: Annotated[str | UnsetType, Meta(description="Missing for a webhook.")] = UNSET
    connection: Annotated[Uuid | UnsetType, Meta(description="Missing for a webhook, and for `poll`.")] = UNSET
    config: Annotated[dict[str, Any] | UnsetType, Meta(description="Missing for a webhook, and for `poll`.")] = UNSET
    when: Annotated[dict[str, Any] | UnsetType, Meta(description="Which events are wanted; missing if all are.")] = (
        UNSET
    )
    after: Annotated[
        subscription.Delay | UnsetType, Meta(description="How long deliveries wait; missing if they do not.")
    ] = UNSET
    objective: Annotated[
        Objective | UnsetType, Meta(description="What is promised of its events; missing if nothing is.")
    ] = UNSET
    trace: Annotated[
        bool | UnsetType,
        Meta(description="Whether the endpoint gets `traceparent`; missing for a kind other than the webhook."),
    ] = UNSET
    contacts: Annotated[
        list[str] | UnsetType,
        Meta(
            description="The addresses of those who are told how it does; missing if there are none, and for those who "
            "may not change them."
        ),
    ] = UNSET
    unsubscribed: Annotated[
        list[str] | UnsetType,
        Meta(description="Those of the contacts who want to be told no more; missing if all do."),
    ] = UNSET
    sign_also: Annotated[
        list[OldSignatureShown] | UnsetType,
        Meta(description="The signatures of other systems that are sent, too; missing if there are none."),
    ] = UNSET
    sign_with_key_pair: Annotated[
        bool | UnsetType, Meta(description="True if it signs with a key pair, too; else missing.")
    ] = UNSET
    public_keys: Annotated[
        list[str] | UnsetType,
        Meta(
            description="The public keys of that, `whpk_…`, also at `/.well-known/signalpost-keys/{id}`; during a "
            "rotation both, the old one first."
        ),
    ] = UNSET
    client_certificate: Annotated[
        CertificateShown | UnsetType,
        Meta(description="What is offered to the endpoint in TLS, without its private key; missing if nothing is."),
    ] = UNSET
    authorities: Annotated[
        list[CertificateShown] | UnsetType,
        Meta(description="Who may have issued the endpoint's certificate; missing if the usual authorities."),
    ] = UNSET
    oauth: Annotated[
        OAuthClientShown | UnsetType,
        Meta(description="As which client tokens are asked for, without its secret; missing if none are sent."),
    ] = UNSET
    shadow_of: Annotated[
        Uuid | UnsetType, Meta(description="The subscription whose shadow it is; missing if it is none.")
    ] = UNSET


class Subscription(SubscriptionShown, frozen=True, kw_only=True):
    health: Health
    shadow: Annotated[Uuid | UnsetType, Meta(description="Its shadow; missing if it has none.")] = UNSET


class NewSubscription(SubscriptionShown, frozen=True, kw_only=True):
    secret: Annotated[
        str | None | UnsetType, Meta(description=f"Missing if it uses a connection. {SHOWN_FOR_AN_HOUR}")
    ] = UNSET
    standard_webhooks_secret: Annotated[
        str | None | UnsetType,
        Meta(description=f"The secret in the form that Standard Webhooks libraries take. {SHOWN_FOR_AN_HOUR}"),
    ] = UNSET
    reader_key: Annotated[
        str | None | UnsetType,
        Meta(description=f"Of the kind `poll`: the key with which its events are read. {SHOWN_FOR_AN_HOUR}"),
    ] = UNSET
    health: Health


class SubscriptionPage(Shape, frozen=True):
    data: list[Subscription]
    next: Cursor


class ObjectiveStatus(Shape, frozen=True):
    """How a subscription keeps its objective. An event counts once it is delivered or given up for the first time."""

    share: float
    within: int
    since: Annotated[Timestamp, Meta(description="From when on events are counted: 30 days, as far as they are over.")]
    on_time: Annotated[int, Meta(description="Events that arrived in time.")]
    late: Annotated[int, Meta(description="Events that arrived later, or were given up.")]
    achieved: Annotated[float | None, Meta(description="The share that arrived in time; null if no event ended.")]
    late_allowed: Annotated[float, Meta(description="How many of these events may be late.")]
    budget_left: Annotated[
        float,
        Meta(description="The part of the error budget that is left: from 1 down to 0, and below if it is spent."),
    ]


class SecretStatus(Shape, frozen=True):
    """What the gateway knows about a secret, without the secret itself."""

    since: Annotated[Timestamp, Meta(description="When the gateway began to sign with it.")]
    fingerprint: Annotated[
        str, Meta(description="The last digits of its SHA-256, by which people can tell secrets apart.")
    ]
    next_fingerprint: Annotated[
        str | None, Meta(description="The fingerprint of the new secret, while a rotation is under way.")
    ]
    rotation_ends_at: Timestamp | None
    accepted: Annotated[
        int, Meta(description="Deliveries that the endpoint accepted since then, as far as they are still kept.")
    ]
    attempts: Annotated[int, Meta(description="Number of attempts since then. The last few seconds may be missing.")]
    certificate_expires_at: Annotated[
        Timestamp | None, Meta(description="When the endpoint's certificate expires; null if that is not known.")
    ]


class SignatureVerdict(Shape, frozen=True):
    fits: bool
    detail: Annotated[
        str,
        Meta(
            description="A sentence that says whether it matches and, for common mistakes, why not. It reveals no "
            "secret."
        ),
    ]


class TestResult(EndpointAnswer, frozen=True):
    event_id: Uuid
    delivered: bool
    exchange: Annotated[
        AttemptExchange | None, Meta(description="What went over the wire; null for kinds other than the webhook.")
    ]
    diagnosis: Annotated[Diagnosis | None, Meta(description="Null if it was delivered.")]


class CaseResult(Shape, frozen=True):
    """The result of one of the ten cases."""

    name: Annotated[str, Meta(extra_json_schema={"enum": [case.name for case in CASES]})]
    title: Annotated[str, Meta(description="What a good receiver does.")]
    sent: Annotated[str, Meta(description="What this case sends.")]
    clause: Annotated[str, Meta(description="The clause of the contract behind it.")]
    verdict: Verdict
    advice: Annotated[str | None, Meta(description="What to mend, or why the case was not sent; null if it passed.")]
    event_id: Annotated[Uuid | None, Meta(description="Null if the case was not sent, and so is what follows.")]
    started_at: Timestamp | None
    duration_ms: float | None
    status_code: int | None
    error: Failure | None
    detail: str | None
    answer: Annotated[str | None, Meta(description="The first 1 KiB of the endpoint's answer.")]


class TestRun(Shape, frozen=True):
    passed: Annotated[
        bool,
        Meta(description="Whether each case passed; those of types that the subscription does not want are not asked."),
    ]
    cases: list[CaseResult]
