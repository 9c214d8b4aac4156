/** For tests of programs that receive: deliveries as the gateway makes them. */

import { randomUUID } from "node:crypto";

import { parse } from "./envelope.js";
import { PayloadError, UsageError } from "./errors.js";
import type { DocumentStatus } from "./event.js";
import {
  ATTEMPT,
  PAGE_SIGNATURE,
  SEQUENCE,
  STANDARD_ID,
  STANDARD_SIGNATURE,
  STANDARD_TIMESTAMP,
  Signer,
  TEST,
} from "./sign.js";

/** A signed request: what to POST. */
export interface Delivery {
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

export interface DeliveryOptions {
  secret: string;
  /** Attributes of the document, as they stand in the body. */
  document?: { status?: DocumentStatus; contractValue?: number | null; [name: string]: unknown };
  /** The event's id; another one for each delivery if left out. */
  eventId?: string;
  /** When the event happened and was sent, in milliseconds since the epoch: this moment if left out. */
  now?: number;
  /** Make it a sample. */
  isTest?: boolean;
}

/**
 * A delivery of an event. Each is another event of another document, unless `eventId` and `document.externalId` say
 * which. Throws UsageError for attributes that no document has or that cannot be so, and ConfigError for the secret.
 */
export function delivery(type: string, options: DeliveryOptions): Delivery {
  const { secret, eventId = randomUUID(), now = Date.now(), isTest = false, document = {} } = options;
  const createdAt = new Date(now).toISOString().replace("Z", "000+00:00");
  const sample = { ...DOCUMENT, createdAt, externalId: randomUUID() };
  const unknown = Object.keys(document).find((name) => !(name in sample));
  if (unknown !== undefined) {
    throw new UsageError(`a document has no ${unknown}; it has ${Object.keys(sample).join(", ")}`);
  }
  const event = { id: eventId, type, createdAt, data: { document: { ...sample, ...document } } };
  const body = Buffer.from(JSON.stringify(event));
  try {
    parse(body);
  } catch (error) {
    if (error instanceof PayloadError) throw new UsageError(`that is no event: ${error.message}`);
    throw error;
  }
  const [signer, seconds] = [new Signer(secret), Math.floor(now / 1000)];
  const headers = {
    "content-type": "application/json",
    [PAGE_SIGNATURE]: signer.pageSignature(body),
    [STANDARD_ID]: eventId,
    [STANDARD_TIMESTAMP]: String(seconds),
    [STANDARD_SIGNATURE]: signer.standardSignature(eventId, seconds, body),
    [SEQUENCE]: isTest ? "0" : "1",
    [ATTEMPT]: "1",
  };
  return { body, headers: isTest ? { ...headers, [TEST]: "true" } : headers };
}

/** A document's attributes in the order of the body (C7). */
const DOCUMENT = {
  type: "Service Agreement",
  title: "Service Agreement for Company A",
  status: "created",
  createdAt: "",
  sourceApp: "A test",
  startDate: "2026-07-01",
  executedAt: null,
  expiryDate: null,
  externalId: "",
  ownerEmail: "owner@example.com",
  authorEmail: "author@example.com",
  referenceId: null,
  contractValue: 1250.5,
  latestVersion: { number: "0.1", downloadUrl: "https://files.example.com/service-agreement" },
  additionalFacts: { currency: "AUD" },
  counterpartyName: "Company A",
  publishedVersion: null,
};
