/**
 * What the gateway answers, as types. A later gateway may answer with more members and words.
 *
 * Generated from the gateway's route table by `python -m client.generator`; do not edit.
 */

export type EventType = "documentCreated" | "documentUpdated" | "documentDeleted" | "notice" | (string & {});

export type Severity = "info" | "warning" | "critical" | (string & {});

export type NoticeKind = "subscriptionFailing" | "subscriptionDisablingSoon" | "subscriptionDisabled" | "subscriptionHeld" | "subscriptionUnread" | "deliveriesGivenUp" | "eventsLost" | "retentionNear" | "backlogOld" | "objectiveBurning" | "sourceBehind" | "certificateExpiring" | "clientCertificateExpiring" | "gatewayCertificateExpiring" | "secretOverlapEnding" | "keyExpiring" | "diskLow" | "refusesDocuments" | "backupOld" | "partitionsMissing" | "auditBroken" | "contactsNotTold" | "nodeLost" | (string & {});

export type NoticeWhat = "opened" | "still" | "closed" | (string & {});

export type NoticeAction = "trigger" | "resolve" | (string & {});

export type NoticeAbout = "subscription" | "key" | "source" | "node" | "gateway" | (string & {});

export type DocumentStatus = "created" | "awaitingReview" | "reviewApproved" | "reviewRejected" | "awaitingApproval" | "approved" | "approvalRejected" | "awaitingSignature" | "signedByClient" | "signatureRejected" | "signatureRequestExpired" | "executed" | "paused" | "cancelled" | "other" | (string & {});

export type Action = "requestReview" | "approveReview" | "rejectReview" | "requestApproval" | "approve" | "rejectApproval" | "requestSignature" | "sign" | "rejectSignature" | "pause" | "resume" | "cancel" | (string & {});

export type DeliveryStatus = "pending" | "delivered" | "skipped" | "retrying" | "failed" | (string & {});

export type SubscriptionStatus = "active" | "paused" | "disabled" | (string & {});

export type HealthState = "healthy" | "failing" | "paused" | "disabled" | (string & {});

export type Ordering = "loose" | "strict" | (string & {});

export type ReplayStatus = "failed" | "waiting" | "all" | (string & {});

export type ReplayedStatus = "failed" | "waiting" | "all" | "unsent" | (string & {});

export type Role = "app" | "operator" | "subscriber" | "viewer" | (string & {});

export type ConnectionState = "ready" | "needs_consent" | "broken" | (string & {});

export type Capability = "create" | "edit" | "payload" | "replay" | "retry" | "secret" | "test" | "view" | (string & {});

export type Mode = "auto" | "dark" | "light" | (string & {});

export type Algorithm = "sha1" | "sha256" | "sha512" | (string & {});

export type ParticipantDecision = "agreed" | "refused" | (string & {});

export type Remedy = "ask_operator" | "change_headers" | "change_url" | "check_secret" | "limit_rate" | "reconnect" | "tell_customer" | "wait" | (string & {});

export type Failure = "address_refused" | "connect" | "connector" | "cut" | "dns" | "protocol" | "proxy" | "redirect" | "rejected" | "reset" | "skipped" | "status" | "throttled" | "timeout" | "tls_expired" | "tls_handshake" | "tls_hostname" | "tls_untrusted" | "token" | "unauthorised" | (string & {});

export type Verdict = "mend" | "notSent" | "passed" | (string & {});

export type Cause = "asked_to_wait" | "backlog_skipped" | "behind_earlier" | "breaker_open" | "delayed" | "delivered" | "disabled" | "given_up" | "held" | "in_queue" | "paused" | "rate_limited" | "removed_by_retention" | "retry_by_hand" | "retry_scheduled" | "sending" | "skipped" | "subscribed_later" | "type_not_wanted" | (string & {});

export type ReplayState = "cancelled" | "finished" | "running" | (string & {});

export type Need = "behind" | "disabled" | "failing" | "given_up" | "held" | "lost" | (string & {});

export type SourceState = "behind" | "healthy" | "silent" | (string & {});

export type Topic = "connections" | "deliveries" | "events" | "replays" | "subscriptions" | (string & {});

export type LinkState = "ended" | "new" | "open" | (string & {});

export interface Acknowledged {
  /** How many events that settled; none if it was done before. */
  readonly acknowledged: number;
}

export interface ArrivalsOfEvents {
  readonly data: readonly EventArrivals[];
}

/** How an endpoint answered a request, or why it did not. */
export interface EndpointAnswer {
  readonly startedAt: string;
  readonly durationMs: number;
  readonly statusCode: number | null;
  readonly error: Failure | null;
  readonly detail: string | null;
  /** The first 1 KiB of the endpoint's answer. */
  readonly answer: string;
}

export interface Attempt extends EndpointAnswer {
  readonly number: number;
  /** 0 for the first attempts; each replay and each retry of a settled delivery begins another run. */
  readonly run: number;
  readonly counted: boolean;
  /** Kept for webhook attempts that failed, and for replays; otherwise null. */
  readonly exchange: AttemptExchange | null;
}

/** What went over the wire in an attempt. */
export interface AttemptExchange {
  /** `***` replaces what may be a credential. */
  readonly url: string;
  readonly requestHeaders: readonly Header[];
  readonly answerHeaders: readonly Header[];
  /** The address that was dialled; null if no connection was made. */
  readonly address: string | null;
  /** Version of TLS, such as `TLSv1.3`. */
  readonly tls: string | null;
  readonly newConnection: boolean;
  /** How long each step of a new connection took. */
  readonly nameMs: number | null;
  readonly connectMs: number | null;
  readonly tlsMs: number | null;
}

/** An attempt, without the body of the endpoint's answer. */
export interface AttemptSummary {
  /** Number of the attempt in its run: 1, 2, … */
  readonly number: number;
  readonly startedAt: string;
  readonly durationMs: number;
  readonly statusCode: number | null;
  readonly error: Failure | null;
  readonly detail: string | null;
}

export interface AttentionCount {
  /** Number of subscriptions that need attention: those in the overview's `attention` and its `more`. */
  readonly count: number;
}

export interface AuditActor {
  readonly kind: "command-line" | "consent" | "contact" | "gateway" | "key" | "member" | "portal-link" | "program" | (string & {});
  /** The id of the API key, member or portal link, or a word for an actor that has none. */
  readonly id: string;
  readonly name: string;
  readonly role: Role | null;
}

export interface AuditChange {
  /** The old value; null if there was none. `***` stands for a secret. */
  readonly old: unknown;
  /** The new value; null if there is none. */
  readonly new: unknown;
}

export interface AuditEntry {
  /** Number of the entry: a tenant's entries are numbered without a gap. */
  readonly number: number;
  readonly at: string;
  /** Lower-case letters, digits and hyphens. */
  readonly tenant: string;
  readonly actor: AuditActor;
  /** The client's address, as far as trusted proxies vouch for it. */
  readonly source: string | null;
  /** ID of the request in the gateway's log. */
  readonly request: string | null;
  /** A noun and a verb, such as `subscription.change`. */
  readonly action: string;
  readonly object: AuditObject;
  readonly outcome: "done" | "refused" | (string & {});
  /** The old and new value of each member that changed. */
  readonly changes: Readonly<Record<string, AuditChange>>;
  /** The hash of the tenant's entry before it; zeros for the first. */
  readonly previous: string;
  /** SHA-256 of the other members as JSON in UTF-8, with sorted members and without spaces. */
  readonly hash: string;
}

export interface AuditFault {
  /** The tenant of the entry; null if that tenant was deleted. */
  readonly tenant: string | null;
  readonly number: number;
  /** What is wrong, in a sentence for people. */
  readonly reason: string;
}

/** The newest entry: its hash covers all entries before it. */
export interface AuditMark {
  readonly number: number;
  readonly hash: string;
}

export interface AuditObject {
  readonly kind: string;
  readonly id: string;
}

export interface AuditPage {
  readonly data: readonly AuditEntry[];
  /** Pass it as `cursor` to get the next page; null on the last page. */
  readonly next: string | null;
  /** Keep a copy elsewhere. With it you can show later that no entry up to this one was changed. */
  readonly mark: AuditMark | null;
}

export interface AuditVerification {
  /** Number of entries checked, of all tenants. */
  readonly entries: number;
  /** The first entry that does not follow from the one before; null if all do. */
  readonly fault: AuditFault | null;
  /**
   * Where the audit of all tenants ends, sealed by this gateway. Keep it elsewhere: given as `end`, it shows later
   * whether entries that there are now were removed or replaced.
   */
  readonly end: string;
}

export interface BadFieldOfLine {
  /** A JSON pointer into the body, `?name` for a query parameter, or a header's name. */
  readonly pointer: string;
  readonly code: string;
  readonly detail: string;
}

/** The result of one of the ten cases. */
export interface CaseResult {
  readonly name: "documentCreated" | "documentUpdated" | "documentDeleted" | "retry" | "late" | "replay" | "rotation" | "large" | "unknown" | "forged" | (string & {});
  /** What a good receiver does. */
  readonly title: string;
  /** What this case sends. */
  readonly sent: string;
  /** The clause of the contract behind it. */
  readonly clause: string;
  readonly verdict: Verdict;
  /** What to mend, or why the case was not sent; null if it passed. */
  readonly advice: string | null;
  /** Null if the case was not sent, and so is what follows. */
  readonly eventId: string | null;
  readonly startedAt: string | null;
  readonly durationMs: number | null;
  readonly statusCode: number | null;
  readonly error: Failure | null;
  readonly detail: string | null;
  /** The first 1 KiB of the endpoint's answer. */
  readonly answer: string | null;
}

export interface CertificateShown {
  readonly subject: string;
  readonly expiresAt: string;
  /** SHA-256 of the certificate, in hex. */
  readonly fingerprint: string;
}

/** The last attempt of an event to one of the two endpoints. */
export interface ComparedAttempt extends EndpointAnswer {
}

/** Which event was to be delivered. */
export interface DeliveredEvent {
  readonly eventId: string;
  readonly sequence: number;
  readonly eventType: EventType;
  readonly externalId: string;
  /** The document's title as the event has it; null once the document was erased. */
  readonly title: string | null;
  readonly createdAt: string;
}

/** An event that the two endpoints answered differently. */
export interface ComparedEvent extends DeliveredEvent {
  readonly differIn: readonly ("answer" | "status" | (string & {}))[];
  readonly original: ComparedAttempt;
  readonly shadow: ComparedAttempt;
}

/** How the endpoints of a shadow and its original answered the same events. */
export interface Comparison {
  /**
   * How many events were compared: of the newest 10,000 below the cursor those that both endpoints got since they have
   * their URLs.
   */
  readonly compared: number;
  /** How many of them were answered alike, in status and answer. */
  readonly agree: number;
  /** How many got another status, or no answer in another way. */
  readonly statusDiffers: number;
  /** How many got another first KiB of the answer. */
  readonly answerDiffers: number;
  /**
   * From when on attempts are compared: a minute after the last change of a URL, since a node that hears of it late
   * sends to the former one meanwhile.
   */
  readonly since: string;
  /** Null if nothing was compared, and so for the shadow. */
  readonly original: Latencies | null;
  readonly shadow: Latencies | null;
  /** Events that were answered differently, newest first. */
  readonly data: readonly ComparedEvent[];
  /** Pass it as `cursor` to get the next page; null on the last page. */
  readonly next: string | null;
}

/** A connection as the API shows it, without its config: only the kind knows which parts of that are secret. */
export interface ConnectionShown {
  readonly id: string;
  readonly kind: string;
  readonly name: string;
  readonly state: ConnectionState;
  /** Why it is broken. */
  readonly reason: string | null;
  /** Until when the vendor last asked the gateway to wait, if that was for long. */
  readonly heldUntil: string | null;
  /** What the vendor said about the account. */
  readonly account: Readonly<Record<string, string>>;
  readonly createdAt: string;
  readonly updatedAt: string;
}

export interface Connection extends ConnectionShown {
  /** Secrets are write-only: each is null. */
  readonly config: Readonly<Record<string, unknown>>;
}

export interface ConnectionPage {
  readonly data: readonly Connection[];
  /** Pass it as `cursor` to get the next page; null on the last page. */
  readonly next: string | null;
}

/** Whether the vendor grants access. */
export interface ConnectionTest {
  readonly works: boolean;
  /** The result, in a sentence for people. */
  readonly detail: string;
}

/** Where a person gives consent. */
export interface ConsentAsked {
  /** Whether the submitted code was accepted. */
  readonly connected: boolean;
  /** For a browser that can reach the gateway; valid for ten minutes. */
  readonly url: string | null;
  /** For other browsers: submit the `code` and `state` of the URL at which the browser ends up. */
  readonly authorizeUrl: string | null;
  readonly state: string | null;
}

export interface ConsoleLink {
  /** Signs in the first person who opens it. */
  readonly url: string;
  readonly expiresAt: string;
}

/**
 * How the attempts of a span of time ended. Attempts that do not count, such as those that were cut short, are left
 * out.
 */
export interface Counted {
  readonly delivered: number;
  /** Delivered by the first attempt. */
  readonly firstTry: number;
  /** Attempts that failed and will be retried. */
  readonly retried: number;
  /** Failed attempts after which the delivery was given up. */
  readonly failed: number;
  /** Median duration of delivered attempts; null if there are none. */
  readonly medianMs: number | null;
  readonly p99Ms: number | null;
}

export interface DatabaseShown {
  readonly kind: "postgresql" | "sqlite" | (string & {});
  readonly bytes: number;
  /** SQLite's write-ahead log, which is copied into the database from time to time. */
  readonly walBytes: number;
  /**
   * When `signalpost db backup` last made a sound copy. Null if it made none, and for PostgreSQL, which is backed up
   * with its own tools.
   */
  readonly backedUpAt: string | null;
}

/** How long after its event a delivery waits before it is sent. */
export interface Delay {
  /** Seconds from the event to the delivery; less than events are kept. */
  readonly seconds: number;
  readonly if: Readonly<Record<string, unknown>> | null;
}

/** What happened to an event at a subscription. */
export interface Delivery extends DeliveredEvent {
  readonly subscriptionId: string;
  readonly subscriptionName: string;
  /** Null if the subscription has no delivery of this event. Only lists with `eventId` show such subscriptions. */
  readonly status: DeliveryStatus | null;
  /**
   * Earliest time of the next attempt: the retry, or the next probe of an open breaker. Null if it only waits for its
   * turn.
   */
  readonly nextAttemptAt: string | null;
  /** Null before the first attempt. */
  readonly lastAttempt: AttemptSummary | null;
  readonly cause: DeliveryCause;
}

/** Why an event did or did not reach a subscription. */
export interface DeliveryCause {
  readonly code: Cause;
  /** The cause in a sentence for people. */
  readonly detail: string;
  /** The earlier event that it waits behind; null for others. */
  readonly eventId: string | null;
}

export interface DeliveryPage {
  readonly data: readonly Delivery[];
  /** Pass it as `cursor` to get the next page; null on the last page. */
  readonly next: string | null;
  /** Set if the page is short although there is a next one: how far back in time it looked. */
  readonly lookedBackTo: string | null;
}

export interface DeliveryWithAttempts extends Delivery {
  readonly attempts: readonly Attempt[];
  /** Null unless the last attempt failed. */
  readonly diagnosis: Diagnosis | null;
  /** Oldest first, as far as the newest 100 entries in the audit of the subscription tell. */
  readonly retriesAsked: readonly RetryAsked[];
  /** Null once it was delivered or given up, since nothing waits for it. */
  readonly waitingBehind: WaitingBehind | null;
}

/** A kind of destination. */
export interface Destination {
  readonly kind: string;
  readonly title: string;
  readonly about: string;
  /** JSON Schema of a connection's `config`. */
  readonly connection: Readonly<Record<string, unknown>>;
  /** JSON Schema of a subscription's `config`. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Prepared subscriptions with two or three blanks to fill in. */
  readonly presets: readonly Preset[];
}

/** Every kind that is installed. */
export interface DestinationList {
  readonly data: readonly Destination[];
}

/** The likely cause of a failure, and what to do. It is a judgement: the facts are in the attempts. */
export interface Diagnosis {
  readonly cause: "mail_put_off" | "old_secret" | "signature_refused" | "headers_changed" | "firewall" | "credentials_refused" | "url_changed" | "gone" | "wrong_path" | "method_refused" | "too_large" | "content_type_refused" | "overrun" | "event_refused" | "slow_behind" | "unavailable" | "refused" | "endpoint_error" | "redirect" | "no_address" | "name_unresolved" | "private_address" | "gateway_exhausted" | "connection_refused" | "unreachable" | "connect_timeout" | "proxy" | "closed_midway" | "closed_unanswered" | "certificate_not_yet_valid" | "certificate_expired" | "certificate_self_signed" | "certificate_untrusted" | "certificate_for_another_host" | "tls_refused" | "no_token" | "name_timeout" | "tls_timeout" | "answer_unfinished" | "too_slow" | "not_http" | "unauthorised" | "throttled" | "vendor_refuses" | "connector_failed" | (string & {});
  readonly title: string;
  /** What happened, and what it most likely means. */
  readonly forUs: string;
  /** The same for the people who run the endpoint, with what to do. */
  readonly forCustomer: string;
  /** What is most likely to fix it. */
  readonly remedy: Remedy;
  /** The change of the subscription that most likely caused it. */
  readonly change: "headers" | "secret" | "url" | (string & {}) | null;
  readonly changedAt: string | null;
}

export interface DisconnectedConnection extends Connection {
  /** Null if this repeats an earlier answer. */
  readonly revocation: Revocation | null;
}

/** The disk of the data directory. */
export interface DiskShown {
  readonly freeBytes: number;
  /** With less, documents are refused. */
  readonly reserveBytes: number;
  readonly isEnough: boolean;
}

/** A document at some moment. */
export interface DocumentState {
  readonly type: string;
  readonly title: string;
  readonly status: DocumentStatus;
  readonly createdAt: string;
  readonly sourceApp: string;
  /** A date, such as 2021-11-25, or a timestamp. */
  readonly startDate: string | null;
  readonly executedAt: string | null;
  /** A date, such as 2021-11-25, or a timestamp. */
  readonly expiryDate: string | null;
  readonly externalId: string;
  readonly ownerEmail: string;
  readonly authorEmail: string;
  readonly referenceId: string | null;
  readonly contractValue: number | null;
  readonly latestVersion: Version | null;
  readonly additionalFacts: Readonly<Record<string, string | number | boolean>>;
  readonly counterpartyName: string | null;
  readonly publishedVersion: Version | null;
}

export interface Document extends DocumentState {
  readonly updatedAt: string;
}

export interface DocumentPage {
  readonly data: readonly Document[];
  /** Pass it as `cursor` to get the next page; null on the last page. */
  readonly next: string | null;
}

/** A rotation, the certificate of an endpoint or one that it is offered, which ends soon. */
export interface Ending {
  readonly subscription: NamedSubscription;
  readonly what: "rotation" | "certificate" | "clientCertificate" | (string & {});
  readonly at: string;
}

export interface ErasurePage {
  readonly data: readonly ErasureShown[];
  /** Pass it as `cursor` to get the next page; null on the last page. */
  readonly next: string | null;
}

/** The erasure of a tenant or a document, and its progress. */
export interface ErasureShown {
  readonly id: string;
  /** The name of the tenant. */
  readonly tenant: string;
  /** The document's externalId; null for the whole tenant. */
  readonly document: string | null;
  readonly state: "finished" | "running" | (string & {});
  /** Number of rows and files removed so far. */
  readonly removed: number;
  readonly askedAt: string;
  readonly finishedAt: string | null;
}

export interface Event {
  readonly id: string;
  readonly type: EventType;
  readonly createdAt: string;
  readonly data: EventData;
}

/**
 * How many of the subscriptions that wanted an event got it, still wait for it, or will not get it. If the tenant has
 * more than 1,000 subscriptions, only `failed` is counted; the others are null.
 */
export interface EventArrivals {
  readonly sequence: number;
  readonly delivered: number | null;
  /** Number of subscriptions that it was not sent to yet, or that await a retry. */
  readonly waiting: number | null;
  /** Number of subscriptions for which it was given up. If the others are null, 100 is 100 or more. */
  readonly failed: number;
  /** Number of subscriptions whose condition or kind left nothing to send. */
  readonly skipped: number | null;
}

export interface EventData {
  /** Null once the document was erased; a notice has none. */
  readonly document?: EventDocument | null;
  /** Only in the tenant `operations`. */
  readonly notice?: Notice;
}

/** The document as it was at the event. */
export interface EventDocument extends DocumentState {
}

/** The file. */
export interface Evidence {
  readonly format: "signalpost evidence 1" | (string & {});
  /** JSON, as a text: these very characters, in UTF-8, are signed. */
  readonly statement: string;
  /** The first digits of the public key's SHA-256. */
  readonly key: string;
  /** Ed25519, in hex. */
  readonly publicKey: string;
  /** Of `signalpost evidence 1`, a newline, and the statement. */
  readonly signature: string;
  /** The event as it is sent; missing if its document was erased. */
  readonly body?: string;
}

export interface Feed {
  readonly data: readonly LogEntry[];
  /** Pass it as `after` to continue. */
  readonly last: number;
  /** With `before` only: pass it as `before` to read further back; null at the oldest event. */
  readonly next?: number | null;
}

/** The gateway, as the node that answers knows it. */
export interface GatewayShown {
  readonly version: string;
  readonly python: string;
  readonly health: Readiness;
  /** The `id` of the node that answers. */
  readonly node: number | null;
  readonly publicUrl: string;
  readonly database: DatabaseShown;
  readonly disk: DiskShown;
  /** Attempts in flight. */
  readonly inFlight: number;
  /** Attempts that ended and are not recorded yet. */
  readonly unrecorded: number;
  /** Changes that wait for their commit. */
  readonly waiting: number;
  /** Streams that follow what changes. */
  readonly viewers: number;
  readonly settings: readonly SettingShown[];
}

/** An event as its reader gets it: what an endpoint would get. */
export interface HandedEvent {
  readonly sequence: number;
  /** The headers that the request to an endpoint would have, with its signatures. */
  readonly headers: Readonly<Record<string, string>>;
  /** The event: exactly these characters, as UTF-8, are what is signed. */
  readonly body: string;
}

/** What a reader gets. */
export interface HandedEvents {
  /** In order; empty if nothing came while the call waited. */
  readonly data: readonly HandedEvent[];
  /** Acknowledge them with this; null if there are none. */
  readonly receipt: string | null;
  /** From then on they are handed out again, if they are not acknowledged. */
  readonly leasedUntil: string | null;
  readonly status: SubscriptionStatus;
  /** How many events the retention removed before they were read, in all. */
  readonly lost: number;
}

export interface Header {
  readonly name: string;
  /** `***` where it may be a secret. */
  readonly value: string;
}

export interface Health {
  readonly state: HealthState;
  readonly failingSince: string | null;
  readonly lastError: string | null;
  readonly breaker: "closed" | "open" | (string & {});
  /** While the breaker is open: when the next probe is sent, unless somebody retries sooner. */
  readonly nextProbeAt: string | null;
  /** Events of the log not yet delivered, given up or waiting for a retry. */
  readonly lag: number;
  /** Deliveries in flight, queued, awaiting a retry, or behind others of their document. */
  readonly waiting: number;
  /** Deliveries that were given up; a retry or a replay sends them again. */
  readonly failed: number;
  /** When the first of the deliveries that await a retry was due or is due; null if none is. */
  readonly oldestDueAt: string | null;
  /** Events that the retention removed before they were delivered. */
  readonly lost: number;
  /** While it is paused or disabled and events wait: when the retention removes the oldest of them. */
  readonly keptUntil: string | null;
  /** Set if the endpoint has failed for days and nothing more is sent. Waiting events are kept. */
  readonly disabledAt: string | null;
  readonly disabledReason: string | null;
  /** How its events are read; only of the kind `poll`. */
  readonly reading?: ReadingShown;
}

export interface HistoryEntry {
  readonly at: string;
  /** A workflow action, or `create`, `update`, `import`, `delete`, `upload`, `publish`, `expire`. */
  readonly action: string;
  /** Name of the API key that made the change; null if no key did. */
  readonly key: string | null;
  /** The person who decided. */
  readonly by: string | null;
  readonly reason: string | null;
  /** The people who were asked to decide. */
  readonly participants: readonly string[];
  readonly expiresAt: string | null;
  /** The version that was uploaded or published. */
  readonly version: string | null;
  readonly status: DocumentStatus;
  /** Null if no attribute of the document changed. */
  readonly event: HistoryEvent | null;
}

export interface HistoryEvent {
  readonly id: string;
  readonly type: EventType;
  readonly sequence: number;
}

export interface HistoryPage {
  readonly data: readonly HistoryEntry[];
  /** Pass it as `cursor` to get the next page; null on the last page. */
  readonly next: string | null;
}

export interface ImportedLine {
  /** Number of the line in the request, counted from 1. */
  readonly line: number;
  /** Status code that importing this line alone would get. */
  readonly status: number;
  readonly externalId: string | null;
  readonly changed?: boolean;
  readonly problem?: ProblemOfLine;
}

/** A blank of a preset that a person fills in. */
export interface Input {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly pointer: string;
  readonly example: unknown;
  readonly default?: unknown;
}

export interface Invitation {
  /**
   * Where they set a password, once. Null if the call is repeated with the same `Idempotency-Key` more than an hour
   * later.
   */
  readonly url: string | null;
  readonly expiresAt: string | null;
}

export interface MemberShown {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  readonly role: Role;
  /** The tenant that the member belongs to. An operator works in every tenant. */
  readonly tenant: string;
  /** An invited member has no password yet, and cannot sign in. */
  readonly status: "active" | "invited" | (string & {});
  readonly createdAt: string;
  /** Name of the key or member that invited them. */
  readonly createdBy: string | null;
  /** When the invitation expires. */
  readonly invitedUntil: string | null;
}

/** The answer to the creation of a link: the only one that shows it. */
export interface InvitedMember extends MemberShown {
  /**
   * Where they set a password, once. Null if the call is repeated with the same `Idempotency-Key` more than an hour
   * later.
   */
  readonly url: string | null;
}

/** A version that the gateway keeps itself. */
export interface KeptVersion {
  readonly number: string;
  /** For a draft: the version number that it was published as. */
  readonly publishedAs: string | null;
  /** Detected from the content, whatever the uploader declared. */
  readonly contentType: string;
  /** Size in bytes. */
  readonly size: number;
  readonly sha256: string;
  readonly createdAt: string;
  /** Name of the API key that uploaded it. */
  readonly createdBy: string;
  /** Download link, valid for 15 minutes. */
  readonly downloadUrl: string;
}

/** A key as lists show it: all but the key. */
export interface Key {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  /** The tenant that the key belongs to. An operator's key works in every tenant. */
  readonly tenant: string;
  readonly createdAt: string;
  /** Name of the key that created it. */
  readonly createdBy: string | null;
  readonly expiresAt: string | null;
  /** After a crash, the uses of the last hour may be missing. */
  readonly lastUsedAt: string | null;
}

export interface KeyPage {
  readonly data: readonly Key[];
  /** Pass it as `cursor` to get the next page; null on the last page. */
  readonly next: string | null;
}

/** What the gateway knows of a document that a deletion did not change. */
export interface KnownState {
  readonly externalId: string;
  /** The highest that the source system has named. */
  readonly sourceVersion: number;
  /** False if a later state than the deletion is known. */
  readonly deleted: boolean;
}

/** How long an endpoint took to answer what was compared. */
export interface Latencies {
  readonly medianMs: number;
  /** 95 of 100 answers came within this time. */
  readonly p95Ms: number;
}

/** Events in a replay's period that it does not send. Each number is capped like all counts. */
export interface LeftOut {
  /** At most this many events of the range were removed by the retention. */
  readonly removed: number;
  /** Events that the subscription did not want, or that are older than it. */
  readonly unwanted: number;
  /** Deliveries that are still waiting and will be sent without a replay. */
  readonly waiting: number;
  /** Events that do not meet the subscription's `when`, as it is now. */
  readonly unmet: number;
}

/** The limits of a tenant; null means unlimited. */
export interface LimitsShown {
  readonly requestsPerSecond: number | null;
  readonly changesPerSecond: number | null;
  readonly inFlight: number | null;
  readonly documents: number | null;
  readonly subscriptions: number | null;
  readonly fileBytes: number | null;
}

export interface LogEntry {
  readonly sequence: number;
  /** Name of the API key that asked for the change; null if no key did, or if it is unknown. */
  readonly by: string | null;
  readonly event: Event;
}

export interface MasterKeyShown {
  readonly current: string;
  readonly state: "changing" | "settled" | (string & {});
  readonly keys: readonly MasterKeyUse[];
}

export interface MasterKeyUse {
  /** Computed from the key, without revealing it. */
  readonly id: string;
  /** Number of data keys that this key encrypts. At 0 it is no longer needed. */
  readonly dataKeys: number;
}

export interface MemberPage {
  readonly data: readonly MemberShown[];
  /** Pass it as `cursor` to get the next page; null on the last page. */
  readonly next: string | null;
}

/** A replay as the API shows it. */
export interface ShownReplay {
  readonly id: string;
  readonly subscriptionId: string;
  readonly state: ReplayState;
  readonly from: string;
  readonly to: string;
  /** Sequence of the first event in the replay's range. */
  readonly fromSequence: number;
  /** Sequence of the last event in its range; lower than `fromSequence` if the range is empty. */
  readonly toSequence: number;
  readonly status: ReplayedStatus;
  /** Number of deliveries to send: as counted at the start, or more if more have been queued since. */
  readonly count: number;
  readonly countIsCapped: boolean;
  readonly queued: number;
  /** How many of the queued deliveries were delivered. */
  readonly delivered: number;
  /** How many were given up again. */
  readonly failed: number;
  /** How many were not sent after all, because nothing was left to send or a later replay took them over. */
  readonly skipped: number;
  /** How many are queued and still have no outcome. */
  readonly waiting: number;
  readonly createdAt: string;
  readonly finishedAt: string | null;
  /** The types that were chosen; null if all are sent. */
  readonly eventTypes: readonly EventType[] | null;
  /** The document that was chosen; null if all are sent. */
  readonly externalId: string | null;
  /** Name of the key or member that started it. */
  readonly createdBy: string | null;
}

/** A replay among those of other subscriptions. */
export interface NamedReplay extends ShownReplay {
  readonly subscriptionName: string;
}

export interface NamedReplayPage {
  readonly data: readonly NamedReplay[];
  /** Pass it as `cursor` to get the next page; null on the last page. */
  readonly next: string | null;
}

export interface NamedSubscription {
  readonly id: string;
  readonly name: string;
}

/** A subscription that needs an operator. */
export interface NeedsAttention {
  readonly subscription: NamedSubscription;
  readonly need: Need;
  readonly since: string | null;
  /** Why it needs attention, in a sentence. */
  readonly detail: string;
  readonly waiting: number;
  readonly failed: number;
  readonly lost: number;
  /** When the first of the deliveries that await a retry was due or is due; null if none is. */
  readonly oldestDueAt: string | null;
  /** An event that failed there, as an example. */
  readonly eventId: string | null;
  readonly diagnosis: Diagnosis | null;
  /** Its last 60 minutes. */
  readonly lastHour: readonly StatsPoint[];
}

/** The only answer that shows the key, this once. */
export interface NewKey extends Key {
  /** Null if the call is repeated with the same `Idempotency-Key` more than an hour later. */
  readonly key: string | null;
}

export interface PortalLinkShown {
  readonly id: string;
  readonly name: string;
  /** `new` until it is opened, `open` while its session lasts, `ended` from then on. */
  readonly state: LinkState;
  /** Ids of the subscriptions, or `all`: every subscription of the tenant, including later ones. */
  readonly subscriptions: readonly string[] | "all" | (string & {});
  readonly can: readonly Capability[];
  readonly embed: readonly string[];
  readonly theme: PortalTheme;
  readonly createdAt: string;
  /** Name of the key or member that created it. */
  readonly createdBy: string;
  /** The latest time at which it can be opened. */
  readonly openUntil: string;
  readonly openedAt: string | null;
  /** When the link and its session end, unless it is revoked earlier. */
  readonly endsAt: string;
}

/** The answer to the creation of a link: the only one that shows it. */
export interface NewPortalLink extends PortalLinkShown {
  /**
   * Signs in the first person who opens it. Null if the call is repeated with the same `Idempotency-Key` more than an
   * hour later.
   */
  readonly url: string | null;
}

/** A subscription as the API shows it, without its `health`, which only the engine knows. */
export interface SubscriptionShown {
  readonly id: string;
  readonly name: string;
  /**
   * `***` replaces each value of the query, and the tokens in the paths of hosts such as hooks.slack.com. Requests go
   * to the whole URL. A patch that sends this text back changes nothing. Empty if its customer reads the events.
   */
  readonly url: string;
  readonly eventTypes: readonly EventType[];
  readonly headers: Readonly<Record<string, null>>;
  readonly status: SubscriptionStatus;
  readonly ordering: Ordering;
  readonly rateLimit: number | null;
  readonly retryDelays: readonly number[];
  readonly startsAfter: number;
  readonly rotationEndsAt: string | null;
  readonly createdAt: string;
  readonly updatedAt: string;
  /** Missing for a webhook. */
  readonly kind?: string;
  /** Missing for a webhook, and for `poll`. */
  readonly connection?: string;
  /** Missing for a webhook, and for `poll`. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Which events are wanted; missing if all are. */
  readonly when?: Readonly<Record<string, unknown>>;
  /** How long deliveries wait; missing if they do not. */
  readonly after?: Delay;
  /** What is promised of its events; missing if nothing is. */
  readonly objective?: Objective;
  /** Whether the endpoint gets `traceparent`; missing for a kind other than the webhook. */
  readonly trace?: boolean;
  /**
   * The addresses of those who are told how it does; missing if there are none, and for those who may not change them.
   */
  readonly contacts?: readonly string[];
  /** Those of the contacts who want to be told no more; missing if all do. */
  readonly unsubscribed?: readonly string[];
  /** The signatures of other systems that are sent, too; missing if there are none. */
  readonly signAlso?: readonly OldSignatureShown[];
  /** True if it signs with a key pair, too; else missing. */
  readonly signWithKeyPair?: boolean;
  /**
   * The public keys of that, `whpk_…`, also at `/.well-known/signalpost-keys/{id}`; during a rotation both, the old one
   * first.
   */
  readonly publicKeys?: readonly string[];
  /** What is offered to the endpoint in TLS, without its private key; missing if nothing is. */
  readonly clientCertificate?: CertificateShown;
  /** Who may have issued the endpoint's certificate; missing if the usual authorities. */
  readonly authorities?: readonly CertificateShown[];
  /** As which client tokens are asked for, without its secret; missing if none are sent. */
  readonly oauth?: OAuthClientShown;
  /** The subscription whose shadow it is; missing if it is none. */
  readonly shadowOf?: string;
}

export interface NewSubscription extends SubscriptionShown {
  /**
   * Missing if it uses a connection. Null if the call is repeated with the same `Idempotency-Key` more than an hour
   * later.
   */
  readonly secret?: string | null;
  /**
   * The secret in the form that Standard Webhooks libraries take. Null if the call is repeated with the same
   * `Idempotency-Key` more than an hour later.
   */
  readonly standardWebhooksSecret?: string | null;
  /**
   * Of the kind `poll`: the key with which its events are read. Null if the call is repeated with the same
   * `Idempotency-Key` more than an hour later.
   */
  readonly readerKey?: string | null;
  readonly health: Health;
}

/** One running gateway that works on the database. */
export interface Node {
  /** Assigned when the node starts; no other node ever gets it. */
  readonly id: number;
  /** Host name of its machine. */
  readonly host: string;
  /** Process id on that machine. */
  readonly process: number;
  readonly role: "all" | "api" | "worker" | (string & {});
  readonly version: string;
  /**
   * `draining`: it is stopping, and takes no more subscriptions. `silent`: its last beat is so old that it starts no
   * attempts; others soon take its subscriptions.
   */
  readonly state: "draining" | "silent" | "working" | (string & {});
  /** Number of subscriptions that it delivered for at its last beat. */
  readonly lanes: number;
  readonly joinedAt: string;
  /** By the database's clock; null on SQLite, where the only node does not beat. */
  readonly lastBeatAt: string | null;
  /** Null on SQLite. */
  readonly secondsSinceBeat: number | null;
  /** Whether this is the node that answers this call. */
  readonly answers: boolean;
}

export interface Nodes {
  /** The oldest first. */
  readonly data: readonly Node[];
  /** Pass it as `cursor` to get the next page; null on the last page. */
  readonly next: string | null;
  /** Number of subscriptions, of all tenants. */
  readonly subscriptions: number;
  /**
   * Number of subscriptions that no node delivers for, as of the nodes' last beats. A few seconds above 0 are normal
   * after a node started or stopped.
   */
  readonly unowned: number;
}

/** One message, about conditions of one kind. */
export interface Notice {
  /** All that a person need read. */
  readonly sentence: string;
  readonly what: NoticeWhat;
  readonly kind: NoticeKind;
  readonly severity: Severity;
  readonly action: NoticeAction;
  /** The tenant that all of them are of; null if there is no such one. */
  readonly tenant: string | null;
  /** How many conditions it tells of. */
  readonly count: number;
  /** What they are about; the first 20. */
  readonly subjects: readonly Subject[];
  /** Since when the first of them is so. */
  readonly since: string;
  /** The page of the console that shows more. */
  readonly url: string;
}

export interface NoticeCount {
  readonly count: number;
}

export interface NoticePage {
  readonly data: readonly OpenNotice[];
  /** Pass it as `cursor` to get the next page; null on the last page. */
  readonly next: string | null;
}

export interface Number {
  readonly number: string;
}

/** A client without its secret. */
export interface OAuthClientShown {
  readonly tokenUrl: string;
  readonly clientId: string;
  readonly scope: string;
  readonly credentialsIn: "form" | "header" | (string & {});
}

/** The share of events that are to arrive within some seconds. */
export interface Objective {
  /** The share of events that are to arrive in time, such as 0.99. It cannot be 1: the rest is the error budget. */
  readonly share: number;
  /** Seconds from an event, or from the end of its delay, to its delivery. */
  readonly within: number;
}

/** How a subscription keeps its objective. An event counts once it is delivered or given up for the first time. */
export interface ObjectiveStatus {
  readonly share: number;
  readonly within: number;
  /** From when on events are counted: 30 days, as far as they are over. */
  readonly since: string;
  /** Events that arrived in time. */
  readonly onTime: number;
  /** Events that arrived later, or were given up. */
  readonly late: number;
  /** The share that arrived in time; null if no event ended. */
  readonly achieved: number | null;
  /** How many of these events may be late. */
  readonly lateAllowed: number;
  /** The part of the error budget that is left: from 1 down to 0, and below if it is spent. */
  readonly budgetLeft: number;
}

/** How another system signed, without the secret. */
export interface OldSignatureShown {
  readonly header: string;
  readonly algorithm: Algorithm;
  readonly encoding: "base64" | "hex" | (string & {});
  readonly over: string;
  readonly prefix: string;
}

/** Something that is wrong now. */
export interface OpenNotice {
  readonly id: string;
  readonly kind: string;
  readonly severity: Severity;
  readonly subject: Subject;
  readonly sentence: string;
  /** The page of the console that shows more. */
  readonly url: string;
  readonly since: string;
  readonly openedAt: string;
  /** When a notice last told of it; null if none has yet. */
  readonly toldAt: string | null;
  /** Since when it is not so any more: soon a notice says that it closed. */
  readonly goneSince: string | null;
  /** Until then nobody is reminded of it. */
  readonly mutedUntil: string | null;
}

/** What needs an operator now. */
export interface Overview {
  /** Worst first, at most 20. */
  readonly attention: readonly NeedsAttention[];
  /** Number of further subscriptions that need attention. */
  readonly more: number;
  readonly subscriptions: SubscriptionCounts;
  /** Deliveries of active subscriptions that are not delivered yet. */
  readonly waiting: number;
  /** Deliveries that were given up and are kept. */
  readonly failed: number;
  /** Events that the retention removed before they were delivered. */
  readonly lost: number;
  /** How many events wait for the active subscription that is furthest behind. */
  readonly mostBehind: number;
  readonly lastHour: Counted;
  /** Replays in progress. */
  readonly replays: readonly RunningReplay[];
  /** What feeds the tenant: those first that a person should look at. */
  readonly sources: readonly SourceShown[];
  /** Rotations that end within a day, certificates within 14 days. */
  readonly soon: readonly Ending[];
}

export interface Participant {
  readonly email: string;
  readonly decision: ParticipantDecision | null;
  readonly decidedAt: string | null;
  readonly reason: string | null;
}

export interface PortalLinkPage {
  readonly data: readonly PortalLinkShown[];
  /** Pass it as `cursor` to get the next page; null on the last page. */
  readonly next: string | null;
}

/** What the pages look like, without the logo. */
export interface PortalTheme {
  readonly name: string;
  readonly accent: string;
  readonly radius: number;
  readonly mode: Mode;
}

/** A recipe: a subscription in which two or three blanks are left to fill in. */
export interface Preset {
  readonly name: string;
  readonly title: string;
  readonly about: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly inputs: readonly Input[];
}

/** What a subscription would do with an event. */
export interface Preview {
  readonly wanted: boolean;
  readonly why: string | null;
  readonly waits: number | null;
  readonly request: ShownRequest | null;
  readonly then: readonly ShownRequest[];
}

/** An error in the format of RFC 9457. */
export interface ProblemOfLine {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  /** Programs may rely on it: it does not change between releases. */
  readonly code: string;
  readonly requestId: string;
  readonly errors?: readonly BadFieldOfLine[];
  /** The actions that are allowed now. */
  readonly allowed?: readonly Action[];
  /** The participants who have not decided yet. */
  readonly awaited?: readonly string[];
}

export interface Readiness {
  readonly status: "not ready" | "ready" | (string & {});
  /** Why the gateway is not ready. */
  readonly trouble: string | null;
  /** What the operator may have to change, although the gateway is ready. */
  readonly warnings: readonly string[];
}

/** How a customer reads the events of a subscription. */
export interface ReadingShown {
  /** When it was last asked for events, to the minute; null if it never was. */
  readonly readAt: string | null;
  /** When events were last acknowledged. */
  readonly acknowledgedAt: string | null;
  /** Events that were handed out and are not acknowledged. */
  readonly handedOut: number;
  /** Until when these are handed to nobody else; null if they can be. */
  readonly leasedUntil: string | null;
  /** When the oldest event was made that may be waiting, of a type that is wanted; null if none is. */
  readonly waitsSince: string | null;
}

/** What a subscription would have sent of a part of the log, beside what it sends as it is. */
export interface Rehearsal {
  /**
   * Once the change is saved, a replay of this sends what was missing. Null for a new subscription. Nothing is kept
   * under it; it says itself what was rehearsed.
   */
  readonly id: string | null;
  readonly from: string;
  readonly to: string;
  readonly fromSequence: number;
  /** Lower than `fromSequence` if there are no events. */
  readonly toSequence: number;
  /**
   * Set if the rehearsal ended before it came to `from`, because it looks at so many events only: all numbers are about
   * events from this moment on.
   */
  readonly lookedBackTo: string | null;
  /** Events that the subscription sends as it is. */
  readonly now: number;
  /** Events that it would send. */
  readonly then: number;
  /** Events that it sends as it is, and would send. */
  readonly both: number;
  /** Events that only the changed subscription would send. */
  readonly more: number;
  /** Events that it would no longer send. */
  readonly less: number;
  /** Events that it would want and could make nothing of, such as a placeholder that does not fit. */
  readonly cannot: number;
  readonly examples: RehearsalExamples;
  /**
   * What would be sent of up to three events, those first that it does not send as it is. Only operators see requests
   * to vendors.
   */
  readonly requests: readonly RehearsedRequests[];
}

/** The newest twenty events of each kind. */
export interface RehearsalExamples {
  readonly both: readonly RehearsedEvent[];
  readonly more: readonly RehearsedEvent[];
  readonly less: readonly RehearsedEvent[];
  readonly cannot: readonly RehearsedEvent[];
}

/** An event among the examples of a rehearsal. */
export interface RehearsedEvent {
  readonly eventId: string;
  readonly sequence: number;
  readonly eventType: string;
  readonly externalId: string;
  readonly title: string | null;
  readonly createdAt: string;
  /** Why one of both sides sends nothing, or cannot; null if both send it. */
  readonly why: string | null;
}

export interface RehearsedRequests {
  readonly eventId: string;
  /**
   * The request, and for kinds that look first what would follow. Secrets are struck out; what signs a webhook's is not
   * its secret but a text that is none.
   */
  readonly requests: readonly ShownRequest[];
}

export interface ReplayCount {
  readonly count: number;
  /** Counting stopped at this number; there may be more. */
  readonly countIsCapped: boolean;
  readonly leftOut: LeftOut;
}

/** The part of a replay of several subscriptions that concerns one of them. */
export interface ReplayOfOne {
  readonly subscriptionId: string;
  readonly subscriptionName: string;
  /** Whether the endpoint is failing now: if so, many deliveries may fail again. */
  readonly stillFailing: boolean;
  /** Null for `dryRun`, and if the replay could not be started. */
  readonly replayId: string | null;
  readonly count: number;
  /** Counting stopped at this number; there may be more. */
  readonly countIsCapped: boolean;
  readonly leftOut: LeftOut;
  /** Why the replay could not be started, in a sentence. */
  readonly refused: string | null;
}

export interface ReplayPage {
  readonly data: readonly ShownReplay[];
  /** Pass it as `cursor` to get the next page; null on the last page. */
  readonly next: string | null;
}

export interface ReplaysOfMany {
  /** Subscriptions with something to send, largest number first. */
  readonly data: readonly ReplayOfOne[];
  /** Total number of deliveries. */
  readonly count: number;
  /** Counting stopped early for at least one subscription; there may be more. */
  readonly countIsCapped: boolean;
  /** Total number of events that do not meet the condition of their subscription, as it is now. */
  readonly unmet: number;
}

/** Somebody asked for one more attempt, now. */
export interface RetryAsked {
  readonly at: string;
  /** Name of whoever asked for it. */
  readonly by: string;
  /** Whether the attempt that was under way then succeeded, so that nothing more was sent. */
  readonly deliveredMeanwhile: boolean;
}

/** How the vendor answered the request to revoke the credentials. */
export interface Revocation {
  /** Whether the vendor revoked everything. */
  readonly succeeded: boolean;
  /** What the vendor answered, in a sentence for people. */
  readonly detail: string;
}

export interface RunningReplay {
  readonly id: string;
  readonly subscription: NamedSubscription;
  readonly status: ReplayedStatus;
  /** Events created at this moment or later. */
  readonly from: string;
  /** Events created before this moment. */
  readonly to: string;
  readonly count: number;
  /** Counting stopped at this number; there may be more. */
  readonly countIsCapped: boolean;
  readonly queued: number;
  /** How many of the queued deliveries were delivered. */
  readonly delivered: number;
  /** How many were given up again. */
  readonly failed: number;
  /** How many are queued and still have no outcome. */
  readonly waiting: number;
  /** Name of the key or member that started it. */
  readonly createdBy: string | null;
}

/** Something that a text leads to. */
export interface SearchResult {
  readonly kind: "document" | "event" | "subscription" | (string & {});
  readonly id: string;
  /** A document's title, a subscription's name, or an event's type. */
  readonly title: string;
  /** What distinguishes it: status, URL, reference, owner. */
  readonly detail: string;
  /** When it changed last; of an event, when it was made. */
  readonly at: string;
}

export interface SearchResults {
  /** The closest first, at most 20 of a kind. */
  readonly data: readonly SearchResult[];
}

/** What the gateway knows about a secret, without the secret itself. */
export interface SecretStatus {
  /** When the gateway began to sign with it. */
  readonly since: string;
  /** The last digits of its SHA-256, by which people can tell secrets apart. */
  readonly fingerprint: string;
  /** The fingerprint of the new secret, while a rotation is under way. */
  readonly nextFingerprint: string | null;
  readonly rotationEndsAt: string | null;
  /** Deliveries that the endpoint accepted since then, as far as they are still kept. */
  readonly accepted: number;
  /** Number of attempts since then. The last few seconds may be missing. */
  readonly attempts: number;
  /** When the endpoint's certificate expires; null if that is not known. */
  readonly certificateExpiresAt: string | null;
}

/** A setting with the value in force. */
export interface SettingShown {
  /** The environment variable, without `SIGNALPOST_`. */
  readonly name: string;
  /** Null if it has no value. A secret is shown only as `set`. */
  readonly value: string | null;
  readonly isDefault: boolean;
  /** Where the value comes from; `program` is one that embeds the gateway. */
  readonly source: "default" | "environment" | "flag" | "program" | (string & {});
  readonly help: string;
}

/** A request as it would be sent, with secrets struck out. */
export interface ShownRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}

export interface SignatureVerdict {
  readonly fits: boolean;
  /** A sentence that says whether it matches and, for common mistakes, why not. It reveals no secret. */
  readonly detail: string;
}

export interface SourcePage {
  readonly data: readonly SourceShown[];
  /** Pass it as `cursor` to get the next page; null on the last page. */
  readonly next: string | null;
}

/** A program that feeds the tenant, and what it said last. */
export interface SourceShown {
  readonly id: string;
  readonly name: string;
  /** `silent` if nothing was heard of it for 120 s, else `behind` if a change had waited there for 300 s or more. */
  readonly state: SourceState;
  /** How old the oldest change was that it had not handed over; 0 if there was none. */
  readonly oldestSeconds: number;
  /** How many changes it had given up and kept. */
  readonly dead: number;
  readonly addedAt: string;
  /** When it last said how it does. */
  readonly heardAt: string;
}

/** A replay, and how many deliveries of its time range it leaves out. */
export interface StartedReplay extends ShownReplay {
  readonly leftOut: LeftOut;
}

export interface Stats {
  readonly step: "hour" | "minute" | (string & {});
  readonly latencyBoundsMs: readonly number[];
  readonly total: Counted;
  /** Oldest first. Minutes or hours without an attempt are left out. */
  readonly data: readonly StatsPoint[];
}

export interface StatsPoint extends Counted {
  readonly at: string;
  /** Number of delivered attempts up to each of `latencyBoundsMs`, and of slower ones. */
  readonly latency: readonly number[];
}

/** What one of the conditions is about. */
export interface Subject {
  readonly type: NoticeAbout;
  /** Its id; of a node, the name of its machine. */
  readonly id: string;
  readonly name: string;
  /** The tenant that it is of; null for a node or the gateway. */
  readonly tenant: string | null;
}

export interface Subscription extends SubscriptionShown {
  readonly health: Health;
  /** Its shadow; missing if it has none. */
  readonly shadow?: string;
}

export interface SubscriptionCounts {
  readonly healthy: number;
  readonly failing: number;
  readonly paused: number;
  readonly disabled: number;
}

export interface SubscriptionNames {
  readonly data: readonly NamedSubscription[];
  /** Pass it as `cursor` to get the next page; null on the last page. */
  readonly next: string | null;
  /** How many subscriptions there are, whatever was asked for. */
  readonly total: number;
}

export interface SubscriptionPage {
  readonly data: readonly Subscription[];
  /** Pass it as `cursor` to get the next page; null on the last page. */
  readonly next: string | null;
}

export interface TenantPage {
  readonly data: readonly TenantShown[];
  /** Pass it as `cursor` to get the next page; null on the last page. */
  readonly next: string | null;
}

export interface TenantShown {
  /** Lower-case letters, digits and hyphens. */
  readonly name: string;
  readonly status: "active" | "paused" | (string & {});
  /** Null for `default`, which exists from the start. */
  readonly createdAt: string | null;
  /** The limits that an operator set for this tenant. */
  readonly limits: LimitsShown;
  /** Days to keep its events, if an operator set them for this tenant. */
  readonly retentionDays: number | null;
}

export interface TenantWithUse extends TenantShown {
  /** The limits in force: those of the settings, unless an operator set others for this tenant. */
  readonly effectiveLimits: LimitsShown;
  /** The days in force: the setting RETENTION_DAYS, unless an operator set others for this tenant. */
  readonly effectiveRetentionDays: number;
  readonly use: UseShown;
}

export interface TestResult extends EndpointAnswer {
  readonly eventId: string;
  readonly delivered: boolean;
  /** What went over the wire; null for kinds other than the webhook. */
  readonly exchange: AttemptExchange | null;
  /** Null if it was delivered. */
  readonly diagnosis: Diagnosis | null;
}

export interface TestRun {
  /** Whether each case passed; those of types that the subscription does not want are not asked. */
  readonly passed: boolean;
  readonly cases: readonly CaseResult[];
}

/** How much of each limited resource a tenant uses. */
export interface UseShown {
  readonly documents: number;
  readonly subscriptions: number;
  readonly fileBytes: number;
  readonly inFlight: number;
}

/** A version of the document's text (C9). */
export interface Version {
  readonly number: string;
  readonly downloadUrl: string;
}

export interface VersionPage {
  readonly data: readonly KeptVersion[];
  /** Pass it as `cursor` to get the next page; null on the last page. */
  readonly next: string | null;
}

/** Later events of the same document that the subscription has yet to get. */
export interface WaitingBehind {
  readonly count: number;
  /** Only the newest 100 events of the document were looked at; more may wait. */
  readonly countIsCapped: boolean;
}

export interface Workflow {
  readonly status: DocumentStatus;
  /** The actions that are allowed now. */
  readonly allowed: readonly Action[];
  /** The people asked most recently; empty if not known. */
  readonly participants: readonly Participant[];
  /** The participants who have not decided yet. */
  readonly awaited: readonly string[];
  /** When the signature request expires. */
  readonly expiresAt: string | null;
  /** For a paused document: the status that `resume` restores. */
  readonly statusBefore: DocumentStatus | null;
}
