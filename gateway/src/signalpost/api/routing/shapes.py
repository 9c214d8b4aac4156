"""What answers look like. Handlers encode these; the description of the API is made from them.

Documents and subscriptions are encoded where they are decided; their shapes here add what the API alone knows.
"""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from signalpost.destinations.destination import Preset
from signalpost.domain import connection, subscription
from signalpost.domain.api_key import Role
from signalpost.domain.audit import ActorKind, Outcome
from signalpost.domain.delivery.explanation import Cause
from signalpost.domain.delivery.outcome import Failure
from signalpost.domain.delivery.replay import LeftOut, ReplayState, What
from signalpost.domain.documents import document
from signalpost.domain.documents.workflow import ActionName, Decision, Status
from signalpost.domain.event import EventTypeName
from signalpost.domain.fields import Timestamp, Uuid
from signalpost.domain.tenant import RetentionDays, TenantName, TenantStatus
from signalpost.store.deliveries import DeliveryStatus

Cursor = Annotated[str | None, Meta(description="Pass it as `cursor` to get the next page; null on the last page.")]
_SHOWN_FOR_AN_HOUR = "Null in a repeat of the call, with the same `Idempotency-Key`, more than an hour after it."


class Shape(Struct, frozen=True, kw_only=True, rename="camel"):
    """An answer; its names on the wire are in camel case."""


# --- Documents and events ---------------------------------------------------------------------------------------------


class Document(document.Document, frozen=True, kw_only=True, rename="camel"):
    updated_at: Timestamp


class DocumentPage(Shape, frozen=True):
    data: list[Document]
    next: Cursor


class Number(Shape, frozen=True):
    number: str


class KeptVersion(Shape, frozen=True):
    """A version that the gateway keeps itself."""

    number: str
    published_as: Annotated[str | None, Meta(description="For a draft: the version number that it was published as.")]
    content_type: Annotated[str, Meta(description="Detected from the content, whatever the uploader declared.")]
    size: Annotated[int, Meta(description="Size in bytes.")]
    sha256: str
    created_at: Timestamp
    created_by: Annotated[str, Meta(description="Name of the API key that uploaded it.")]
    download_url: Annotated[str, Meta(description="Download link, valid for 15 minutes.")]


class VersionPage(Shape, frozen=True):
    data: list[KeptVersion]
    next: Cursor


class ImportedLine(Shape, frozen=True):
    line: Annotated[int, Meta(description="Number of the line in the request, counted from 1.")]
    status: Annotated[int, Meta(description="Status code that importing this line alone would be answered with.")]
    external_id: Uuid | None
    changed: bool | UnsetType = UNSET
    problem: "Problem | UnsetType" = UNSET


class EventDocument(document.Document, frozen=True, rename="camel"):
    """The document as it was at the event."""


class EventData(Shape, frozen=True):
    document: Annotated[EventDocument | None, Meta(description="Null once the document was erased.")]


class Event(Shape, frozen=True):
    id: Uuid
    type: EventTypeName
    created_at: Timestamp
    data: EventData


class LogEntry(Shape, frozen=True):
    sequence: int
    event: Event


class Feed(Shape, frozen=True):
    data: list[LogEntry]
    last: Annotated[int, Meta(description="Pass it as `after` to read on.")]


# --- Workflow and history ---------------------------------------------------------------------------------------------


class Participant(Shape, frozen=True):
    email: str
    decision: Decision | None
    decided_at: Timestamp | None
    reason: str | None


class Workflow(Shape, frozen=True):
    status: Status
    allowed: Annotated[list[ActionName], Meta(description="The actions that are allowed now.")]
    participants: Annotated[list[Participant], Meta(description="The people asked most recently; empty if not known.")]
    awaited: Annotated[list[str], Meta(description="The participants who have not decided yet.")]
    expires_at: Annotated[Timestamp | None, Meta(description="When the signature request expires.")]
    status_before: Annotated[
        Status | None, Meta(description="For a paused document: the status that `resume` restores.")
    ]


class HistoryEvent(Shape, frozen=True):
    id: Uuid
    type: EventTypeName
    sequence: int


class HistoryEntry(Shape, frozen=True):
    at: Timestamp
    action: Annotated[
        str,
        Meta(
            description="A workflow action, or `create`, `update`, `import`, `delete`, `upload`, `publish`, `expire`."
        ),
    ]
    key: Annotated[str | None, Meta(description="Name of the API key that made the change; null if none did.")]
    by: Annotated[str | None, Meta(description="The person who decided.")]
    reason: str | None
    participants: Annotated[list[str], Meta(description="The people who were asked to decide.")]
    expires_at: Timestamp | None
    version: Annotated[str | None, Meta(description="The version that was uploaded or published.")]
    status: Annotated[Status, Meta(description="The document's status after this step.")]
    event: Annotated[HistoryEvent | None, Meta(description="Null if no attribute of the document changed.")]


class HistoryPage(Shape, frozen=True):
    data: list[HistoryEntry]
    next: Cursor


# --- Subscriptions ----------------------------------------------------------------------------------------------------


class Health(Shape, frozen=True):
    state: Literal["healthy", "failing", "paused", "disabled", "unknown"]
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
    oldest_due_at: Timestamp | None
    lost: Annotated[int, Meta(description="Events that the retention removed before they were delivered.")]
    disabled_at: Annotated[
        Timestamp | None, Meta(description="Set if the endpoint failed for days. Waiting events are kept.")
    ]
    disabled_reason: str | None


class SubscriptionShown(Struct, frozen=True, kw_only=True, rename="camel"):
    """A subscription as the API shows it, all but its `health`, which the engine alone knows."""

    id: Uuid
    name: str
    url: Annotated[
        str,
        Meta(
            description="As it is shown: `***` stands for each value of the query, and for the tokens in the paths of "
            "hosts such as hooks.slack.com. Requests go to the whole URL. A patch may give this back, and changes "
            "nothing."
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
    """When the rotation that is under way, if one is, makes the new secret the only one."""
    created_at: Timestamp
    updated_at: Timestamp
    kind: Annotated[str | UnsetType, Meta(description="Missing for a webhook.")] = UNSET
    connection: Annotated[Uuid | UnsetType, Meta(description="Missing for a webhook.")] = UNSET
    config: Annotated[dict[str, Any] | UnsetType, Meta(description="Missing for a webhook.")] = UNSET
    when: Annotated[dict[str, Any] | UnsetType, Meta(description="Which events are wanted; missing if all are.")] = (
        UNSET
    )
    after: Annotated[
        subscription.Delay | UnsetType, Meta(description="How long deliveries wait; missing if they do not.")
    ] = UNSET


class Subscription(SubscriptionShown, frozen=True, kw_only=True, rename="camel"):
    health: Health


class NewSubscription(SubscriptionShown, frozen=True, kw_only=True, rename="camel"):
    secret: Annotated[
        str | None | UnsetType, Meta(description=f"Missing for a kind other than the webhook. {_SHOWN_FOR_AN_HOUR}")
    ] = UNSET
    standard_webhooks_secret: Annotated[
        str | None | UnsetType,
        Meta(description=f"The secret in the form that Standard Webhooks libraries take. {_SHOWN_FOR_AN_HOUR}"),
    ] = UNSET
    health: Health


class SubscriptionPage(Shape, frozen=True):
    data: list[Subscription]
    next: Cursor


class TestResult(Shape, frozen=True):
    event_id: Uuid
    delivered: bool
    started_at: Timestamp
    duration_ms: float
    status_code: int | None
    error: Failure | None
    detail: str | None
    answer: Annotated[str, Meta(description="The first 1 KiB of the endpoint's answer.")]


# --- Destinations and connections -------------------------------------------------------------------------------------


class Destination(Shape, frozen=True):
    """A kind of destination."""

    kind: str
    title: str
    about: str
    connection: Annotated[dict[str, Any], Meta(description="JSON Schema of a connection's `config`.")]
    config: Annotated[dict[str, Any], Meta(description="JSON Schema of a subscription's `config`.")]
    presets: Annotated[list[Preset], Meta(description="Prepared subscriptions with two or three blanks to fill in.")]


class DestinationList(Shape, frozen=True):
    """Every kind that is installed."""

    data: list[Destination]


class ConnectionShown(Struct, frozen=True, kw_only=True, rename="camel"):
    """A connection as the API shows it, all but its config, of which only its kind knows what is secret."""

    id: Uuid
    kind: str
    name: str
    state: Annotated[
        connection.State,
        Meta(description="`needs_consent`: a person has to consent. `broken`: the vendor refuses access."),
    ]
    reason: Annotated[str | None, Meta(description="Why it is broken.")]
    account: Annotated[dict[str, str], Meta(description="What the vendor said about the account.")]
    created_at: Timestamp
    updated_at: Timestamp


class Connection(ConnectionShown, frozen=True, kw_only=True, rename="camel"):
    config: Annotated[dict[str, Any], Meta(description="Secrets are write-only: each is null.")]


class Revocation(Shape, frozen=True):
    """What the vendor made of being told."""

    succeeded: Annotated[bool, Meta(description="Whether the vendor revoked everything.")]
    detail: Annotated[str, Meta(description="What it said, in a sentence for people.")]


class DisconnectedConnection(Connection, frozen=True, kw_only=True, rename="camel"):
    revocation: Annotated[Revocation | None, Meta(description="Null where an earlier answer is repeated.")]


class ConnectionTest(Shape, frozen=True):
    """Whether the vendor grants access."""

    works: bool
    detail: Annotated[str, Meta(description="The result, in a sentence for people.")]


class ConsentAsked(Shape, frozen=True):
    """Where a person gives consent."""

    connected: Annotated[bool, Meta(description="Whether the submitted code was accepted.")]
    url: Annotated[str | None, Meta(description="For a browser that can reach the gateway; valid for ten minutes.")] = (
        None
    )
    authorize_url: Annotated[
        str | None, Meta(description="For other browsers: submit `code` and `state` of the URL that they end up at.")
    ] = None
    state: str | None = None


class ConnectionPage(Shape, frozen=True):
    data: list[Connection]
    next: Cursor


# --- Deliveries -------------------------------------------------------------------------------------------------------


class DeliveryCause(Shape, frozen=True):
    """Why an event did or did not reach a subscription."""

    code: Cause
    detail: Annotated[str, Meta(description="The cause in a sentence for people.")]


class Delivery(Shape, frozen=True):
    """What became of an event at a subscription."""

    subscription_id: Uuid
    subscription_name: str
    event_id: Uuid
    sequence: int
    event_type: EventTypeName
    external_id: Uuid
    created_at: Timestamp
    status: Annotated[
        DeliveryStatus | None,
        Meta(description="Null without a delivery of the event there, which only lists by `eventId` show."),
    ]
    next_attempt_at: Annotated[
        Timestamp | None,
        Meta(description="Earliest time of the next attempt: the retry, or the next probe of an open breaker."),
    ]
    cause: DeliveryCause


class Attempt(Shape, frozen=True):
    number: int
    run: Annotated[
        int,
        Meta(
            description="0 for the first attempts; each replay and each retry of a settled delivery begins another run."
        ),
    ]
    counted: bool
    started_at: Timestamp
    duration_ms: float
    status_code: int | None
    error: Failure | None
    detail: str | None
    answer: Annotated[str, Meta(description="The first 1 KiB of the endpoint's answer.")]


class DeliveryWithAttempts(Delivery, frozen=True, kw_only=True, rename="camel"):
    attempts: list[Attempt]


class DeliveryPage(Shape, frozen=True):
    data: list[Delivery]
    next: Cursor


class ReplayCount(Shape, frozen=True):
    count: int
    count_is_capped: Annotated[bool, Meta(description="Counting stopped at this number; there may be more.")]
    left_out: LeftOut


class ShownReplay(Struct, frozen=True, kw_only=True, rename="camel"):
    """A replay as the API shows it."""

    id: str
    subscription_id: str
    state: ReplayState
    from_: str = field(name="from")
    to: str
    status: What
    """Which deliveries were asked for."""
    count: int
    count_is_capped: bool
    queued: int
    created_at: str
    finished_at: str | None


class StartedReplay(ShownReplay, frozen=True, kw_only=True, rename="camel"):
    """A replay, and what of its time range it does not send."""

    left_out: LeftOut


class ReplayPage(Shape, frozen=True):
    data: list[ShownReplay]
    next: Cursor


# --- Keys, health, problems -------------------------------------------------------------------------------------------


class Key(Struct, frozen=True, rename="camel"):
    """A key as lists show it: all but the key."""

    id: Uuid
    name: str
    role: Role
    tenant: Annotated[str, Meta(description="The tenant in which it works; an operator's key works in any.")]
    created_at: Timestamp
    created_by: Annotated[str | None, Meta(description="Name of the key that created it.")]
    expires_at: Timestamp | None
    last_used_at: Annotated[
        Timestamp | None, Meta(description="After a crash, the uses of the last hour may be missing.")
    ]


class NewKey(Key, frozen=True, rename="camel"):
    """The only answer that shows the key, this once."""

    key: Annotated[str | None, Meta(description=_SHOWN_FOR_AN_HOUR)]


class KeyPage(Shape, frozen=True):
    data: list[Key]
    next: Cursor


class AuditActor(Shape, frozen=True):
    kind: ActorKind
    id: Annotated[str, Meta(description="The API key's id, or a word that stands for whoever has no key.")]
    name: str
    role: Role | None


class AuditObject(Shape, frozen=True):
    kind: str
    id: str


class AuditChange(Shape, frozen=True):
    old: Annotated[Any, Meta(description="What it was; null where there was nothing. `***` stands for a secret.")]
    new: Annotated[Any, Meta(description="What it became; null where there is nothing any more.")]


Hash = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class AuditEntry(Shape, frozen=True):
    number: Annotated[int, Meta(description="Counts the tenant's entries without a gap.")]
    at: Timestamp
    tenant: TenantName
    actor: AuditActor
    source: Annotated[str | None, Meta(description="The client's address, as far as trusted proxies vouch for it.")]
    request: Annotated[str | None, Meta(description="ID of the request in the gateway's log.")]
    action: Annotated[str, Meta(description="A noun and a verb, such as `subscription.change`.")]
    object: AuditObject
    outcome: Outcome
    changes: Annotated[dict[str, AuditChange], Meta(description="What changed, by member.")]
    previous: Annotated[Hash, Meta(description="The hash of the tenant's entry before it; zeros for the first.")]
    hash: Annotated[
        Hash,
        Meta(description="SHA-256 of the other members as JSON in UTF-8, with sorted members and without spaces."),
    ]


class AuditMark(Shape, frozen=True):
    """The newest entry, which stands for all before it."""

    number: int
    hash: Hash


class AuditPage(Shape, frozen=True):
    data: list[AuditEntry]
    next: Cursor
    mark: Annotated[
        AuditMark | None, Meta(description="Written down elsewhere, it shows later that nothing up to it was changed.")
    ]


class AuditFault(Shape, frozen=True):
    tenant: Annotated[str | None, Meta(description="Whose entry it is; null for a tenant that was deleted.")]
    number: int
    reason: Annotated[str, Meta(description="A sentence for people.")]


class AuditVerification(Shape, frozen=True):
    entries: Annotated[int, Meta(description="How many entries were gone through, of all tenants.")]
    fault: Annotated[AuditFault | None, Meta(description="The first entry that does not fit; null if all do.")]


class LimitsShown(Shape, frozen=True):
    """What a tenant may use at most; null where nothing is limited."""

    requests_per_second: int | None
    changes_per_second: int | None
    in_flight: int | None
    documents: int | None
    subscriptions: int | None
    file_bytes: int | None


class UseShown(Shape, frozen=True):
    """How much a tenant has of what can be limited."""

    documents: int
    subscriptions: int
    file_bytes: int
    in_flight: int


class ErasureShown(Shape, frozen=True):
    """Who was erased, and how far that is."""

    id: Uuid
    tenant: Annotated[str, Meta(description="The name of the tenant.")]
    document: Annotated[Uuid | None, Meta(description="The document's externalId; null for the whole tenant.")]
    state: Literal["running", "finished"]
    removed: Annotated[int, Meta(description="How many rows and files are gone already.")]
    asked_at: Timestamp
    finished_at: Timestamp | None


class ErasurePage(Shape, frozen=True):
    data: list[ErasureShown]
    next: Cursor


class TenantShown(Shape, frozen=True):
    name: TenantName
    status: TenantStatus
    created_at: Annotated[Timestamp | None, Meta(description="Null for `default`, which exists from the start.")]
    limits: Annotated[LimitsShown, Meta(description="Those that were set for it.")]
    retention_days: Annotated[
        RetentionDays | None, Meta(description="Days to keep its events, if they were set for it.")
    ]


class TenantWithUse(TenantShown, frozen=True, kw_only=True, rename="camel"):
    effective_limits: Annotated[
        LimitsShown, Meta(description="Those that count: the settings' where none were set for it.")
    ]
    effective_retention_days: Annotated[
        RetentionDays, Meta(description="What counts: the setting RETENTION_DAYS where nothing was set for it.")
    ]
    use: UseShown


class TenantPage(Shape, frozen=True):
    data: list[TenantShown]
    next: Cursor


class MasterKeyUse(Shape, frozen=True):
    id: Annotated[str, Meta(description="It follows from the key, and does not tell it.")]
    data_keys: Annotated[int, Meta(ge=0, description="How many data keys it wraps; with 0 it is not needed.")]


class MasterKeyShown(Shape, frozen=True):
    current: str
    state: Literal["settled", "changing"]
    keys: list[MasterKeyUse]


class Liveness(Shape, frozen=True):
    status: Literal["live"]


class Readiness(Shape, frozen=True):
    status: Literal["ready", "not ready"]
    trouble: Annotated[str | None, Meta(description="Why the gateway is not ready.")]
    warnings: Annotated[
        list[str], Meta(description="What the operator may have to change, although the gateway is ready.")
    ]


class BadField(Shape, frozen=True):
    pointer: Annotated[
        str, Meta(description="A JSON pointer into the body, `?name` for a query parameter, or a header's name.")
    ]
    code: str
    detail: str


class Problem(Shape, frozen=True):
    """An error in the format of RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    code: Annotated[str, Meta(description="Stable: programs may rely on it.")]
    request_id: str
    errors: list[BadField] | UnsetType = UNSET
    allowed: Annotated[list[ActionName] | UnsetType, Meta(description="The actions that are allowed now.")] = UNSET
    awaited: Annotated[list[str] | UnsetType, Meta(description="The participants who have not decided yet.")] = UNSET
