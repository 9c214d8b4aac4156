"""What the gateway answers, as types. Lists of words are texts: a later gateway may have more.

Generated from the gateway's route table by `python -m client.generator`; do not edit.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from signalpost_client.shape import Shape

EventType = str
"""documentCreated, documentUpdated, documentDeleted, notice."""

Severity = str
"""info, warning, critical."""

NoticeKind = str
"""subscriptionFailing, subscriptionDisablingSoon, subscriptionDisabled, subscriptionHeld, subscriptionUnread,
deliveriesGivenUp, eventsLost, retentionNear, backlogOld, objectiveBurning, sourceBehind, certificateExpiring,
clientCertificateExpiring, gatewayCertificateExpiring, secretOverlapEnding, keyExpiring, diskLow, refusesDocuments,
backupOld, partitionsMissing, auditBroken, contactsNotTold, nodeLost.
"""

NoticeWhat = str
"""opened, still, closed."""

NoticeAction = str
"""trigger, resolve."""

NoticeAbout = str
"""subscription, key, source, node, gateway."""

DocumentStatus = str
"""created, awaitingReview, reviewApproved, reviewRejected, awaitingApproval, approved, approvalRejected,
awaitingSignature, signedByClient, signatureRejected, signatureRequestExpired, executed, paused, cancelled, other.
"""

Action = str
"""requestReview, approveReview, rejectReview, requestApproval, approve, rejectApproval, requestSignature, sign,
rejectSignature, pause, resume, cancel.
"""

DeliveryStatus = str
"""pending, delivered, skipped, retrying, failed."""

SubscriptionStatus = str
"""active, paused, disabled."""

HealthState = str
"""healthy, failing, paused, disabled."""

Ordering = str
"""loose, strict."""

ReplayStatus = str
"""failed, waiting, all."""

ReplayedStatus = str
"""failed, waiting, all, unsent."""

Role = str
"""app, operator, subscriber, viewer."""

ConnectionState = str
"""ready, needs_consent, broken."""

Capability = str
"""create, edit, payload, replay, retry, secret, test, view."""

Mode = str
"""auto, dark, light."""

Algorithm = str
"""sha1, sha256, sha512."""

ParticipantDecision = str
"""agreed, refused."""

Remedy = str
"""ask_operator, change_headers, change_url, check_secret, limit_rate, reconnect, tell_customer, wait."""

Failure = str
"""address_refused, connect, connector, cut, dns, protocol, proxy, redirect, rejected, reset, skipped, status,
throttled, timeout, tls_expired, tls_handshake, tls_hostname, tls_untrusted, token, unauthorised.
"""

Verdict = str
"""mend, notSent, passed."""

Cause = str
"""asked_to_wait, backlog_skipped, behind_earlier, breaker_open, delayed, delivered, disabled, given_up, held,
in_queue, paused, rate_limited, removed_by_retention, retry_by_hand, retry_scheduled, sending, skipped,
subscribed_later, type_not_wanted.
"""

ReplayState = str
"""cancelled, finished, running."""

Need = str
"""behind, disabled, failing, given_up, held, lost."""

SourceState = str
"""behind, healthy, silent."""

Topic = str
"""connections, deliveries, events, replays, subscriptions."""

LinkState = str
"""ended, new, open."""


class Acknowledged(Shape, frozen=True, kw_only=True):
    acknowledged: int
    """How many events that settled; none if it was done before."""


class ArrivalsOfEvents(Shape, frozen=True, kw_only=True):
    data: list[EventArrivals]


class EndpointAnswer(Shape, frozen=True, kw_only=True):
    """How an endpoint answered a request, or why it did not."""

    started_at: datetime
    duration_ms: float
    status_code: int | None
    error: Failure | None
    detail: str | None
    answer: str
    """The first 1 KiB of the endpoint's answer."""


class Attempt(EndpointAnswer, frozen=True, kw_only=True):
    number: int
    run: int
    """0 for the first attempts; each replay and each retry of a settled delivery begins another run."""
    counted: bool
    exchange: AttemptExchange | None
    """Kept for webhook attempts that failed, and for replays; otherwise null."""


class AttemptExchange(Shape, frozen=True, kw_only=True):
    """What went over the wire in an attempt."""

    url: str
    """`***` replaces what may be a credential."""
    request_headers: list[Header]
    answer_headers: list[Header]
    address: str | None
    """The address that was dialled; null if no connection was made."""
    tls: str | None
    """Version of TLS, such as `TLSv1.3`."""
    new_connection: bool
    name_ms: float | None
    """How long each step of a new connection took."""
    connect_ms: float | None
    tls_ms: float | None


class AttemptSummary(Shape, frozen=True, kw_only=True):
    """An attempt, without the body of the endpoint's answer."""

    number: int
    """Number of the attempt in its run: 1, 2, …"""
    started_at: datetime
    duration_ms: float
    status_code: int | None
    error: Failure | None
    detail: str | None


class AttentionCount(Shape, frozen=True, kw_only=True):
    count: int
    """Number of subscriptions that need attention: those in the overview's `attention` and its `more`."""


class AuditActor(Shape, frozen=True, kw_only=True):
    kind: str
    id: str
    """The id of the API key, member or portal link, or a word for an actor that has none."""
    name: str
    role: Role | None


class AuditChange(Shape, frozen=True, kw_only=True):
    old: Any
    """The old value; null if there was none. `***` stands for a secret."""
    new: Any
    """The new value; null if there is none."""


class AuditEntry(Shape, frozen=True, kw_only=True):
    number: int
    """Number of the entry: a tenant's entries are numbered without a gap."""
    at: datetime
    tenant: str
    """Lower-case letters, digits and hyphens."""
    actor: AuditActor
    source: str | None
    """The client's address, as far as trusted proxies vouch for it."""
    request: str | None
    """ID of the request in the gateway's log."""
    action: str
    """A noun and a verb, such as `subscription.change`."""
    object: AuditObject
    outcome: str
    changes: dict[str, AuditChange]
    """The old and new value of each member that changed."""
    previous: str
    """The hash of the tenant's entry before it; zeros for the first."""
    hash: str
    """SHA-256 of the other members as JSON in UTF-8, with sorted members and without spaces."""


class AuditFault(Shape, frozen=True, kw_only=True):
    tenant: str | None
    """The tenant of the entry; null if that tenant was deleted."""
    number: int
    reason: str
    """What is wrong, in a sentence for people."""


class AuditMark(Shape, frozen=True, kw_only=True):
    """The newest entry: its hash covers all entries before it."""

    number: int
    hash: str


class AuditObject(Shape, frozen=True, kw_only=True):
    kind: str
    id: str


class AuditPage(Shape, frozen=True, kw_only=True):
    data: list[AuditEntry]
    next: str | None
    """Pass it as `cursor` to get the next page; null on the last page."""
    mark: AuditMark | None
    """Keep a copy elsewhere. With it you can show later that no entry up to this one was changed."""


class AuditVerification(Shape, frozen=True, kw_only=True):
    entries: int
    """Number of entries checked, of all tenants."""
    fault: AuditFault | None
    """The first entry that does not follow from the one before; null if all do."""
    end: str
    """Where the audit of all tenants ends, sealed by this gateway. Keep it elsewhere: given as `end`, it shows later
    whether entries that there are now were removed or replaced.
    """


class BadField(Shape, frozen=True, kw_only=True):
    pointer: str
    """A JSON pointer into the body, `?name` for a query parameter, or a header's name."""
    code: str
    detail: str


class CaseResult(Shape, frozen=True, kw_only=True):
    """The result of one of the ten cases."""

    name: str
    title: str
    """What a good receiver does."""
    sent: str
    """What this case sends."""
    clause: str
    """The clause of the contract behind it."""
    verdict: Verdict
    advice: str | None
    """What to mend, or why the case was not sent; null if it passed."""
    event_id: str | None
    """Null if the case was not sent, and so is what follows."""
    started_at: datetime | None
    duration_ms: float | None
    status_code: int | None
    error: Failure | None
    detail: str | None
    answer: str | None
    """The first 1 KiB of the endpoint's answer."""


class CertificateShown(Shape, frozen=True, kw_only=True):
    subject: str
    expires_at: datetime
    fingerprint: str
    """SHA-256 of the certificate, in hex."""


class ComparedAttempt(EndpointAnswer, frozen=True, kw_only=True):
    """The last attempt of an event to one of the two endpoints."""


class DeliveredEvent(Shape, frozen=True, kw_only=True):
    """Which event was to be delivered."""

    event_id: str
    sequence: int
    event_type: EventType
    external_id: str
    title: str | None
    """The document's title as the event has it; null once the document was erased."""
    created_at: datetime


class ComparedEvent(DeliveredEvent, frozen=True, kw_only=True):
    """An event that the two endpoints answered differently."""

    differ_in: list[str]
    original: ComparedAttempt
    shadow: ComparedAttempt


class Comparison(Shape, frozen=True, kw_only=True):
    """How the endpoints of a shadow and its original answered the same events."""

    compared: int
    """How many events were compared: of the newest 10,000 below the cursor those that both endpoints got since they
    have their URLs.
    """
    agree: int
    """How many of them were answered alike, in status and answer."""
    status_differs: int
    """How many got another status, or no answer in another way."""
    answer_differs: int
    """How many got another first KiB of the answer."""
    since: datetime
    """From when on attempts are compared: a minute after the last change of a URL, since a node that hears of it
    late sends to the former one meanwhile.
    """
    original: Latencies | None
    """Null if nothing was compared, and so for the shadow."""
    shadow: Latencies | None
    data: list[ComparedEvent]
    """Events that were answered differently, newest first."""
    next: str | None
    """Pass it as `cursor` to get the next page; null on the last page."""


class ConnectionShown(Shape, frozen=True, kw_only=True):
    """A connection as the API shows it, without its config: only the kind knows which parts of that are secret."""

    id: str
    kind: str
    name: str
    state: ConnectionState
    reason: str | None
    """Why it is broken."""
    held_until: datetime | None
    """Until when the vendor last asked the gateway to wait, if that was for long."""
    account: dict[str, str]
    """What the vendor said about the account."""
    created_at: datetime
    updated_at: datetime


class Connection(ConnectionShown, frozen=True, kw_only=True):
    config: dict[str, Any]
    """Secrets are write-only: each is null."""


class ConnectionPage(Shape, frozen=True, kw_only=True):
    data: list[Connection]
    next: str | None
    """Pass it as `cursor` to get the next page; null on the last page."""


class ConnectionTest(Shape, frozen=True, kw_only=True):
    """Whether the vendor grants access."""

    works: bool
    detail: str
    """The result, in a sentence for people."""


class ConsentAsked(Shape, frozen=True, kw_only=True):
    """Where a person gives consent."""

    connected: bool
    """Whether the submitted code was accepted."""
    url: str | None
    """For a browser that can reach the gateway; valid for ten minutes."""
    authorize_url: str | None
    """For other browsers: submit the `code` and `state` of the URL at which the browser ends up."""
    state: str | None


class ConsoleLink(Shape, frozen=True, kw_only=True):
    url: str
    """Signs in the first person who opens it."""
    expires_at: datetime

    _hidden: ClassVar[frozenset[str]] = frozenset({"url"})


class Counted(Shape, frozen=True, kw_only=True):
    """How the attempts of a span of time ended. Attempts that do not count, such as those that were cut short, are
    left out.
    """

    delivered: int
    first_try: int
    """Delivered by the first attempt."""
    retried: int
    """Attempts that failed and will be retried."""
    failed: int
    """Failed attempts after which the delivery was given up."""
    median_ms: float | None
    """Median duration of delivered attempts; null if there are none."""
    p99_ms: float | None


class DatabaseShown(Shape, frozen=True, kw_only=True):
    kind: str
    bytes: int
    wal_bytes: int
    """SQLite's write-ahead log, which is copied into the database from time to time."""
    backed_up_at: datetime | None
    """When `signalpost db backup` last made a sound copy. Null if it made none, and for PostgreSQL, which is backed
    up with its own tools.
    """


class Delay(Shape, frozen=True, kw_only=True):
    """How long after its event a delivery waits before it is sent."""

    seconds: int
    """Seconds from the event to the delivery; less than events are kept."""
    if_: dict[str, Any] | None


class Delivery(DeliveredEvent, frozen=True, kw_only=True):
    """What happened to an event at a subscription."""

    subscription_id: str
    subscription_name: str
    status: DeliveryStatus | None
    """Null if the subscription has no delivery of this event. Only lists with `eventId` show such subscriptions."""
    next_attempt_at: datetime | None
    """Earliest time of the next attempt: the retry, or the next probe of an open breaker. Null if it only waits for
    its turn.
    """
    last_attempt: AttemptSummary | None
    """Null before the first attempt."""
    cause: DeliveryCause


class DeliveryCause(Shape, frozen=True, kw_only=True):
    """Why an event did or did not reach a subscription."""

    code: Cause
    detail: str
    """The cause in a sentence for people."""
    event_id: str | None
    """The earlier event that it waits behind; null for others."""


class DeliveryPage(Shape, frozen=True, kw_only=True):
    data: list[Delivery]
    next: str | None
    """Pass it as `cursor` to get the next page; null on the last page."""
    looked_back_to: datetime | None
    """Set if the page is short although there is a next one: how far back in time it looked."""


class DeliveryWithAttempts(Delivery, frozen=True, kw_only=True):
    attempts: list[Attempt]
    diagnosis: Diagnosis | None
    """Null unless the last attempt failed."""
    retries_asked: list[RetryAsked]
    """Oldest first, as far as the newest 100 entries in the audit of the subscription tell."""
    waiting_behind: WaitingBehind | None
    """Null once it was delivered or given up, since nothing waits for it."""


class Destination(Shape, frozen=True, kw_only=True):
    """A kind of destination."""

    kind: str
    title: str
    about: str
    connection: dict[str, Any]
    """JSON Schema of a connection's `config`."""
    config: dict[str, Any]
    """JSON Schema of a subscription's `config`."""
    presets: list[Preset]
    """Prepared subscriptions with two or three blanks to fill in."""


class DestinationList(Shape, frozen=True, kw_only=True):
    """Every kind that is installed."""

    data: list[Destination]


class Diagnosis(Shape, frozen=True, kw_only=True):
    """The likely cause of a failure, and what to do. It is a judgement: the facts are in the attempts."""

    cause: str
    title: str
    for_us: str
    """What happened, and what it most likely means."""
    for_customer: str
    """The same for the people who run the endpoint, with what to do."""
    remedy: Remedy
    """What is most likely to fix it."""
    change: str | None
    """The change of the subscription that most likely caused it."""
    changed_at: datetime | None


class DisconnectedConnection(Connection, frozen=True, kw_only=True):
    revocation: Revocation | None
    """Null if this repeats an earlier answer."""


class DiskShown(Shape, frozen=True, kw_only=True):
    """The disk of the data directory."""

    free_bytes: int
    reserve_bytes: int
    """With less, documents are refused."""
    is_enough: bool


class DocumentState(Shape, frozen=True, kw_only=True):
    """A document at some moment."""

    type: str
    title: str
    status: DocumentStatus
    created_at: datetime
    source_app: str
    start_date: str | None
    """A date, such as 2021-11-25, or a timestamp."""
    executed_at: datetime | None
    expiry_date: str | None
    """A date, such as 2021-11-25, or a timestamp."""
    external_id: str
    owner_email: str
    author_email: str
    reference_id: str | None
    contract_value: float | None
    latest_version: Version | None
    additional_facts: dict[str, str | int | float | bool]
    counterparty_name: str | None
    published_version: Version | None


class Document(DocumentState, frozen=True, kw_only=True):
    updated_at: datetime


class DocumentPage(Shape, frozen=True, kw_only=True):
    data: list[Document]
    next: str | None
    """Pass it as `cursor` to get the next page; null on the last page."""


class Ending(Shape, frozen=True, kw_only=True):
    """A rotation, the certificate of an endpoint or one that it is offered, which ends soon."""

    subscription: NamedSubscription
    what: str
    at: datetime


class ErasurePage(Shape, frozen=True, kw_only=True):
    data: list[ErasureShown]
    next: str | None
    """Pass it as `cursor` to get the next page; null on the last page."""


class ErasureShown(Shape, frozen=True, kw_only=True):
    """The erasure of a tenant or a document, and its progress."""

    id: str
    tenant: str
    """The name of the tenant."""
    document: str | None
    """The document's externalId; null for the whole tenant."""
    state: str
    removed: int
    """Number of rows and files removed so far."""
    asked_at: datetime
    finished_at: datetime | None


class Event(Shape, frozen=True, kw_only=True):
    id: str
    type: EventType
    created_at: datetime
    data: EventData


class EventArrivals(Shape, frozen=True, kw_only=True):
    """How many of the subscriptions that wanted an event got it, still wait for it, or will not get it. If the
    tenant has more than 1,000 subscriptions, only `failed` is counted; the others are null.
    """

    sequence: int
    delivered: int | None
    waiting: int | None
    """Number of subscriptions that it was not sent to yet, or that await a retry."""
    failed: int
    """Number of subscriptions for which it was given up. If the others are null, 100 is 100 or more."""
    skipped: int | None
    """Number of subscriptions whose condition or kind left nothing to send."""


class EventData(Shape, frozen=True, kw_only=True):
    document: EventDocument | None = None
    """Null once the document was erased; a notice has none."""
    notice: Notice | None = None
    """Only in the tenant `operations`."""


class EventDocument(DocumentState, frozen=True, kw_only=True):
    """The document as it was at the event."""


class Evidence(Shape, frozen=True, kw_only=True):
    """The file."""

    format: str
    statement: str
    """JSON, as a text: these very characters, in UTF-8, are signed."""
    key: str
    """The first digits of the public key's SHA-256."""
    public_key: str
    """Ed25519, in hex."""
    signature: str
    """Of `signalpost evidence 1`, a newline, and the statement."""
    body: str | None = None
    """The event as it is sent; missing if its document was erased."""


class Feed(Shape, frozen=True, kw_only=True):
    data: list[LogEntry]
    last: int
    """Pass it as `after` to continue."""
    next: int | None = None
    """With `before` only: pass it as `before` to read further back; null at the oldest event."""


class GatewayShown(Shape, frozen=True, kw_only=True):
    """The gateway, as the node that answers knows it."""

    version: str
    python: str
    health: Readiness
    node: int | None
    """The `id` of the node that answers."""
    public_url: str
    database: DatabaseShown
    disk: DiskShown
    in_flight: int
    """Attempts in flight."""
    unrecorded: int
    """Attempts that ended and are not recorded yet."""
    waiting: int
    """Changes that wait for their commit."""
    viewers: int
    """Streams that follow what changes."""
    settings: list[SettingShown]


class HandedEvent(Shape, frozen=True, kw_only=True):
    """An event as its reader gets it: what an endpoint would get."""

    sequence: int
    headers: dict[str, str]
    """The headers that the request to an endpoint would have, with its signatures."""
    body: str
    """The event: exactly these characters, as UTF-8, are what is signed."""


class HandedEvents(Shape, frozen=True, kw_only=True):
    """What a reader gets."""

    data: list[HandedEvent]
    """In order; empty if nothing came while the call waited."""
    receipt: str | None
    """Acknowledge them with this; null if there are none."""
    leased_until: datetime | None
    """From then on they are handed out again, if they are not acknowledged."""
    status: SubscriptionStatus
    lost: int
    """How many events the retention removed before they were read, in all."""


class Header(Shape, frozen=True, kw_only=True):
    name: str
    value: str
    """`***` where it may be a secret."""


class Health(Shape, frozen=True, kw_only=True):
    state: HealthState
    failing_since: datetime | None
    last_error: str | None
    breaker: str
    next_probe_at: datetime | None
    """While the breaker is open: when the next probe is sent, unless somebody retries sooner."""
    lag: int
    """Events of the log not yet delivered, given up or waiting for a retry."""
    waiting: int
    """Deliveries in flight, queued, awaiting a retry, or behind others of their document."""
    failed: int
    """Deliveries that were given up; a retry or a replay sends them again."""
    oldest_due_at: datetime | None
    """When the first of the deliveries that await a retry was due or is due; null if none is."""
    lost: int
    """Events that the retention removed before they were delivered."""
    kept_until: datetime | None
    """While it is paused or disabled and events wait: when the retention removes the oldest of them."""
    disabled_at: datetime | None
    """Set if the endpoint has failed for days and nothing more is sent. Waiting events are kept."""
    disabled_reason: str | None
    reading: ReadingShown | None = None
    """How its events are read; only of the kind `poll`."""


class HistoryEntry(Shape, frozen=True, kw_only=True):
    at: datetime
    action: str
    """A workflow action, or `create`, `update`, `import`, `delete`, `upload`, `publish`, `expire`."""
    key: str | None
    """Name of the API key that made the change; null if no key did."""
    by: str | None
    """The person who decided."""
    reason: str | None
    participants: list[str]
    """The people who were asked to decide."""
    expires_at: datetime | None
    version: str | None
    """The version that was uploaded or published."""
    status: DocumentStatus
    event: HistoryEvent | None
    """Null if no attribute of the document changed."""


class HistoryEvent(Shape, frozen=True, kw_only=True):
    id: str
    type: EventType
    sequence: int


class HistoryPage(Shape, frozen=True, kw_only=True):
    data: list[HistoryEntry]
    next: str | None
    """Pass it as `cursor` to get the next page; null on the last page."""


class ImportedLine(Shape, frozen=True, kw_only=True):
    line: int
    """Number of the line in the request, counted from 1."""
    status: int
    """Status code that importing this line alone would get."""
    external_id: str | None
    changed: bool | None = None
    problem: ProblemOfLine | None = None


class Input(Shape, frozen=True, kw_only=True):
    """A blank of a preset that a person fills in."""

    name: str
    title: str
    description: str
    pointer: str
    example: Any
    default: Any | None = None


class Invitation(Shape, frozen=True, kw_only=True):
    url: str | None
    """Where they set a password, once. Null if the call is repeated with the same `Idempotency-Key` more than an
    hour later.
    """
    expires_at: datetime | None

    _hidden: ClassVar[frozenset[str]] = frozenset({"url"})


class MemberShown(Shape, frozen=True, kw_only=True):
    id: str
    name: str
    email: str
    role: Role
    tenant: str
    """The tenant that the member belongs to. An operator works in every tenant."""
    status: str
    """An invited member has no password yet, and cannot sign in."""
    created_at: datetime
    created_by: str | None
    """Name of the key or member that invited them."""
    invited_until: datetime | None
    """When the invitation expires."""


class InvitedMember(MemberShown, frozen=True, kw_only=True):
    """The answer to the creation of a link: the only one that shows it."""

    url: str | None
    """Where they set a password, once. Null if the call is repeated with the same `Idempotency-Key` more than an
    hour later.
    """

    _hidden: ClassVar[frozenset[str]] = frozenset({"url"})


class KeptVersion(Shape, frozen=True, kw_only=True):
    """A version that the gateway keeps itself."""

    number: str
    published_as: str | None
    """For a draft: the version number that it was published as."""
    content_type: str
    """Detected from the content, whatever the uploader declared."""
    size: int
    """Size in bytes."""
    sha256: str
    created_at: datetime
    created_by: str
    """Name of the API key that uploaded it."""
    download_url: str
    """Download link, valid for 15 minutes."""


class Key(Shape, frozen=True, kw_only=True):
    """A key as lists show it: all but the key."""

    id: str
    name: str
    role: Role
    tenant: str
    """The tenant that the key belongs to. An operator's key works in every tenant."""
    created_at: datetime
    created_by: str | None
    """Name of the key that created it."""
    expires_at: datetime | None
    last_used_at: datetime | None
    """After a crash, the uses of the last hour may be missing."""


class KeyPage(Shape, frozen=True, kw_only=True):
    data: list[Key]
    next: str | None
    """Pass it as `cursor` to get the next page; null on the last page."""


class KnownState(Shape, frozen=True, kw_only=True):
    """What the gateway knows of a document that a deletion did not change."""

    external_id: str
    source_version: int
    """The highest that the source system has named."""
    deleted: bool
    """False if a later state than the deletion is known."""


class Latencies(Shape, frozen=True, kw_only=True):
    """How long an endpoint took to answer what was compared."""

    median_ms: float
    p95_ms: float
    """95 of 100 answers came within this time."""


class LeftOut(Shape, frozen=True, kw_only=True):
    """Events in a replay's period that it does not send. Each number is capped like all counts."""

    removed: int
    """At most this many events of the range were removed by the retention."""
    unwanted: int
    """Events that the subscription did not want, or that are older than it."""
    waiting: int
    """Deliveries that are still waiting and will be sent without a replay."""
    unmet: int
    """Events that do not meet the subscription's `when`, as it is now."""


class LimitsShown(Shape, frozen=True, kw_only=True):
    """The limits of a tenant; null means unlimited."""

    requests_per_second: int | None
    changes_per_second: int | None
    in_flight: int | None
    documents: int | None
    subscriptions: int | None
    file_bytes: int | None


class LogEntry(Shape, frozen=True, kw_only=True):
    sequence: int
    by: str | None
    """Name of the API key that asked for the change; null if no key did, or if it is unknown."""
    event: Event


class MasterKeyShown(Shape, frozen=True, kw_only=True):
    current: str
    state: str
    keys: list[MasterKeyUse]


class MasterKeyUse(Shape, frozen=True, kw_only=True):
    id: str
    """Computed from the key, without revealing it."""
    data_keys: int
    """Number of data keys that this key encrypts. At 0 it is no longer needed."""


class MemberPage(Shape, frozen=True, kw_only=True):
    data: list[MemberShown]
    next: str | None
    """Pass it as `cursor` to get the next page; null on the last page."""


class ShownReplay(Shape, frozen=True, kw_only=True):
    """A replay as the API shows it."""

    id: str
    subscription_id: str
    state: ReplayState
    from_: str
    to: str
    from_sequence: int
    """Sequence of the first event in the replay's range."""
    to_sequence: int
    """Sequence of the last event in its range; lower than `fromSequence` if the range is empty."""
    status: ReplayedStatus
    count: int
    """Number of deliveries to send: as counted at the start, or more if more have been queued since."""
    count_is_capped: bool
    queued: int
    delivered: int
    """How many of the queued deliveries were delivered."""
    failed: int
    """How many were given up again."""
    skipped: int
    """How many were not sent after all, because nothing was left to send or a later replay took them over."""
    waiting: int
    """How many are queued and still have no outcome."""
    created_at: str
    finished_at: str | None
    event_types: list[EventType] | None
    """The types that were chosen; null if all are sent."""
    external_id: str | None
    """The document that was chosen; null if all are sent."""
    created_by: str | None
    """Name of the key or member that started it."""


class NamedReplay(ShownReplay, frozen=True, kw_only=True):
    """A replay among those of other subscriptions."""

    subscription_name: str


class NamedReplayPage(Shape, frozen=True, kw_only=True):
    data: list[NamedReplay]
    next: str | None
    """Pass it as `cursor` to get the next page; null on the last page."""


class NamedSubscription(Shape, frozen=True, kw_only=True):
    id: str
    name: str


class NeedsAttention(Shape, frozen=True, kw_only=True):
    """A subscription that needs an operator."""

    subscription: NamedSubscription
    need: Need
    since: datetime | None
    detail: str
    """Why it needs attention, in a sentence."""
    waiting: int
    failed: int
    lost: int
    oldest_due_at: datetime | None
    """When the first of the deliveries that await a retry was due or is due; null if none is."""
    event_id: str | None
    """An event that failed there, as an example."""
    diagnosis: Diagnosis | None
    last_hour: list[StatsPoint]
    """Its last 60 minutes."""


class NewKey(Key, frozen=True, kw_only=True):
    """The only answer that shows the key, this once."""

    key: str | None
    """Null if the call is repeated with the same `Idempotency-Key` more than an hour later."""

    _hidden: ClassVar[frozenset[str]] = frozenset({"key"})


class PortalLinkShown(Shape, frozen=True, kw_only=True):
    id: str
    name: str
    state: LinkState
    """`new` until it is opened, `open` while its session lasts, `ended` from then on."""
    subscriptions: list[str] | str
    """Ids of the subscriptions, or `all`: every subscription of the tenant, including later ones."""
    can: list[Capability]
    embed: list[str]
    theme: PortalTheme
    created_at: datetime
    created_by: str
    """Name of the key or member that created it."""
    open_until: datetime
    """The latest time at which it can be opened."""
    opened_at: datetime | None
    ends_at: datetime
    """When the link and its session end, unless it is revoked earlier."""


class NewPortalLink(PortalLinkShown, frozen=True, kw_only=True):
    """The answer to the creation of a link: the only one that shows it."""

    url: str | None
    """Signs in the first person who opens it. Null if the call is repeated with the same `Idempotency-Key` more than
    an hour later.
    """

    _hidden: ClassVar[frozenset[str]] = frozenset({"url"})


class SubscriptionShown(Shape, frozen=True, kw_only=True):
    """A subscription as the API shows it, without its `health`, which only the engine knows."""

    id: str
    name: str
    url: str
    """`***` replaces each value of the query, and the tokens in the paths of hosts such as hooks.slack.com. Requests
    go to the whole URL. A patch that sends this text back changes nothing. Empty if its customer reads the events.
    """
    event_types: list[EventType]
    headers: dict[str, None]
    status: SubscriptionStatus
    ordering: Ordering
    rate_limit: int | None
    retry_delays: list[int]
    starts_after: int
    rotation_ends_at: datetime | None
    created_at: datetime
    updated_at: datetime
    kind: str | None = None
    """Missing for a webhook."""
    connection: str | None = None
    """Missing for a webhook, and for `poll`."""
    config: dict[str, Any] | None = None
    """Missing for a webhook, and for `poll`."""
    when: dict[str, Any] | None = None
    """Which events are wanted; missing if all are."""
    after: Delay | None = None
    """How long deliveries wait; missing if they do not."""
    objective: Objective | None = None
    """What is promised of its events; missing if nothing is."""
    trace: bool | None = None
    """Whether the endpoint gets `traceparent`; missing for a kind other than the webhook."""
    contacts: list[str] | None = None
    """The addresses of those who are told how it does; missing if there are none, and for those who may not change
    them.
    """
    unsubscribed: list[str] | None = None
    """Those of the contacts who want to be told no more; missing if all do."""
    sign_also: list[OldSignatureShown] | None = None
    """The signatures of other systems that are sent, too; missing if there are none."""
    sign_with_key_pair: bool | None = None
    """True if it signs with a key pair, too; else missing."""
    public_keys: list[str] | None = None
    """The public keys of that, `whpk_…`, also at `/.well-known/signalpost-keys/{id}`; during a rotation both, the
    old one first.
    """
    client_certificate: CertificateShown | None = None
    """What is offered to the endpoint in TLS, without its private key; missing if nothing is."""
    authorities: list[CertificateShown] | None = None
    """Who may have issued the endpoint's certificate; missing if the usual authorities."""
    oauth: OAuthClientShown | None = None
    """As which client tokens are asked for, without its secret; missing if none are sent."""
    shadow_of: str | None = None
    """The subscription whose shadow it is; missing if it is none."""


class NewSubscription(SubscriptionShown, frozen=True, kw_only=True):
    secret: str | None = None
    """Missing if it uses a connection. Null if the call is repeated with the same `Idempotency-Key` more than an
    hour later.
    """
    standard_webhooks_secret: str | None = None
    """The secret in the form that Standard Webhooks libraries take. Null if the call is repeated with the same
    `Idempotency-Key` more than an hour later.
    """
    reader_key: str | None = None
    """Of the kind `poll`: the key with which its events are read. Null if the call is repeated with the same
    `Idempotency-Key` more than an hour later.
    """
    health: Health

    _hidden: ClassVar[frozenset[str]] = frozenset({"reader_key", "secret", "standard_webhooks_secret"})


class Node(Shape, frozen=True, kw_only=True):
    """One running gateway that works on the database."""

    id: int
    """Assigned when the node starts; no other node ever gets it."""
    host: str
    """Host name of its machine."""
    process: int
    """Process id on that machine."""
    role: str
    version: str
    state: str
    """`draining`: it is stopping, and takes no more subscriptions. `silent`: its last beat is so old that it starts
    no attempts; others soon take its subscriptions.
    """
    lanes: int
    """Number of subscriptions that it delivered for at its last beat."""
    joined_at: datetime
    last_beat_at: datetime | None
    """By the database's clock; null on SQLite, where the only node does not beat."""
    seconds_since_beat: float | None
    """Null on SQLite."""
    answers: bool
    """Whether this is the node that answers this call."""


class Nodes(Shape, frozen=True, kw_only=True):
    data: list[Node]
    """The oldest first."""
    next: str | None
    """Pass it as `cursor` to get the next page; null on the last page."""
    subscriptions: int
    """Number of subscriptions, of all tenants."""
    unowned: int
    """Number of subscriptions that no node delivers for, as of the nodes' last beats. A few seconds above 0 are
    normal after a node started or stopped.
    """


class Notice(Shape, frozen=True, kw_only=True):
    """One message, about conditions of one kind."""

    sentence: str
    """All that a person need read."""
    what: NoticeWhat
    kind: NoticeKind
    severity: Severity
    action: NoticeAction
    tenant: str | None
    """The tenant that all of them are of; null if there is no such one."""
    count: int
    """How many conditions it tells of."""
    subjects: list[Subject]
    """What they are about; the first 20."""
    since: str
    """Since when the first of them is so."""
    url: str
    """The page of the console that shows more."""


class NoticeCount(Shape, frozen=True, kw_only=True):
    count: int


class NoticePage(Shape, frozen=True, kw_only=True):
    data: list[OpenNotice]
    next: str | None
    """Pass it as `cursor` to get the next page; null on the last page."""


class Number(Shape, frozen=True, kw_only=True):
    number: str


class OAuthClientShown(Shape, frozen=True, kw_only=True):
    """A client without its secret."""

    token_url: str
    client_id: str
    scope: str
    credentials_in: str


class Objective(Shape, frozen=True, kw_only=True):
    """The share of events that are to arrive within some seconds."""

    share: float
    """The share of events that are to arrive in time, such as 0.99. It cannot be 1: the rest is the error budget."""
    within: int
    """Seconds from an event, or from the end of its delay, to its delivery."""


class ObjectiveStatus(Shape, frozen=True, kw_only=True):
    """How a subscription keeps its objective. An event counts once it is delivered or given up for the first time."""

    share: float
    within: int
    since: datetime
    """From when on events are counted: 30 days, as far as they are over."""
    on_time: int
    """Events that arrived in time."""
    late: int
    """Events that arrived later, or were given up."""
    achieved: float | None
    """The share that arrived in time; null if no event ended."""
    late_allowed: float
    """How many of these events may be late."""
    budget_left: float
    """The part of the error budget that is left: from 1 down to 0, and below if it is spent."""


class OldSignatureShown(Shape, frozen=True, kw_only=True):
    """How another system signed, without the secret."""

    header: str
    algorithm: Algorithm
    encoding: str
    over: str
    prefix: str


class OpenNotice(Shape, frozen=True, kw_only=True):
    """Something that is wrong now."""

    id: str
    kind: str
    severity: Severity
    subject: Subject
    sentence: str
    url: str
    """The page of the console that shows more."""
    since: datetime
    opened_at: datetime
    told_at: datetime | None
    """When a notice last told of it; null if none has yet."""
    gone_since: datetime | None
    """Since when it is not so any more: soon a notice says that it closed."""
    muted_until: datetime | None
    """Until then nobody is reminded of it."""


class Overview(Shape, frozen=True, kw_only=True):
    """What needs an operator now."""

    attention: list[NeedsAttention]
    """Worst first, at most 20."""
    more: int
    """Number of further subscriptions that need attention."""
    subscriptions: SubscriptionCounts
    waiting: int
    """Deliveries of active subscriptions that are not delivered yet."""
    failed: int
    """Deliveries that were given up and are kept."""
    lost: int
    """Events that the retention removed before they were delivered."""
    most_behind: int
    """How many events wait for the active subscription that is furthest behind."""
    last_hour: Counted
    replays: list[RunningReplay]
    """Replays in progress."""
    sources: list[SourceShown]
    """What feeds the tenant: those first that a person should look at."""
    soon: list[Ending]
    """Rotations that end within a day, certificates within 14 days."""


class Participant(Shape, frozen=True, kw_only=True):
    email: str
    decision: ParticipantDecision | None
    decided_at: datetime | None
    reason: str | None


class PortalLinkPage(Shape, frozen=True, kw_only=True):
    data: list[PortalLinkShown]
    next: str | None
    """Pass it as `cursor` to get the next page; null on the last page."""


class PortalTheme(Shape, frozen=True, kw_only=True):
    """What the pages look like, without the logo."""

    name: str
    accent: str
    radius: int
    mode: Mode


class Preset(Shape, frozen=True, kw_only=True):
    """A recipe: a subscription in which two or three blanks are left to fill in."""

    name: str
    title: str
    about: str
    body: dict[str, Any]
    inputs: list[Input]


class Preview(Shape, frozen=True, kw_only=True):
    """What a subscription would do with an event."""

    wanted: bool
    why: str | None
    waits: int | None
    request: ShownRequest | None
    then: list[ShownRequest]


class ProblemOfLine(Shape, frozen=True, kw_only=True):
    """An error in the format of RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    """Programs may rely on it: it does not change between releases."""
    request_id: str
    errors: list[BadField] | None = None
    allowed: list[Action] | None = None
    """The actions that are allowed now."""
    awaited: list[str] | None = None
    """The participants who have not decided yet."""


class Readiness(Shape, frozen=True, kw_only=True):
    status: str
    trouble: str | None
    """Why the gateway is not ready."""
    warnings: list[str]
    """What the operator may have to change, although the gateway is ready."""


class ReadingShown(Shape, frozen=True, kw_only=True):
    """How a customer reads the events of a subscription."""

    read_at: datetime | None
    """When it was last asked for events, to the minute; null if it never was."""
    acknowledged_at: datetime | None
    """When events were last acknowledged."""
    handed_out: int
    """Events that were handed out and are not acknowledged."""
    leased_until: datetime | None
    """Until when these are handed to nobody else; null if they can be."""
    waits_since: datetime | None
    """When the oldest event was made that may be waiting, of a type that is wanted; null if none is."""


class Rehearsal(Shape, frozen=True, kw_only=True):
    """What a subscription would have sent of a part of the log, beside what it sends as it is."""

    id: str | None
    """Once the change is saved, a replay of this sends what was missing. Null for a new subscription. Nothing is
    kept under it; it says itself what was rehearsed.
    """
    from_: datetime
    to: datetime
    from_sequence: int
    to_sequence: int
    """Lower than `fromSequence` if there are no events."""
    looked_back_to: datetime | None
    """Set if the rehearsal ended before it came to `from`, because it looks at so many events only: all numbers are
    about events from this moment on.
    """
    now: int
    """Events that the subscription sends as it is."""
    then: int
    """Events that it would send."""
    both: int
    """Events that it sends as it is, and would send."""
    more: int
    """Events that only the changed subscription would send."""
    less: int
    """Events that it would no longer send."""
    cannot: int
    """Events that it would want and could make nothing of, such as a placeholder that does not fit."""
    examples: RehearsalExamples
    requests: list[RehearsedRequests]
    """What would be sent of up to three events, those first that it does not send as it is. Only operators see
    requests to vendors.
    """


class RehearsalExamples(Shape, frozen=True, kw_only=True):
    """The newest twenty events of each kind."""

    both: list[RehearsedEvent]
    more: list[RehearsedEvent]
    less: list[RehearsedEvent]
    cannot: list[RehearsedEvent]


class RehearsedEvent(Shape, frozen=True, kw_only=True):
    """An event among the examples of a rehearsal."""

    event_id: str
    sequence: int
    event_type: str
    external_id: str
    title: str | None
    created_at: str
    why: str | None
    """Why one of both sides sends nothing, or cannot; null if both send it."""


class RehearsedRequests(Shape, frozen=True, kw_only=True):
    event_id: str
    requests: list[ShownRequest]
    """The request, and for kinds that look first what would follow. Secrets are struck out; what signs a webhook's
    is not its secret but a text that is none.
    """


class ReplayCount(Shape, frozen=True, kw_only=True):
    count: int
    count_is_capped: bool
    """Counting stopped at this number; there may be more."""
    left_out: LeftOut


class ReplayOfOne(Shape, frozen=True, kw_only=True):
    """The part of a replay of several subscriptions that concerns one of them."""

    subscription_id: str
    subscription_name: str
    still_failing: bool
    """Whether the endpoint is failing now: if so, many deliveries may fail again."""
    replay_id: str | None
    """Null for `dryRun`, and if the replay could not be started."""
    count: int
    count_is_capped: bool
    """Counting stopped at this number; there may be more."""
    left_out: LeftOut
    refused: str | None
    """Why the replay could not be started, in a sentence."""


class ReplayPage(Shape, frozen=True, kw_only=True):
    data: list[ShownReplay]
    next: str | None
    """Pass it as `cursor` to get the next page; null on the last page."""


class ReplaysOfMany(Shape, frozen=True, kw_only=True):
    data: list[ReplayOfOne]
    """Subscriptions with something to send, largest number first."""
    count: int
    """Total number of deliveries."""
    count_is_capped: bool
    """Counting stopped early for at least one subscription; there may be more."""
    unmet: int
    """Total number of events that do not meet the condition of their subscription, as it is now."""


class RetryAsked(Shape, frozen=True, kw_only=True):
    """Somebody asked for one more attempt, now."""

    at: datetime
    by: str
    """Name of whoever asked for it."""
    delivered_meanwhile: bool
    """Whether the attempt that was under way then succeeded, so that nothing more was sent."""


class Revocation(Shape, frozen=True, kw_only=True):
    """How the vendor answered the request to revoke the credentials."""

    succeeded: bool
    """Whether the vendor revoked everything."""
    detail: str
    """What the vendor answered, in a sentence for people."""


class RunningReplay(Shape, frozen=True, kw_only=True):
    id: str
    subscription: NamedSubscription
    status: ReplayedStatus
    from_: datetime
    """Events created at this moment or later."""
    to: datetime
    """Events created before this moment."""
    count: int
    count_is_capped: bool
    """Counting stopped at this number; there may be more."""
    queued: int
    delivered: int
    """How many of the queued deliveries were delivered."""
    failed: int
    """How many were given up again."""
    waiting: int
    """How many are queued and still have no outcome."""
    created_by: str | None
    """Name of the key or member that started it."""


class SearchResult(Shape, frozen=True, kw_only=True):
    """Something that a text leads to."""

    kind: str
    id: str
    title: str
    """A document's title, a subscription's name, or an event's type."""
    detail: str
    """What distinguishes it: status, URL, reference, owner."""
    at: datetime
    """When it changed last; of an event, when it was made."""


class SearchResults(Shape, frozen=True, kw_only=True):
    data: list[SearchResult]
    """The closest first, at most 20 of a kind."""


class SecretStatus(Shape, frozen=True, kw_only=True):
    """What the gateway knows about a secret, without the secret itself."""

    since: datetime
    """When the gateway began to sign with it."""
    fingerprint: str
    """The last digits of its SHA-256, by which people can tell secrets apart."""
    next_fingerprint: str | None
    """The fingerprint of the new secret, while a rotation is under way."""
    rotation_ends_at: datetime | None
    accepted: int
    """Deliveries that the endpoint accepted since then, as far as they are still kept."""
    attempts: int
    """Number of attempts since then. The last few seconds may be missing."""
    certificate_expires_at: datetime | None
    """When the endpoint's certificate expires; null if that is not known."""


class SettingShown(Shape, frozen=True, kw_only=True):
    """A setting with the value in force."""

    name: str
    """The environment variable, without `SIGNALPOST_`."""
    value: str | None
    """Null if it has no value. A secret is shown only as `set`."""
    is_default: bool
    source: str
    """Where the value comes from; `program` is one that embeds the gateway."""
    help: str


class ShownRequest(Shape, frozen=True, kw_only=True):
    """A request as it would be sent, with secrets struck out."""

    method: str
    url: str
    headers: dict[str, str]
    body: Any


class SignatureVerdict(Shape, frozen=True, kw_only=True):
    fits: bool
    detail: str
    """A sentence that says whether it matches and, for common mistakes, why not. It reveals no secret."""


class SourcePage(Shape, frozen=True, kw_only=True):
    data: list[SourceShown]
    next: str | None
    """Pass it as `cursor` to get the next page; null on the last page."""


class SourceShown(Shape, frozen=True, kw_only=True):
    """A program that feeds the tenant, and what it said last."""

    id: str
    name: str
    state: SourceState
    """`silent` if nothing was heard of it for 120 s, else `behind` if a change had waited there for 300 s or more."""
    oldest_seconds: int
    """How old the oldest change was that it had not handed over; 0 if there was none."""
    dead: int
    """How many changes it had given up and kept."""
    added_at: datetime
    heard_at: datetime
    """When it last said how it does."""


class StartedReplay(ShownReplay, frozen=True, kw_only=True):
    """A replay, and how many deliveries of its time range it leaves out."""

    left_out: LeftOut


class Stats(Shape, frozen=True, kw_only=True):
    step: str
    latency_bounds_ms: list[int]
    total: Counted
    data: list[StatsPoint]
    """Oldest first. Minutes or hours without an attempt are left out."""


class StatsPoint(Counted, frozen=True, kw_only=True):
    at: datetime
    latency: list[int]
    """Number of delivered attempts up to each of `latencyBoundsMs`, and of slower ones."""


class Subject(Shape, frozen=True, kw_only=True):
    """What one of the conditions is about."""

    type: NoticeAbout
    id: str
    """Its id; of a node, the name of its machine."""
    name: str
    tenant: str | None
    """The tenant that it is of; null for a node or the gateway."""


class Subscription(SubscriptionShown, frozen=True, kw_only=True):
    health: Health
    shadow: str | None = None
    """Its shadow; missing if it has none."""


class SubscriptionCounts(Shape, frozen=True, kw_only=True):
    healthy: int
    failing: int
    paused: int
    disabled: int


class SubscriptionNames(Shape, frozen=True, kw_only=True):
    data: list[NamedSubscription]
    next: str | None
    """Pass it as `cursor` to get the next page; null on the last page."""
    total: int
    """How many subscriptions there are, whatever was asked for."""


class SubscriptionPage(Shape, frozen=True, kw_only=True):
    data: list[Subscription]
    next: str | None
    """Pass it as `cursor` to get the next page; null on the last page."""


class TenantPage(Shape, frozen=True, kw_only=True):
    data: list[TenantShown]
    next: str | None
    """Pass it as `cursor` to get the next page; null on the last page."""


class TenantShown(Shape, frozen=True, kw_only=True):
    name: str
    """Lower-case letters, digits and hyphens."""
    status: str
    created_at: datetime | None
    """Null for `default`, which exists from the start."""
    limits: LimitsShown
    """The limits that an operator set for this tenant."""
    retention_days: int | None
    """Days to keep its events, if an operator set them for this tenant."""


class TenantWithUse(TenantShown, frozen=True, kw_only=True):
    effective_limits: LimitsShown
    """The limits in force: those of the settings, unless an operator set others for this tenant."""
    effective_retention_days: int
    """The days in force: the setting RETENTION_DAYS, unless an operator set others for this tenant."""
    use: UseShown


class TestResult(EndpointAnswer, frozen=True, kw_only=True):
    event_id: str
    delivered: bool
    exchange: AttemptExchange | None
    """What went over the wire; null for kinds other than the webhook."""
    diagnosis: Diagnosis | None
    """Null if it was delivered."""


class TestRun(Shape, frozen=True, kw_only=True):
    passed: bool
    """Whether each case passed; those of types that the subscription does not want are not asked."""
    cases: list[CaseResult]


class UseShown(Shape, frozen=True, kw_only=True):
    """How much of each limited resource a tenant uses."""

    documents: int
    subscriptions: int
    file_bytes: int
    in_flight: int


class Version(Shape, frozen=True, kw_only=True):
    """A version of the document's text (C9)."""

    number: str
    download_url: str


class VersionPage(Shape, frozen=True, kw_only=True):
    data: list[KeptVersion]
    next: str | None
    """Pass it as `cursor` to get the next page; null on the last page."""


class WaitingBehind(Shape, frozen=True, kw_only=True):
    """Later events of the same document that the subscription has yet to get."""

    count: int
    count_is_capped: bool
    """Only the newest 100 events of the document were looked at; more may wait."""


class Workflow(Shape, frozen=True, kw_only=True):
    status: DocumentStatus
    allowed: list[Action]
    """The actions that are allowed now."""
    participants: list[Participant]
    """The people asked most recently; empty if not known."""
    awaited: list[str]
    """The participants who have not decided yet."""
    expires_at: datetime | None
    """When the signature request expires."""
    status_before: DocumentStatus | None
    """For a paused document: the status that `resume` restores."""
