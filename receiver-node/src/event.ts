/** An event as typed, frozen values (C1 to C13). Attributes have the names of the body. */

import type { Json, JsonObject } from "./decoding.js";

/** What happened (C3). A later gateway may send others, which pass through. */
export type EventType = "documentCreated" | "documentUpdated" | "documentDeleted" | (string & {});

/** Where a document stands in its workflow (C12). A later gateway may send others, which pass through. */
export type DocumentStatus =
  | "created"
  | "awaitingReview"
  | "reviewApproved"
  | "reviewRejected"
  | "awaitingApproval"
  | "approved"
  | "approvalRejected"
  | "awaitingSignature"
  | "signedByClient"
  | "signatureRejected"
  | "signatureRequestExpired"
  | "executed"
  | "paused"
  | "cancelled"
  | "other"
  | (string & {});

/**
 * A moment in UTC such as `2026-05-28T20:26:38.250174+00:00`. A `Date` has no microseconds, so it is a text: two of
 * them compare with `<` in their order, and `new Date(timestamp)` makes a `Date` of one.
 */
export type Timestamp = string;

/** A date such as `2021-11-25`, or a timestamp: whichever a person gave (C4). */
export type DateOrTimestamp = string;

/** One version of a document's file (C9). */
export interface Version {
  /** The version's number, such as `7.1`: a text, not a decimal number. */
  readonly number: string;
  /** Serves the file until `expiresAt`. */
  readonly downloadUrl: string;
  /**
   * 15 minutes after the event's `createdAt`, whenever the event arrives (C10). A link of an imported document is the
   * other system's, and may work for longer.
   */
  readonly expiresAt: Timestamp;
  /** Attributes that this release does not know, as they came. */
  readonly extra: JsonObject;
}

/** A document's attributes as they were at the event (C7, C8). */
export interface Document {
  readonly type: string;
  readonly title: string;
  readonly status: DocumentStatus;
  readonly createdAt: Timestamp;
  readonly sourceApp: string;
  readonly startDate: DateOrTimestamp | null;
  readonly executedAt: Timestamp | null;
  readonly expiryDate: DateOrTimestamp | null;
  /** Names the document for as long as it exists (a UUID). */
  readonly externalId: string;
  readonly ownerEmail: string;
  readonly authorEmail: string;
  readonly referenceId: string | null;
  /** Exact, as it was written in the body: a text such as `1250.50`, for a decimal library or a database. */
  readonly contractValue: string | null;
  readonly latestVersion: Version | null;
  /** Values are strings, numbers or booleans (C11). A name that comes twice has its last value. */
  readonly additionalFacts: JsonObject;
  readonly counterpartyName: string | null;
  readonly publishedVersion: Version | null;
  /** Attributes that this release does not know, as they came. */
  readonly extra: JsonObject;
}

/** One event (C1). `sequence`, `attempt`, `isReplay` and `isTest` come from headers, which are not signed. */
export interface WebhookEvent {
  /** The same on every attempt and replay of the event (C2): what a receiver recognises a duplicate by. */
  readonly id: string;
  readonly type: EventType;
  /** Sorting by it gives the true order (C5). */
  readonly createdAt: Timestamp;
  /** Null only for a type that this release does not know and that carries no document. */
  readonly document: Document | null;
  /** The event's `data` as it came: for types that this release does not know. */
  readonly data: JsonObject;
  /** Attributes of the envelope that this release does not know, as they came. */
  readonly extra: JsonObject;
  /** The event's number in its tenant's log (C18), 0 for a sample; null if the request did not say. */
  readonly sequence: number | null;
  /** How often the event has been sent, this time included (C18); null if the request did not say. */
  readonly attempt: number | null;
  /** Whether a person or program asked for the event to be sent again (C18). */
  readonly isReplay: boolean;
  /** Whether the event is a sample that tests the endpoint, and nothing happened (C18). */
  readonly isTest: boolean;
}

/** An event of a type that always carries a document. */
export interface DocumentEvent extends WebhookEvent {
  readonly document: Document;
}

/** What comes beside the body, unsigned: see `WebhookEvent`. */
export type Hints = Pick<WebhookEvent, "sequence" | "attempt" | "isReplay" | "isTest">;

export type { Json, JsonObject };
