/** The two signatures of a delivery, and the secrets that they are keyed with (C19 to C21). */

import { type Hmac, createHmac, randomBytes } from "node:crypto";

import { ConfigError } from "./errors.js";

export const PAGE_SIGNATURE = "plexus-webhook-signature";
export const PAGE_SIGNATURE_ALTERNATE = "plexus-webhook-signature-alternate";
export const STANDARD_ID = "webhook-id";
export const STANDARD_TIMESTAMP = "webhook-timestamp";
export const STANDARD_SIGNATURE = "webhook-signature";
export const SEQUENCE = "signalpost-sequence";
export const ATTEMPT = "signalpost-attempt";
export const REPLAY = "signalpost-replay";
export const TEST = "signalpost-test";

/** What a Standard Webhooks secret begins with; base64 follows. */
const STANDARD_PREFIX = "whsec_";
/** What the key of a reader begins with. */
const READER_PREFIX = "spr_";
/** What is signed to make the key of a reader: no body of an event is that. */
const READER_PURPOSE = "signalpost reader key";

/** Signs bodies with one secret. Throws ConfigError for one that is empty, not a string, or not encodable as UTF-8. */
export class Signer {
  readonly #page: Buffer;
  readonly #standard: Buffer;

  constructor(secret: string) {
    this.#page = secretBytes(secret);
    this.#standard = standardKey(secret);
  }

  /** The value of `plexus-webhook-signature`: 128 lower-case hex digits (C19). */
  pageSignature(body: Uint8Array): string {
    return keyedHash("sha512", this.#page).update(body).digest("hex");
  }

  /**
   * One entry of `webhook-signature`: `v1,` and 44 characters of base64 (C20).
   *
   * `messageId` is the event's id, `timestamp` the attempt's time in whole seconds since the epoch. Entries of several
   * secrets are joined by one space (C21).
   */
  standardSignature(messageId: string, timestamp: number, body: Uint8Array): string {
    const mac = keyedHash("sha256", this.#standard).update(`${messageId}.${timestamp}.`).update(body);
    return `v1,${mac.digest("base64")}`;
  }
}

/** An HMAC (RFC 2104) of nothing yet. All signatures are made of such ones, and RFC 4231 has its known answers. */
export function keyedHash(digest: "sha256" | "sha512", key: Uint8Array): Hmac {
  return createHmac(digest, key);
}

/** A new secret: `whsec_` and base64 of 32 random bytes, 50 characters, good for both signatures (C20). */
export function makeToken(random: (size: number) => Buffer = randomBytes): string {
  return STANDARD_PREFIX + random(32).toString("base64");
}

/**
 * What to give a Standard Webhooks library as its secret (C20). A secret in that form is its own; any other becomes
 * `whsec_` and base64 of its UTF-8 bytes. Throws ConfigError as `Signer` does.
 */
export function standardSecret(secret: string): string {
  return STANDARD_PREFIX + standardKey(secret).toString("base64");
}

/**
 * The key with which the reader of a subscription asks for its events: made of the secret, and says nothing of it.
 * Throws ConfigError as `Signer` does.
 */
export function readerKey(secret: string): string {
  return READER_PREFIX + keyedHash("sha256", secretBytes(secret)).update(READER_PURPOSE).digest("base64url");
}

function secretBytes(secret: unknown): Buffer {
  if (typeof secret !== "string" || /\p{Surrogate}/u.test(secret)) {
    throw new ConfigError("a secret must be a string that UTF-8 can encode");
  }
  if (secret === "") throw new ConfigError("a secret must not be empty: anybody could sign with it");
  return Buffer.from(secret);
}

function standardKey(secret: string): Buffer {
  const whole = secretBytes(secret);
  if (!secret.startsWith(STANDARD_PREFIX)) return whole;
  const encoded = secret.slice(STANDARD_PREFIX.length);
  const key = Buffer.from(encoded, "base64");
  // The sizes that Standard Webhooks allows. Only canonical base64, so that one key has one spelling; what is not
  // base64 is skipped without an error, and so does not come out the same.
  return key.length >= 24 && key.length <= 64 && key.toString("base64") === encoded ? key : whole;
}
