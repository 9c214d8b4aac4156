/**
 * Every call of the API but those by hand.
 *
 * Generated from the gateway's route table by `python -m client.generator`; do not edit.
 */

import type { Call } from "./core.js";
import { Noun, Pages, path, pick, type Sender } from "./noun.js";
import type * as shapes from "./shapes.js";

/** What several calls of `/v1/documents` send. */
export interface DocumentBody {
  type: string;
  title: string;
  /** A date, or a timestamp with its zone and at most six decimals. */
  startDate?: string | null | undefined;
  /** A date, or a timestamp with its zone and at most six decimals. */
  expiryDate?: string | null | undefined;
  /** An e-mail address. */
  ownerEmail: string;
  /** An e-mail address. */
  authorEmail: string;
  referenceId?: string | null | undefined;
  /** At most two decimals. */
  contractValue?: number | null | undefined;
  counterpartyName?: string | null | undefined;
  additionalFacts?: Readonly<Record<string, string | number | boolean>> | undefined;
}

/** Calls of `/v1/documents`. */
export class Documents extends Noun {
  /** Create a document. `POST /v1/documents`. */
  create(given: DocumentBody & {
    sourceApp?: string | undefined;
    /** With the same key a change is made once, also by another program: a random one. */
    idempotencyKey?: string | undefined;
  }): Promise<shapes.Document> {
    return this.sender.send({ method: "POST", path: path("documents"), replies: { 201: "json" }, body: pick(given, ["type", "title", "startDate", "expiryDate", "ownerEmail", "authorEmail", "referenceId", "contractValue", "counterpartyName", "additionalFacts", "sourceApp"]), isKeyed: true, idempotencyKey: given.idempotencyKey });
  }

  /** List documents. `GET /v1/documents`. */
  list(given: {
    status?: shapes.DocumentStatus | undefined;
    type?: string | undefined;
    referenceId?: string | undefined;
    /** An e-mail address. */
    ownerEmail?: string | undefined;
    /** Only documents that changed after this moment, most recently changed first. */
    updatedAfter?: string | Date | undefined;
    /** How many entries are asked for at once: 250. */
    pageSize?: number | undefined;
  } = {}): Pages<shapes.Document> {
    return new Pages(this.sender, { method: "GET", path: path("documents"), replies: { 200: "json" }, query: { ...pick(given, ["status", "type", "referenceId", "ownerEmail", "updatedAfter"]), limit: given.pageSize ?? 250 } });
  }

  /** Read a document. `GET /v1/documents/{externalId}`. */
  read(externalId: string): Promise<shapes.Document> {
    return this.sender.send({ method: "GET", path: path("documents", externalId), replies: { 200: "json" } });
  }

  /** Change a document (JSON merge patch). `PATCH /v1/documents/{externalId}`. */
  patch(externalId: string, given: Pick<DocumentBody, "startDate" | "expiryDate" | "referenceId" | "contractValue" | "counterpartyName"> & {
    type?: string | undefined;
    title?: string | undefined;
    /** An e-mail address. */
    ownerEmail?: string | undefined;
    /** An e-mail address. */
    authorEmail?: string | undefined;
    /** A merge patch: null removes a fact, or all of them. */
    additionalFacts?: Readonly<Record<string, string | number | boolean | null>> | null | undefined;
    /** Make the change only if this is still the `etag` (`headersOf`). */
    ifMatch?: string | undefined;
    /** With the same key a change is made once, also by another program: a random one. */
    idempotencyKey?: string | undefined;
  } = {}): Promise<shapes.Document> {
    return this.sender.send({ method: "PATCH", path: path("documents", externalId), replies: { 200: "json" }, body: pick(given, ["type", "title", "startDate", "expiryDate", "ownerEmail", "authorEmail", "referenceId", "contractValue", "counterpartyName", "additionalFacts"]), ifMatch: given.ifMatch, isKeyed: true, idempotencyKey: given.idempotencyKey });
  }

  /** Import a snapshot of a document that another system keeps. `PUT /v1/documents/{externalId}`. */
  importDocument(externalId: string, given: DocumentBody & {
    /** The source system's version number. An older one changes nothing. */
    sourceVersion?: number | undefined;
    status: shapes.DocumentStatus;
    /** A timestamp with its zone and at most six decimals. */
    createdAt: string | Date;
    sourceApp: string;
    /** A timestamp with its zone and at most six decimals. */
    executedAt?: string | Date | null | undefined;
    /** A version that another system keeps. Its link is passed on as it is. */
    latestVersion?: Readonly<Record<string, unknown>> | null | undefined;
    /** A version that another system keeps. Its link is passed on as it is. */
    publishedVersion?: Readonly<Record<string, unknown>> | null | undefined;
    /** Make the change only if this is still the `etag` (`headersOf`). */
    ifMatch?: string | undefined;
    /** With the same key a change is made once, also by another program: a random one. */
    idempotencyKey?: string | undefined;
  }): Promise<shapes.Document> {
    return this.sender.send({ method: "PUT", path: path("documents", externalId), replies: { 200: "json", 201: "json" }, query: pick(given, ["sourceVersion"]), body: pick(given, ["type", "title", "startDate", "expiryDate", "ownerEmail", "authorEmail", "referenceId", "contractValue", "counterpartyName", "additionalFacts", "status", "createdAt", "sourceApp", "executedAt", "latestVersion", "publishedVersion"]), ifMatch: given.ifMatch, isKeyed: true, idempotencyKey: given.idempotencyKey });
  }

  /** Delete a document. `DELETE /v1/documents/{externalId}`. */
  delete(externalId: string, given: {
    /** The source system's version number. An older one changes nothing. */
    sourceVersion?: number | undefined;
    /** Make the change only if this is still the `etag` (`headersOf`). */
    ifMatch?: string | undefined;
    /** With the same key a change is made once, also by another program: a random one. */
    idempotencyKey?: string | undefined;
  } = {}): Promise<shapes.KnownState | undefined> {
    return this.sender.send({ method: "DELETE", path: path("documents", externalId), replies: { 200: "json", 204: "none" }, query: pick(given, ["sourceVersion"]), ifMatch: given.ifMatch, isKeyed: true, idempotencyKey: given.idempotencyKey });
  }

  /** List the versions that the gateway keeps of a document. `GET /v1/documents/{externalId}/versions`. */
  listVersions(externalId: string, given: {
    /** How many entries are asked for at once: 250. */
    pageSize?: number | undefined;
  } = {}): Pages<shapes.KeptVersion> {
    return new Pages(this.sender, { method: "GET", path: path("documents", externalId, "versions"), replies: { 200: "json" }, query: { ...pick(given, []), limit: given.pageSize ?? 250 } });
  }

  /** Publish a draft. `POST /v1/documents/{externalId}/versions/{number}/publish`. */
  publishVersion(externalId: string, number: string, given: {
    /** Make the change only if this is still the `etag` (`headersOf`). */
    ifMatch?: string | undefined;
    /** With the same key a change is made once, also by another program: a random one. */
    idempotencyKey?: string | undefined;
  } = {}): Promise<shapes.Number> {
    return this.sender.send({ method: "POST", path: path("documents", externalId, "versions", number, "publish"), replies: { 201: "json" }, ifMatch: given.ifMatch, isKeyed: true, idempotencyKey: given.idempotencyKey });
  }

  /** Download a version's file. `GET /v1/documents/{externalId}/versions/{number}/file`. */
  downloadVersion(externalId: string, number: string): Promise<Uint8Array> {
    return this.sender.send({ method: "GET", path: path("documents", externalId, "versions", number, "file"), replies: { 200: "bytes", 206: "bytes" } });
  }

  /**
   * Act on a document: request a decision, decide, pause, resume or cancel. `POST /v1/documents/{externalId}/actions`.
   */
  actOn(externalId: string, given: {
    action: "requestReview" | "approveReview" | "rejectReview" | "requestApproval" | "approve" | "rejectApproval" | "requestSignature" | "sign" | "rejectSignature" | "pause" | "resume" | "cancel";
    /** E-mail addresses. */
    reviewers?: readonly string[] | undefined;
    /** The e-mail address of the person who decides. */
    by?: string | undefined;
    /** The reason, for people to read. */
    reason?: string | undefined;
    /** E-mail addresses. */
    approvers?: readonly string[] | undefined;
    /** E-mail addresses. */
    signers?: readonly string[] | undefined;
    /** When the signature request expires. */
    expiresAt?: string | Date | undefined;
    /** Make the change only if this is still the `etag` (`headersOf`). */
    ifMatch?: string | undefined;
    /** With the same key a change is made once, also by another program: a random one. */
    idempotencyKey?: string | undefined;
  }): Promise<shapes.Document> {
    return this.sender.send({ method: "POST", path: path("documents", externalId, "actions"), replies: { 200: "json" }, body: pick(given, ["action", "reviewers", "by", "reason", "approvers", "signers", "expiresAt"]), ifMatch: given.ifMatch, isKeyed: true, idempotencyKey: given.idempotencyKey });
  }

  /** Read which actions are allowed now, and who has not decided yet. `GET /v1/documents/{externalId}/actions`. */
  readWorkflow(externalId: string): Promise<shapes.Workflow> {
    return this.sender.send({ method: "GET", path: path("documents", externalId, "actions"), replies: { 200: "json" } });
  }

  /** List who did what to a document, and when. `GET /v1/documents/{externalId}/history`. */
  listHistory(externalId: string, given: {
    /** Include a deleted document. */
    deleted?: boolean | undefined;
    /** How many entries are asked for at once: 250. */
    pageSize?: number | undefined;
  } = {}): Pages<shapes.HistoryEntry> {
    return new Pages(this.sender, { method: "GET", path: path("documents", externalId, "history"), replies: { 200: "json" }, query: { ...pick(given, ["deleted"]), limit: given.pageSize ?? 250 } });
  }

  /** Erase what remains of a deleted document. `POST /v1/documents/{externalId}/erase`. */
  erase(externalId: string, given: {
    /** With the same key a change is made once, also by another program: a random one. */
    idempotencyKey?: string | undefined;
  } = {}): Promise<shapes.ErasureShown> {
    return this.sender.send({ method: "POST", path: path("documents", externalId, "erase"), replies: { 202: "json" }, isKeyed: true, idempotencyKey: given.idempotencyKey });
  }
}

/** What several calls of `/v1/subscriptions` send. */
export interface SubscriptionBody {
  /**
   * An https URL without user name and fragment. International host names and IPv6 addresses are accepted, although the
   * pattern excludes them. Plain http and private addresses need the operator's permission. The values of the query are
   * write-only.
   */
  url?: string | undefined;
  eventTypes?: readonly shapes.EventType[] | undefined;
  kind?: "webhook" | string | "poll" | undefined;
  name?: string | undefined;
  /**
   * Sent with every request, besides the gateway's own. Values are write-only; if the scheme, host or port of the URL
   * changes, give them again.
   */
  headers?: Readonly<Record<string, string>> | undefined;
  /** Signatures of other systems, sent beside the gateway's own. */
  signAlso?: readonly (Readonly<Record<string, unknown>>)[] | undefined;
  /**
   * Sign with a private key of the subscription, too: `v1a` (Ed25519) of Standard Webhooks, in `webhook-signature`. Its
   * public keys are at `/.well-known/signalpost-keys/{id}`.
   */
  signWithKeyPair?: boolean | undefined;
  /** A certificate with its private key. */
  clientCertificate?: Readonly<Record<string, unknown>> | null | undefined;
  /**
   * PEM: the authorities that the endpoint's certificate may be from, in place of those that the gateway trusts else.
   */
  authorities?: string | null | undefined;
  /** Where tokens are asked for, and as which client. */
  oauth?: Readonly<Record<string, unknown>> | null | undefined;
  ordering?: shapes.Ordering | undefined;
  /** Maximum attempts that start in any one second; after a pause, up to this many at once. */
  rateLimit?: number | null | undefined;
  /** Seconds before each retry. */
  retryDelays?: readonly number[] | undefined;
  secret?: string | undefined;
  /**
   * Send `traceparent` with events that are traced, so that the endpoint's spans join the trace. It says which requests
   * belong together, so switch it on for endpoints of your own.
   */
  trace?: boolean | undefined;
  status?: "active" | "paused" | undefined;
  when?: Readonly<Record<string, unknown>> | null | undefined;
  /** How long after its event a delivery waits before it is sent. */
  after?: Readonly<Record<string, unknown>> | null | undefined;
  /** The share of events that are to arrive within some seconds. */
  objective?: Readonly<Record<string, unknown>> | null | undefined;
  /** E-mail addresses of people who are told when it fails, is about to be disabled or was, and when that is over. */
  contacts?: readonly string[] | undefined;
  /**
   * Begin in the past: the subscription gets exactly the events with a higher sequence than this. Without it, or
   * `startsAt`, it begins at the end of the log.
   */
  startsAfter?: number | undefined;
  /** A timestamp with its zone and at most six decimals. */
  startsAt?: string | Date | undefined;
  shadowOf?: string | undefined;
  connection?: string | undefined;
  /** What the kind asks for; `GET /v1/destinations` has its JSON Schema. */
  config?: Readonly<Record<string, unknown>> | undefined;
}

/** Calls of `/v1/subscriptions`. */
export class Subscriptions extends Noun {
  /** Create a subscription. `POST /v1/subscriptions`. */
  create(given: SubscriptionBody & {
    /** With the same key a change is made once, also by another program: a random one. */
    idempotencyKey?: string | undefined;
  } = {}): Promise<shapes.NewSubscription> {
    return this.sender.send({ method: "POST", path: path("subscriptions"), replies: { 201: "json" }, body: pick(given, ["url", "eventTypes", "kind", "name", "headers", "signAlso", "signWithKeyPair", "clientCertificate", "authorities", "oauth", "ordering", "rateLimit", "retryDelays", "secret", "trace", "status", "when", "after", "objective", "contacts", "startsAfter", "startsAt", "shadowOf", "connection", "config"]), isKeyed: true, idempotencyKey: given.idempotencyKey });
  }

  /** Check what a new subscription would be made of; nothing is stored or sent. `POST /v1/subscriptions/check`. */
  check(given: SubscriptionBody = {}): Promise<undefined> {
    return this.sender.send({ method: "POST", path: path("subscriptions", "check"), replies: { 204: "none" }, body: pick(given, ["url", "eventTypes", "kind", "name", "headers", "signAlso", "signWithKeyPair", "clientCertificate", "authorities", "oauth", "ordering", "rateLimit", "retryDelays", "secret", "trace", "status", "when", "after", "objective", "contacts", "startsAfter", "startsAt", "shadowOf", "connection", "config"]) });
  }

  /** List subscriptions. `GET /v1/subscriptions`. */
  list(given: {
    /** Only those whose name contains this, ignoring case. */
    name?: string | undefined;
    /** Only those whose URL's host contains this. */
    host?: string | undefined;
    /** Only those in this state, without shadows. */
    state?: shapes.HealthState | undefined;
    /** How many entries are asked for at once: 250. */
    pageSize?: number | undefined;
  } = {}): Pages<shapes.Subscription> {
    return new Pages(this.sender, { method: "GET", path: path("subscriptions"), replies: { 200: "json" }, query: { ...pick(given, ["name", "host", "state"]), limit: given.pageSize ?? 250 } });
  }

  /** List the names of subscriptions, to choose one. `GET /v1/subscriptions/names`. */
  listNames(given: {
    /** Only those whose name contains this, ignoring case. */
    name?: string | undefined;
    /** Only those with these ids, up to 250, separated by commas. */
    ids?: string | undefined;
    /** How many entries are asked for at once: 250. */
    pageSize?: number | undefined;
  } = {}): Pages<shapes.NamedSubscription> {
    return new Pages(this.sender, { method: "GET", path: path("subscriptions", "names"), replies: { 200: "json" }, query: { ...pick(given, ["name", "ids"]), limit: given.pageSize ?? 250 } });
  }

  /** Read a subscription and its health. `GET /v1/subscriptions/{id}`. */
  read(subscriptionId: string): Promise<shapes.Subscription> {
    return this.sender.send({ method: "GET", path: path("subscriptions", subscriptionId), replies: { 200: "json" } });
  }

  /** Change, pause or resume a subscription. `PATCH /v1/subscriptions/{id}`. */
  patch(subscriptionId: string, given: Pick<SubscriptionBody, "name" | "url" | "eventTypes" | "headers" | "clientCertificate" | "authorities" | "oauth" | "ordering" | "rateLimit" | "retryDelays" | "connection" | "config" | "when" | "after" | "objective"> & {
    /** Signatures of other systems, sent beside the gateway's own. */
    signAlso?: readonly (Readonly<Record<string, unknown>>)[] | undefined;
    /**
     * Sign with a private key of the subscription, too: `v1a` (Ed25519) of Standard Webhooks, in `webhook-signature`.
     * Its public keys are at `/.well-known/signalpost-keys/{id}`.
     */
    signWithKeyPair?: boolean | undefined;
    status?: "active" | "paused" | undefined;
    /**
     * Send `traceparent` with events that are traced, so that the endpoint's spans join the trace. It says which
     * requests belong together, so switch it on for endpoints of your own.
     */
    trace?: boolean | undefined;
    /** E-mail addresses of people who are told when it fails, is about to be disabled or was, and when that is over. */
    contacts?: readonly string[] | undefined;
    /**
     * When you resume a subscription: skip all waiting events, drop retries by hand that have not begun, and cancel
     * replays that run.
     */
    skipBacklog?: boolean | undefined;
    /** Make the change only if this is still the `etag` (`headersOf`). */
    ifMatch?: string | undefined;
    /** With the same key a change is made once, also by another program: a random one. */
    idempotencyKey?: string | undefined;
  } = {}): Promise<shapes.Subscription> {
    return this.sender.send({ method: "PATCH", path: path("subscriptions", subscriptionId), replies: { 200: "json" }, body: pick(given, ["name", "url", "eventTypes", "headers", "signAlso", "signWithKeyPair", "clientCertificate", "authorities", "oauth", "ordering", "rateLimit", "retryDelays", "status", "connection", "config", "when", "after", "objective", "trace", "contacts", "skipBacklog"]), ifMatch: given.ifMatch, isKeyed: true, idempotencyKey: given.idempotencyKey });
  }

  /** Delete a subscription. `DELETE /v1/subscriptions/{id}`. */
  delete(subscriptionId: string, given: {
    /** Make the change only if this is still the `etag` (`headersOf`). */
    ifMatch?: string | undefined;
    /** With the same key a change is made once, also by another program: a random one. */
    idempotencyKey?: string | undefined;
  } = {}): Promise<undefined> {
    return this.sender.send({ method: "DELETE", path: path("subscriptions", subscriptionId), replies: { 204: "none" }, ifMatch: given.ifMatch, isKeyed: true, idempotencyKey: given.idempotencyKey });
  }

  /**
   * Read the next events of a subscription that is read, with the key of its reader. `POST
   * /v1/subscriptions/{id}/poll`.
   */
  pollEvents(subscriptionId: string, given: {
    /** How many events at most. */
    limit?: number | undefined;
    /** For how many seconds to wait if there is nothing yet. */
    wait?: number | undefined;
    /** For how many seconds they are handed to nobody else: long enough to handle all of them. */
    lease?: number | undefined;
  } = {}): Promise<shapes.HandedEvents> {
    return this.sender.send({ method: "POST", path: path("subscriptions", subscriptionId, "poll"), replies: { 200: "json" }, body: pick(given, ["limit", "wait", "lease"]) });
  }

  /**
   * Acknowledge events that were read: they were handled, and are not handed out again. `POST
   * /v1/subscriptions/{id}/acknowledge`.
   */
  acknowledgeEvents(subscriptionId: string, given: {
    /** The `receipt` of what was handed out. */
    receipt: string;
    /**
     * The sequence of the last event that was handled; all of them if left out. Those after it are handed out again.
     */
    through?: number | undefined;
  }): Promise<shapes.Acknowledged> {
    return this.sender.send({ method: "POST", path: path("subscriptions", subscriptionId, "acknowledge"), replies: { 200: "json" }, body: pick(given, ["receipt", "through"]) });
  }

  /**
   * Send a sample event to an endpoint before you create a subscription; nothing is stored. `POST
   * /v1/subscriptions/test`.
   */
  testDraft(given: Pick<SubscriptionBody, "name" | "headers" | "signAlso" | "signWithKeyPair" | "clientCertificate" | "authorities" | "oauth" | "ordering" | "rateLimit" | "retryDelays" | "secret" | "trace" | "status" | "when" | "after" | "objective" | "contacts" | "startsAfter" | "startsAt"> & {
    /**
     * An https URL without user name and fragment. International host names and IPv6 addresses are accepted, although
     * the pattern excludes them. Plain http and private addresses need the operator's permission. The values of the
     * query are write-only.
     */
    url: string;
    eventTypes: readonly shapes.EventType[];
    kind?: "webhook" | undefined;
  }): Promise<shapes.TestResult> {
    return this.sender.send({ method: "POST", path: path("subscriptions", "test"), replies: { 200: "json" }, body: pick(given, ["url", "eventTypes", "kind", "name", "headers", "signAlso", "signWithKeyPair", "clientCertificate", "authorities", "oauth", "ordering", "rateLimit", "retryDelays", "secret", "trace", "status", "when", "after", "objective", "contacts", "startsAfter", "startsAt"]) });
  }

  /** Send a sample event now, outside the log. `POST /v1/subscriptions/{id}/test`. */
  test(subscriptionId: string, given: {
    eventType?: shapes.EventType | undefined;
    /**
     * During a rotation, `next` signs the sample with the new secret alone: whether the endpoint accepts it shows
     * whether the old one can end. If left out, the sample is signed as events are.
     */
    secret?: "next" | undefined;
  } = {}): Promise<shapes.TestResult> {
    return this.sender.send({ method: "POST", path: path("subscriptions", subscriptionId, "test"), replies: { 200: "json" }, body: pick(given, ["eventType", "secret"]) });
  }

  /**
   * Send the ten cases that a receiver must stand, outside the log, with a verdict on each. `POST
   * /v1/subscriptions/{id}/test-run`.
   */
  runTestCases(subscriptionId: string): Promise<shapes.TestRun> {
    return this.sender.send({ method: "POST", path: path("subscriptions", subscriptionId, "test-run"), replies: { 200: "json" } });
  }

  /**
   * Read about a secret: since when it signs, and whether the endpoint accepts it. `GET /v1/subscriptions/{id}/secret`.
   */
  readSecretStatus(subscriptionId: string): Promise<shapes.SecretStatus> {
    return this.sender.send({ method: "GET", path: path("subscriptions", subscriptionId, "secret"), replies: { 200: "json" } });
  }

  /**
   * Check a signature with a subscription's secret, and learn why it does not fit. `POST
   * /v1/subscriptions/{id}/secret/check`.
   */
  checkSignature(subscriptionId: string, given: {
    /**
     * The value of `plexus-webhook-signature` or, with its `timestamp`, of `webhook-signature`, as it arrived or as you
     * computed it.
     */
    signature: string;
    /** The body that was signed, exactly as it arrived. */
    body: string;
    /** The value of `webhook-timestamp`, if it is a `webhook-signature` that is checked. */
    timestamp?: string | undefined;
  }): Promise<shapes.SignatureVerdict> {
    return this.sender.send({ method: "POST", path: path("subscriptions", subscriptionId, "secret", "check"), replies: { 200: "json" }, body: pick(given, ["signature", "body", "timestamp"]) });
  }

  /**
   * Rotate the secret: the old and the new one both sign until the overlap ends. `POST
   * /v1/subscriptions/{id}/secret/rotate`.
   */
  rotateSecret(subscriptionId: string, given: {
    secret?: string | undefined;
    /** How long both secrets sign; 0 switches to the new one at once. */
    overlapHours?: number | undefined;
    /** Make the change only if this is still the `etag` (`headersOf`). */
    ifMatch?: string | undefined;
    /** With the same key a change is made once, also by another program: a random one. */
    idempotencyKey?: string | undefined;
  } = {}): Promise<shapes.NewSubscription> {
    return this.sender.send({ method: "POST", path: path("subscriptions", subscriptionId, "secret", "rotate"), replies: { 200: "json" }, body: pick(given, ["secret", "overlapHours"]), ifMatch: given.ifMatch, isKeyed: true, idempotencyKey: given.idempotencyKey });
  }

  /** Promote the new secret: end the overlap now. `POST /v1/subscriptions/{id}/secret/promote`. */
  promoteSecret(subscriptionId: string, given: {
    /** Make the change only if this is still the `etag` (`headersOf`). */
    ifMatch?: string | undefined;
    /** With the same key a change is made once, also by another program: a random one. */
    idempotencyKey?: string | undefined;
  } = {}): Promise<shapes.Subscription> {
    return this.sender.send({ method: "POST", path: path("subscriptions", subscriptionId, "secret", "promote"), replies: { 200: "json" }, ifMatch: given.ifMatch, isKeyed: true, idempotencyKey: given.idempotencyKey });
  }

  /**
   * Read how many events arrived in time, and what is left of the error budget. `GET /v1/subscriptions/{id}/objective`.
   */
  readObjective(subscriptionId: string): Promise<shapes.ObjectiveStatus> {
    return this.sender.send({ method: "GET", path: path("subscriptions", subscriptionId, "objective"), replies: { 200: "json" } });
  }

  /** Show what a subscription would send for a past event; nothing is sent. `POST /v1/subscriptions/{id}/preview`. */
  preview(subscriptionId: string, given: {
    eventId: string;
  }): Promise<shapes.Preview> {
    return this.sender.send({ method: "POST", path: path("subscriptions", subscriptionId, "preview"), replies: { 200: "json" }, body: pick(given, ["eventId"]) });
  }

  /**
   * Show what a changed subscription would have sent of past events; nothing is stored or sent. `POST
   * /v1/subscriptions/{id}/rehearsals`.
   */
  rehearse(subscriptionId: string, given: {
    /** A timestamp with its zone and at most six decimals. */
    from?: string | Date | undefined;
    /** A timestamp with its zone and at most six decimals. */
    to?: string | Date | undefined;
    change: Readonly<Record<string, unknown>>;
  }): Promise<shapes.Rehearsal> {
    return this.sender.send({ method: "POST", path: path("subscriptions", subscriptionId, "rehearsals"), replies: { 200: "json" }, body: pick(given, ["from", "to", "change"]) });
  }

  /**
   * Show what a new subscription would have sent of past events; nothing is stored or sent. `POST
   * /v1/subscriptions/rehearsals`.
   */
  rehearseNew(given: {
    /** A timestamp with its zone and at most six decimals. */
    from?: string | Date | undefined;
    /** A timestamp with its zone and at most six decimals. */
    to?: string | Date | undefined;
    subscription: Readonly<Record<string, unknown>>;
  }): Promise<shapes.Rehearsal> {
    return this.sender.send({ method: "POST", path: path("subscriptions", "rehearsals"), replies: { 200: "json" }, body: pick(given, ["from", "to", "subscription"]) });
  }

  /** Compare what a shadow and its original answered to the same events. `GET /v1/subscriptions/{id}/comparison`. */
  compareShadow(subscriptionId: string, given: {
    /** How many entries are asked for at once: 250. */
    pageSize?: number | undefined;
  } = {}): Pages<shapes.ComparedEvent> {
    return new Pages(this.sender, { method: "GET", path: path("subscriptions", subscriptionId, "comparison"), replies: { 200: "json" }, query: { ...pick(given, []), limit: given.pageSize ?? 250 } });
  }

  /**
   * Promote a shadow: it and its original swap endpoints, with their secrets and headers. `POST
   * /v1/subscriptions/{id}/promote`.
   */
  promoteShadow(subscriptionId: string, given: {
    /** Promote it even if its endpoint fails, or has not taken an event yet. */
    anyway?: boolean | undefined;
    /** Make the change only if this is still the `etag` (`headersOf`). */
    ifMatch?: string | undefined;
    /** With the same key a change is made once, also by another program: a random one. */
    idempotencyKey?: string | undefined;
  } = {}): Promise<shapes.Subscription> {
    return this.sender.send({ method: "POST", path: path("subscriptions", subscriptionId, "promote"), replies: { 200: "json" }, body: pick(given, ["anyway"]), ifMatch: given.ifMatch, isKeyed: true, idempotencyKey: given.idempotencyKey });
  }

  /** List a subscription's deliveries. `GET /v1/subscriptions/{id}/deliveries`. */
  listDeliveries(subscriptionId: string, given: {
    status?: shapes.DeliveryStatus | undefined;
    eventType?: shapes.EventType | undefined;
    /** Only this event. Subscriptions that have no delivery of it are listed too, with the cause. */
    eventId?: string | undefined;
    externalId?: string | undefined;
    /** Only events created at this moment or later. */
    from?: string | Date | undefined;
    /** Only events created before this moment. */
    to?: string | Date | undefined;
    /** How many entries are asked for at once: 250. */
    pageSize?: number | undefined;
  } = {}): Pages<shapes.Delivery> {
    return new Pages(this.sender, { method: "GET", path: path("subscriptions", subscriptionId, "deliveries"), replies: { 200: "json" }, query: { ...pick(given, ["status", "eventType", "eventId", "externalId", "from", "to"]), limit: given.pageSize ?? 250 } });
  }

  /** Read a delivery with its attempts. `GET /v1/subscriptions/{id}/deliveries/{eventId}`. */
  readDelivery(subscriptionId: string, eventId: string): Promise<shapes.DeliveryWithAttempts> {
    return this.sender.send({ method: "GET", path: path("subscriptions", subscriptionId, "deliveries", eventId), replies: { 200: "json" } });
  }

  /** Read the event of a delivery, as it is sent. `GET /v1/subscriptions/{id}/deliveries/{eventId}/event`. */
  readDeliveredEvent(subscriptionId: string, eventId: string): Promise<shapes.Event> {
    return this.sender.send({ method: "GET", path: path("subscriptions", subscriptionId, "deliveries", eventId, "event"), replies: { 200: "json" } });
  }

  /** Retry a delivery now. `POST /v1/subscriptions/{id}/deliveries/{eventId}/retry`. */
  retryDelivery(subscriptionId: string, eventId: string, given: {
    /** With the same key a change is made once, also by another program: a random one. */
    idempotencyKey?: string | undefined;
  } = {}): Promise<undefined> {
    return this.sender.send({ method: "POST", path: path("subscriptions", subscriptionId, "deliveries", eventId, "retry"), replies: { 202: "none" }, isKeyed: true, idempotencyKey: given.idempotencyKey });
  }

  /**
   * Read a signed statement of what was sent and answered, for `signalpost verify`. `GET
   * /v1/subscriptions/{id}/deliveries/{eventId}/evidence`.
   */
  readEvidence(subscriptionId: string, eventId: string): Promise<shapes.Evidence> {
    return this.sender.send({ method: "GET", path: path("subscriptions", subscriptionId, "deliveries", eventId, "evidence"), replies: { 200: "json" } });
  }

  /** Resend the failed events of a time range, or all of them. `POST /v1/subscriptions/{id}/replays`. */
  startReplay(subscriptionId: string, given: {
    /** A timestamp with its zone and at most six decimals. */
    from?: string | Date | undefined;
    /** Only events with this sequence or a higher one. */
    fromSequence?: number | undefined;
    /** A timestamp with its zone and at most six decimals. */
    to?: string | Date | undefined;
    status?: shapes.ReplayStatus | undefined;
    /** Only events of these types. Without it, all types. */
    eventTypes?: readonly shapes.EventType[] | undefined;
    /** Only events of this document. Without it, all documents. */
    externalId?: string | undefined;
    /** Count the deliveries, and start nothing. */
    dryRun?: boolean | undefined;
    /**
     * The `id` of a rehearsal whose change was saved: sends the events of its period that the subscription wants now
     * and for which nothing was ever sent.
     */
    rehearsal?: string | undefined;
    /** With the same key a change is made once, also by another program: a random one. */
    idempotencyKey?: string | undefined;
  } = {}): Promise<shapes.ReplayCount | shapes.StartedReplay> {
    return this.sender.send({ method: "POST", path: path("subscriptions", subscriptionId, "replays"), replies: { 200: "json", 202: "json" }, body: pick(given, ["from", "fromSequence", "to", "status", "eventTypes", "externalId", "dryRun", "rehearsal"]), isKeyed: true, idempotencyKey: given.idempotencyKey });
  }

  /** List a subscription's replays. `GET /v1/subscriptions/{id}/replays`. */
  listReplays(subscriptionId: string, given: {
    /** How many entries are asked for at once: 250. */
    pageSize?: number | undefined;
  } = {}): Pages<shapes.ShownReplay> {
    return new Pages(this.sender, { method: "GET", path: path("subscriptions", subscriptionId, "replays"), replies: { 200: "json" }, query: { ...pick(given, []), limit: given.pageSize ?? 250 } });
  }

  /** Read a replay and its progress. `GET /v1/subscriptions/{id}/replays/{replayId}`. */
  readReplay(subscriptionId: string, replayId: string): Promise<shapes.ShownReplay> {
    return this.sender.send({ method: "GET", path: path("subscriptions", subscriptionId, "replays", replayId), replies: { 200: "json" } });
  }

  /**
   * Cancel a replay; deliveries that are queued already are still sent. `DELETE
   * /v1/subscriptions/{id}/replays/{replayId}`.
   */
  cancelReplay(subscriptionId: string, replayId: string, given: {
    /** With the same key a change is made once, also by another program: a random one. */
    idempotencyKey?: string | undefined;
  } = {}): Promise<shapes.ShownReplay> {
    return this.sender.send({ method: "DELETE", path: path("subscriptions", subscriptionId, "replays", replayId), replies: { 200: "json" }, isKeyed: true, idempotencyKey: given.idempotencyKey });
  }
}

/** Calls of `/v1/destinations`. */
export class Destinations extends Noun {
  /**
   * List the kinds of destinations besides the webhook, with the JSON Schema of what each asks for. `GET
   * /v1/destinations`.
   */
  list(): Promise<shapes.DestinationList> {
    return this.sender.send({ method: "GET", path: path("destinations"), replies: { 200: "json" } });
  }

  /**
   * Show what a new subscription would send for a past event, or a sample; nothing is created or sent. `POST
   * /v1/destinations/{kind}/preview`.
   */
  preview(kind: string, given: {
    eventId?: string | undefined;
    connection: string;
    /** What the kind asks for; `GET /v1/destinations` has its JSON Schema. */
    config: Readonly<Record<string, unknown>>;
    when?: Readonly<Record<string, unknown>> | null | undefined;
    /** How long after its event a delivery waits before it is sent. */
    after?: Readonly<Record<string, unknown>> | null | undefined;
    /** The types that the sample may have. */
    sample?: readonly shapes.EventType[] | undefined;
  }): Promise<shapes.Preview> {
    return this.sender.send({ method: "POST", path: path("destinations", kind, "preview"), replies: { 200: "json" }, body: pick(given, ["eventId", "connection", "config", "when", "after", "sample"]) });
  }
}

/** Calls of `/v1/connections`. */
export class Connections extends Noun {
  /** Create a connection to a vendor. `POST /v1/connections`. */
  create(given: {
    kind: string;
    name?: string | undefined;
    /** What the kind asks for; `GET /v1/destinations` has its JSON Schema. */
    config: Readonly<Record<string, unknown>>;
    /** With the same key a change is made once, also by another program: a random one. */
    idempotencyKey?: string | undefined;
  }): Promise<shapes.Connection> {
    return this.sender.send({ method: "POST", path: path("connections"), replies: { 201: "json" }, body: pick(given, ["kind", "name", "config"]), isKeyed: true, idempotencyKey: given.idempotencyKey });
  }

  /** List connections. `GET /v1/connections`. */
  list(given: {
    /** How many entries are asked for at once: 250. */
    pageSize?: number | undefined;
  } = {}): Pages<shapes.Connection> {
    return new Pages(this.sender, { method: "GET", path: path("connections"), replies: { 200: "json" }, query: { ...pick(given, []), limit: given.pageSize ?? 250 } });
  }

  /** Read a connection, without its secrets. `GET /v1/connections/{id}`. */
  read(connectionId: string): Promise<shapes.Connection> {
    return this.sender.send({ method: "GET", path: path("connections", connectionId), replies: { 200: "json" } });
  }

  /**
   * Change a connection: members of its config that are left out, and secrets that are null, stay. `PATCH
   * /v1/connections/{id}`.
   */
  patch(connectionId: string, given: {
    name?: string | undefined;
    /** What the kind asks for; `GET /v1/destinations` has its JSON Schema. */
    config?: Readonly<Record<string, unknown>> | undefined;
    /** Make the change only if this is still the `etag` (`headersOf`). */
    ifMatch?: string | undefined;
    /** With the same key a change is made once, also by another program: a random one. */
    idempotencyKey?: string | undefined;
  } = {}): Promise<shapes.Connection> {
    return this.sender.send({ method: "PATCH", path: path("connections", connectionId), replies: { 200: "json" }, body: pick(given, ["name", "config"]), ifMatch: given.ifMatch, isKeyed: true, idempotencyKey: given.idempotencyKey });
  }

  /** Delete a connection that no subscription uses. `DELETE /v1/connections/{id}`. */
  delete(connectionId: string, given: {
    /** Make the change only if this is still the `etag` (`headersOf`). */
    ifMatch?: string | undefined;
    /** With the same key a change is made once, also by another program: a random one. */
    idempotencyKey?: string | undefined;
  } = {}): Promise<undefined> {
    return this.sender.send({ method: "DELETE", path: path("connections", connectionId), replies: { 204: "none" }, ifMatch: given.ifMatch, isKeyed: true, idempotencyKey: given.idempotencyKey });
  }

  /** Check that the vendor grants access, with a call that changes nothing. `POST /v1/connections/{id}/test`. */
  test(connectionId: string): Promise<shapes.ConnectionTest> {
    return this.sender.send({ method: "POST", path: path("connections", connectionId, "test"), replies: { 200: "json" } });
  }

  /** Ask for a person's consent, or submit the code that it brought. `POST /v1/connections/{id}/connect`. */
  connect(connectionId: string, given: {
    code?: string | undefined;
    state?: string | undefined;
    iss?: string | undefined;
  } = {}): Promise<shapes.ConsentAsked> {
    return this.sender.send({ method: "POST", path: path("connections", connectionId, "connect"), replies: { 200: "json" }, body: pick(given, ["code", "state", "iss"]) });
  }

  /** Forget the credentials, and have the vendor revoke them. `POST /v1/connections/{id}/disconnect`. */
  disconnect(connectionId: string, given: {
    /** Make the change only if this is still the `etag` (`headersOf`). */
    ifMatch?: string | undefined;
    /** With the same key a change is made once, also by another program: a random one. */
    idempotencyKey?: string | undefined;
  } = {}): Promise<shapes.DisconnectedConnection> {
    return this.sender.send({ method: "POST", path: path("connections", connectionId, "disconnect"), replies: { 200: "json" }, ifMatch: given.ifMatch, isKeyed: true, idempotencyKey: given.idempotencyKey });
  }
}

/** Calls of `/v1/deliveries`. */
export class Deliveries extends Noun {
  /** List deliveries of all subscriptions, or what happened to one event at each. `GET /v1/deliveries`. */
  list(given: {
    status?: shapes.DeliveryStatus | undefined;
    eventType?: shapes.EventType | undefined;
    /** Only this event. Subscriptions that have no delivery of it are listed too, with the cause. */
    eventId?: string | undefined;
    externalId?: string | undefined;
    /** Only events created at this moment or later. */
    from?: string | Date | undefined;
    /** Only events created before this moment. */
    to?: string | Date | undefined;
    subscriptionId?: string | undefined;
    /** How many entries are asked for at once: 250. */
    pageSize?: number | undefined;
  } = {}): Pages<shapes.Delivery> {
    return new Pages(this.sender, { method: "GET", path: path("deliveries"), replies: { 200: "json" }, query: { ...pick(given, ["status", "eventType", "eventId", "externalId", "from", "to", "subscriptionId"]), limit: given.pageSize ?? 250 } });
  }
}

/** Calls of `/v1/replays`. */
export class Replays extends Noun {
  /** Resend the failed events of a time range, or all of them, to many subscriptions. `POST /v1/replays`. */
  start(given: {
    /** A timestamp with its zone and at most six decimals. */
    from?: string | Date | undefined;
    /** Only events with this sequence or a higher one. */
    fromSequence?: number | undefined;
    /** A timestamp with its zone and at most six decimals. */
    to?: string | Date | undefined;
    status: shapes.ReplayStatus;
    /** Only events of these types. Without it, all types. */
    eventTypes?: readonly shapes.EventType[] | undefined;
    /** Only events of this document. Without it, all documents. */
    externalId?: string | undefined;
    /** Count the deliveries, and start nothing. */
    dryRun?: boolean | undefined;
    subscriptionIds?: readonly string[] | undefined;
    /** With the same key a change is made once, also by another program: a random one. */
    idempotencyKey?: string | undefined;
  }): Promise<shapes.ReplaysOfMany> {
    return this.sender.send({ method: "POST", path: path("replays"), replies: { 200: "json", 202: "json" }, body: pick(given, ["from", "fromSequence", "to", "status", "eventTypes", "externalId", "dryRun", "subscriptionIds"]), isKeyed: true, idempotencyKey: given.idempotencyKey });
  }

  /** List the replays of all subscriptions. `GET /v1/replays`. */
  list(given: {
    /** How many entries are asked for at once: 250. */
    pageSize?: number | undefined;
  } = {}): Pages<shapes.NamedReplay> {
    return new Pages(this.sender, { method: "GET", path: path("replays"), replies: { 200: "json" }, query: { ...pick(given, []), limit: given.pageSize ?? 250 } });
  }
}

/** Calls of `/v1/events`. */
export class Events extends Noun {
  /** Read the log, oldest first or newest first. `GET /v1/events`. */
  list(given: {
    limit?: number | undefined;
    /** Only events with a higher sequence, oldest first. */
    after?: number | undefined;
    /** Only events with a lower sequence, newest first; `latest` begins with the newest event. */
    before?: string | undefined;
    eventType?: shapes.EventType | undefined;
    externalId?: string | undefined;
  } = {}): Promise<shapes.Feed> {
    return this.sender.send({ method: "GET", path: path("events"), replies: { 200: "json" }, query: pick(given, ["limit", "after", "before", "eventType", "externalId"]) });
  }

  /** Count how many subscriptions that wanted an event got it. `GET /v1/events/arrivals`. */
  countArrivals(given: {
    /** The sequences of up to 100 events, separated by commas. Without it nothing is counted. */
    sequences?: string | undefined;
  } = {}): Promise<shapes.ArrivalsOfEvents> {
    return this.sender.send({ method: "GET", path: path("events", "arrivals"), replies: { 200: "json" }, query: pick(given, ["sequences"]) });
  }

  /** Read an event. `GET /v1/events/{id}`. */
  read(eventId: string): Promise<shapes.LogEntry> {
    return this.sender.send({ method: "GET", path: path("events", eventId), replies: { 200: "json" } });
  }
}

/** Calls of `/v1/overview`. */
export class Overview extends Noun {
  /** Read what needs an operator's attention now. `GET /v1/overview`. */
  read(): Promise<shapes.Overview> {
    return this.sender.send({ method: "GET", path: path("overview"), replies: { 200: "json" } });
  }

  /** Count the subscriptions that need an operator's attention now. `GET /v1/overview/count`. */
  countAttention(): Promise<shapes.AttentionCount> {
    return this.sender.send({ method: "GET", path: path("overview", "count"), replies: { 200: "json" } });
  }
}

/** Calls of `/v1/sources`. */
export class Sources extends Noun {
  /** Say how a source does that feeds the tenant. `PUT /v1/sources/{source}`. */
  report(source: string, given: {
    /** Age of the oldest change that it has not handed over, in whole seconds; 0 if there is none. */
    oldestSeconds: number;
    /** Number of changes that it gave up and keeps, each with its reason. */
    dead: number;
    /** With the same key a change is made once, also by another program: a random one. */
    idempotencyKey?: string | undefined;
  }): Promise<undefined> {
    return this.sender.send({ method: "PUT", path: path("sources", source), replies: { 204: "none" }, body: pick(given, ["oldestSeconds", "dead"]), isKeyed: true, idempotencyKey: given.idempotencyKey });
  }

  /** List the sources that feed the tenant. `GET /v1/sources`. */
  list(given: {
    /** How many entries are asked for at once: 250. */
    pageSize?: number | undefined;
  } = {}): Pages<shapes.SourceShown> {
    return new Pages(this.sender, { method: "GET", path: path("sources"), replies: { 200: "json" }, query: { ...pick(given, []), limit: given.pageSize ?? 250 } });
  }

  /** Remove a source that feeds the tenant no more. `DELETE /v1/sources/{source}`. */
  remove(source: string, given: {
    /** With the same key a change is made once, also by another program: a random one. */
    idempotencyKey?: string | undefined;
  } = {}): Promise<undefined> {
    return this.sender.send({ method: "DELETE", path: path("sources", source), replies: { 204: "none" }, isKeyed: true, idempotencyKey: given.idempotencyKey });
  }
}

/** Calls of `/v1/notices`. */
export class Notices extends Noun {
  /** List what is wrong now. `GET /v1/notices`. */
  list(given: {
    /** How many entries are asked for at once: 250. */
    pageSize?: number | undefined;
  } = {}): Pages<shapes.OpenNotice> {
    return new Pages(this.sender, { method: "GET", path: path("notices"), replies: { 200: "json" }, query: { ...pick(given, []), limit: given.pageSize ?? 250 } });
  }

  /** Count what is wrong now. `GET /v1/notices/count`. */
  count(): Promise<shapes.NoticeCount> {
    return this.sender.send({ method: "GET", path: path("notices", "count"), replies: { 200: "json" } });
  }

  /** Have nobody told of something again for a while. `POST /v1/notices/{id}/mute`. */
  mute(noticeId: string, given: {
    /** Hours during which nobody is told of it again; 0 ends that. */
    hours: number;
    /** With the same key a change is made once, also by another program: a random one. */
    idempotencyKey?: string | undefined;
  }): Promise<undefined> {
    return this.sender.send({ method: "POST", path: path("notices", noticeId, "mute"), replies: { 204: "none" }, body: pick(given, ["hours"]), isKeyed: true, idempotencyKey: given.idempotencyKey });
  }
}

/** Calls of `/v1/stats`. */
export class Stats extends Noun {
  /** Read statistics of attempts by minute or hour. `GET /v1/stats`. */
  read(given: {
    /** Only this subscription; without it, all subscriptions of the tenant. */
    subscriptionId?: string | undefined;
    /** Minutes are kept for 48 hours, hours for 90 days. */
    step?: "hour" | "minute" | undefined;
    /** Starts with the minute or hour that contains this moment. */
    from?: string | Date | undefined;
    /** Only minutes or hours that began before this moment. */
    to?: string | Date | undefined;
  } = {}): Promise<shapes.Stats> {
    return this.sender.send({ method: "GET", path: path("stats"), replies: { 200: "json" }, query: pick(given, ["subscriptionId", "step", "from", "to"]) });
  }
}

/** Calls of `/v1/search`. */
export class Search extends Noun {
  /**
   * Find events, documents and subscriptions by id, title, e-mail address, reference, name or URL. `GET /v1/search`.
   */
  findAnything(given: {
    /**
     * An id or its beginning, from eight characters on; or a part, from three on, of a document's title, reference or
     * owner's e-mail address, or of a subscription's name, URL or contacts. Without it nothing is found.
     */
    q?: string | undefined;
  } = {}): Promise<shapes.SearchResults> {
    return this.sender.send({ method: "GET", path: path("search"), replies: { 200: "json" }, query: pick(given, ["q"]) });
  }
}

/** Calls of `/v1/keys`. */
export class Keys extends Noun {
  /** Create an API key. `POST /v1/keys`. */
  create(given: {
    /** Who uses it; shown in lists and logs. */
    name: string;
    role: shapes.Role;
    /**
     * When the key expires. Without it, the key works until it is revoked. A timestamp with its zone and at most six
     * decimals.
     */
    expiresAt?: string | Date | null | undefined;
    /** With the same key a change is made once, also by another program: a random one. */
    idempotencyKey?: string | undefined;
  }): Promise<shapes.NewKey> {
    return this.sender.send({ method: "POST", path: path("keys"), replies: { 201: "json" }, body: pick(given, ["name", "role", "expiresAt"]), isKeyed: true, idempotencyKey: given.idempotencyKey });
  }

  /** List the API keys of the tenant that the call names, or of all tenants. `GET /v1/keys`. */
  list(given: {
    /** How many entries are asked for at once: 250. */
    pageSize?: number | undefined;
  } = {}): Pages<shapes.Key> {
    return new Pages(this.sender, { method: "GET", path: path("keys"), replies: { 200: "json" }, query: { ...pick(given, []), limit: given.pageSize ?? 250 } });
  }

  /** Revoke an API key. `DELETE /v1/keys/{id}`. */
  revoke(keyId: string, given: {
    /** With the same key a change is made once, also by another program: a random one. */
    idempotencyKey?: string | undefined;
  } = {}): Promise<undefined> {
    return this.sender.send({ method: "DELETE", path: path("keys", keyId), replies: { 204: "none" }, isKeyed: true, idempotencyKey: given.idempotencyKey });
  }
}

/** Calls of `/v1/tenants`. */
export class Tenants extends Noun {
  /** Create a tenant. `POST /v1/tenants`. */
  create(given: {
    /** Lower-case letters, digits and hyphens. */
    name: string;
    /** With the same key a change is made once, also by another program: a random one. */
    idempotencyKey?: string | undefined;
  }): Promise<shapes.TenantShown> {
    return this.sender.send({ method: "POST", path: path("tenants"), replies: { 201: "json" }, body: pick(given, ["name"]), isKeyed: true, idempotencyKey: given.idempotencyKey });
  }

  /** List tenants. `GET /v1/tenants`. */
  list(given: {
    /** How many entries are asked for at once: 250. */
    pageSize?: number | undefined;
  } = {}): Pages<shapes.TenantShown> {
    return new Pages(this.sender, { method: "GET", path: path("tenants"), replies: { 200: "json" }, query: { ...pick(given, []), limit: given.pageSize ?? 250 } });
  }

  /** Read a tenant, its limits, its retention and what it uses. `GET /v1/tenants/{name}`. */
  read(name: string): Promise<shapes.TenantWithUse> {
    return this.sender.send({ method: "GET", path: path("tenants", name), replies: { 200: "json" } });
  }

  /** Pause or resume a tenant, or change its limits or its retention. `PATCH /v1/tenants/{name}`. */
  change(name: string, given: {
    /** While it is paused, nothing in it is changed or sent, and nothing is lost. */
    status?: "active" | "paused" | undefined;
    /** Null takes a limit back: then that of the settings counts. */
    limits?: Readonly<Record<string, unknown>> | undefined;
    /** Days to keep its events and their delivery attempts; null for the setting RETENTION_DAYS. */
    retentionDays?: number | null | undefined;
    /** With the same key a change is made once, also by another program: a random one. */
    idempotencyKey?: string | undefined;
  } = {}): Promise<shapes.TenantShown> {
    return this.sender.send({ method: "PATCH", path: path("tenants", name), replies: { 200: "json" }, body: pick(given, ["status", "limits", "retentionDays"]), isKeyed: true, idempotencyKey: given.idempotencyKey });
  }

  /** Delete a tenant and erase everything it has. `DELETE /v1/tenants/{name}`. */
  delete(name: string, given: {
    /** The tenant's name again, to confirm. */
    confirm?: string | undefined;
    /** With the same key a change is made once, also by another program: a random one. */
    idempotencyKey?: string | undefined;
  } = {}): Promise<shapes.ErasureShown> {
    return this.sender.send({ method: "DELETE", path: path("tenants", name), replies: { 202: "json" }, query: pick(given, ["confirm"]), isKeyed: true, idempotencyKey: given.idempotencyKey });
  }
}

/** Calls of `/v1/master-key`. */
export class MasterKey extends Noun {
  /** See which master key is in use. `GET /v1/master-key`. */
  read(): Promise<shapes.MasterKeyShown> {
    return this.sender.send({ method: "GET", path: path("master-key"), replies: { 200: "json" } });
  }

  /** Change the master key while the gateway runs. `POST /v1/master-key/rotate`. */
  rotate(): Promise<shapes.MasterKeyShown> {
    return this.sender.send({ method: "POST", path: path("master-key", "rotate"), replies: { 202: "json" } });
  }
}

/** Calls of `/v1/nodes`. */
export class Nodes extends Noun {
  /** List the nodes that share the database. `GET /v1/nodes`. */
  list(): Promise<shapes.Nodes> {
    return this.sender.send({ method: "GET", path: path("nodes"), replies: { 200: "json" } });
  }
}

/** Calls of `/v1/gateway`. */
export class Gateway extends Noun {
  /** Read the gateway's state, its platform and its settings. `GET /v1/gateway`. */
  read(): Promise<shapes.GatewayShown> {
    return this.sender.send({ method: "GET", path: path("gateway"), replies: { 200: "json" } });
  }
}

/** Calls of `/v1/audit`. */
export class Audit extends Noun {
  /** Read who changed what, oldest first. `GET /v1/audit`. */
  list(given: {
    /** Only entries with a higher number. */
    after?: number | undefined;
    /** Only changes by this actor, by its id. */
    actor?: string | undefined;
    /** Only changes of the object with this id. */
    object?: string | undefined;
    /** Newest first. */
    newest?: boolean | undefined;
    /** How many entries are asked for at once: 250. */
    pageSize?: number | undefined;
  } = {}): Pages<shapes.AuditEntry> {
    return new Pages(this.sender, { method: "GET", path: path("audit"), replies: { 200: "json" }, query: { ...pick(given, ["after", "actor", "object", "newest"]), limit: given.pageSize ?? 250 } });
  }

  /** Verify that no entry of any tenant was changed, added, moved or removed. `GET /v1/audit/verification`. */
  verify(given: {
    /** An end that was kept elsewhere, as an earlier verification showed it. */
    end?: string | undefined;
  } = {}): Promise<shapes.AuditVerification> {
    return this.sender.send({ method: "GET", path: path("audit", "verification"), replies: { 200: "json" }, query: pick(given, ["end"]) });
  }
}

/** Calls of `/v1/erasures`. */
export class Erasures extends Noun {
  /** List erasures, of all tenants. `GET /v1/erasures`. */
  list(given: {
    /** How many entries are asked for at once: 250. */
    pageSize?: number | undefined;
  } = {}): Pages<shapes.ErasureShown> {
    return new Pages(this.sender, { method: "GET", path: path("erasures"), replies: { 200: "json" }, query: { ...pick(given, []), limit: given.pageSize ?? 250 } });
  }

  /** Read the progress of an erasure. `GET /v1/erasures/{id}`. */
  read(erasureId: string): Promise<shapes.ErasureShown> {
    return this.sender.send({ method: "GET", path: path("erasures", erasureId), replies: { 200: "json" } });
  }
}

/** Calls of `/v1/members`. */
export class Members extends Noun {
  /** Invite a person to the console. `POST /v1/members`. */
  invite(given: {
    /** Shown in the audit and in histories. */
    name: string;
    /** An e-mail address. */
    email: string;
    role: shapes.Role;
    /** With the same key a change is made once, also by another program: a random one. */
    idempotencyKey?: string | undefined;
  }): Promise<shapes.InvitedMember> {
    return this.sender.send({ method: "POST", path: path("members"), replies: { 201: "json" }, body: pick(given, ["name", "email", "role"]), isKeyed: true, idempotencyKey: given.idempotencyKey });
  }

  /** List the members of the tenant that the call names, or of all tenants. `GET /v1/members`. */
  list(given: {
    /** How many entries are asked for at once: 250. */
    pageSize?: number | undefined;
  } = {}): Pages<shapes.MemberShown> {
    return new Pages(this.sender, { method: "GET", path: path("members"), replies: { 200: "json" }, query: { ...pick(given, []), limit: given.pageSize ?? 250 } });
  }

  /** Read a member. `GET /v1/members/{id}`. */
  read(memberId: string): Promise<shapes.MemberShown> {
    return this.sender.send({ method: "GET", path: path("members", memberId), replies: { 200: "json" } });
  }

  /** Change a member's name, address or role. `PATCH /v1/members/{id}`. */
  change(memberId: string, given: {
    /** Shown in the audit and in histories. */
    name?: string | undefined;
    /** An e-mail address. */
    email?: string | undefined;
    role?: shapes.Role | undefined;
    /** With the same key a change is made once, also by another program: a random one. */
    idempotencyKey?: string | undefined;
  } = {}): Promise<shapes.MemberShown> {
    return this.sender.send({ method: "PATCH", path: path("members", memberId), replies: { 200: "json" }, body: pick(given, ["name", "email", "role"]), isKeyed: true, idempotencyKey: given.idempotencyKey });
  }

  /** Remove a member. `DELETE /v1/members/{id}`. */
  remove(memberId: string, given: {
    /** With the same key a change is made once, also by another program: a random one. */
    idempotencyKey?: string | undefined;
  } = {}): Promise<undefined> {
    return this.sender.send({ method: "DELETE", path: path("members", memberId), replies: { 204: "none" }, isKeyed: true, idempotencyKey: given.idempotencyKey });
  }

  /** Invite a member again, after a forgotten password or an expired invitation. `POST /v1/members/{id}/invitation`. */
  reset(memberId: string, given: {
    /** With the same key a change is made once, also by another program: a random one. */
    idempotencyKey?: string | undefined;
  } = {}): Promise<shapes.Invitation> {
    return this.sender.send({ method: "POST", path: path("members", memberId, "invitation"), replies: { 201: "json" }, isKeyed: true, idempotencyKey: given.idempotencyKey });
  }
}

/** Calls of `/v1/portal-links`. */
export class PortalLinks extends Noun {
  /**
   * Create a link that lets a customer see their own subscriptions for a while; it opens once. `POST /v1/portal-links`.
   */
  create(given: {
    /** Who it is for; shown in the audit. */
    name: string;
    /** Ids of the subscriptions, or `all`: every subscription of the tenant, including later ones. */
    subscriptions: readonly string[] | "all";
    /** What the visitor may do. `view` is always included. */
    can: readonly shapes.Capability[];
    /** Seconds from now until the link and its session end. */
    expiresIn?: number | undefined;
    /** Origins of the pages that may embed the portal in a frame. */
    embed?: readonly string[] | undefined;
    /** What the pages look like. Every value is chosen from what is safe; none is CSS or HTML. */
    theme?: Readonly<Record<string, unknown>> | undefined;
    /** With the same key a change is made once, also by another program: a random one. */
    idempotencyKey?: string | undefined;
  }): Promise<shapes.NewPortalLink> {
    return this.sender.send({ method: "POST", path: path("portal-links"), replies: { 201: "json" }, body: pick(given, ["name", "subscriptions", "can", "expiresIn", "embed", "theme"]), isKeyed: true, idempotencyKey: given.idempotencyKey });
  }

  /** List portal links that have not ended, and some that have ended. `GET /v1/portal-links`. */
  list(given: {
    /** How many entries are asked for at once: 250. */
    pageSize?: number | undefined;
  } = {}): Pages<shapes.PortalLinkShown> {
    return new Pages(this.sender, { method: "GET", path: path("portal-links"), replies: { 200: "json" }, query: { ...pick(given, []), limit: given.pageSize ?? 250 } });
  }

  /** Read a portal link: whom it is for, what it allows, whether it is in use. `GET /v1/portal-links/{id}`. */
  read(portalLinkId: string): Promise<shapes.PortalLinkShown> {
    return this.sender.send({ method: "GET", path: path("portal-links", portalLinkId), replies: { 200: "json" } });
  }

  /** Revoke a portal link and end its session. `DELETE /v1/portal-links/{id}`. */
  revoke(portalLinkId: string, given: {
    /** With the same key a change is made once, also by another program: a random one. */
    idempotencyKey?: string | undefined;
  } = {}): Promise<undefined> {
    return this.sender.send({ method: "DELETE", path: path("portal-links", portalLinkId), replies: { 204: "none" }, isKeyed: true, idempotencyKey: given.idempotencyKey });
  }
}

/** Calls of `/v1/console-links`. */
export class ConsoleLinks extends Noun {
  /**
   * Create a link that signs its first visitor in to the console as the operator who created it. `POST /v1/console-
   * links`.
   */
  create(): Promise<shapes.ConsoleLink> {
    return this.sender.send({ method: "POST", path: path("console-links"), replies: { 201: "json" } });
  }
}

/** Everything that can be called, by noun. */
export abstract class Nouns implements Sender {
  readonly documents: Documents;
  readonly subscriptions: Subscriptions;
  readonly destinations: Destinations;
  readonly connections: Connections;
  readonly deliveries: Deliveries;
  readonly replays: Replays;
  readonly events: Events;
  readonly overview: Overview;
  readonly sources: Sources;
  readonly notices: Notices;
  readonly stats: Stats;
  readonly search: Search;
  readonly keys: Keys;
  readonly tenants: Tenants;
  readonly masterKey: MasterKey;
  readonly nodes: Nodes;
  readonly gateway: Gateway;
  readonly audit: Audit;
  readonly erasures: Erasures;
  readonly members: Members;
  readonly portalLinks: PortalLinks;
  readonly consoleLinks: ConsoleLinks;

  constructor() {
    this.documents = new Documents(this);
    this.subscriptions = new Subscriptions(this);
    this.destinations = new Destinations(this);
    this.connections = new Connections(this);
    this.deliveries = new Deliveries(this);
    this.replays = new Replays(this);
    this.events = new Events(this);
    this.overview = new Overview(this);
    this.sources = new Sources(this);
    this.notices = new Notices(this);
    this.stats = new Stats(this);
    this.search = new Search(this);
    this.keys = new Keys(this);
    this.tenants = new Tenants(this);
    this.masterKey = new MasterKey(this);
    this.nodes = new Nodes(this);
    this.gateway = new Gateway(this);
    this.audit = new Audit(this);
    this.erasures = new Erasures(this);
    this.members = new Members(this);
    this.portalLinks = new PortalLinks(this);
    this.consoleLinks = new ConsoleLinks(this);
  }

  abstract send<T>(call: Call): Promise<T>;
}
