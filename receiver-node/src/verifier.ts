/**
 * Decides whether a request comes from the gateway (C19 to C21). Pure.
 *
 * The request carries two signatures, and a third one if its subscription signs with a key pair, too.
 * `webhook-signature` covers the attempt's time, `plexus-webhook-signature` the body only. Of the first, `v1` is keyed
 * with a secret and `v1a` made with a private key. If the first is present, it decides, and the signed time is known. An attacker who records a request can
 * leave it out; then the only signed time is the event's own (`createdAt`), which is earlier, so nothing is won by that.
 */

import { timingSafeEqual } from "node:crypto";

import { ConfigError, MalformedSignature, Mismatch, MissingHeader } from "./errors.js";
import { PublicKey, isPublicKey } from "./public_key.js";
import {
  PAGE_SIGNATURE,
  PAGE_SIGNATURE_ALTERNATE,
  STANDARD_ID,
  STANDARD_SIGNATURE,
  STANDARD_TIMESTAMP,
  Signer,
} from "./sign.js";

/** The fewest characters that a secret has; the gateway takes no shorter one. */
export const MIN_SECRET_LENGTH = 8;

const MISMATCH = "no signature fits the body: another secret or key, or not the bytes that were sent";
const PAGE = /^[0-9a-f]{128}$/;
const STANDARD = /^v1,[A-Za-z0-9+/]{43}=$/;
const KEY_PAIR = /^v1a,[A-Za-z0-9+/]{86}==$/;
/** How many signatures of key pairs are tried: the gateway sends two at most, and each that is tried takes a while. */
const MOST_OF_KEY_PAIRS = 4;
// What is signed is `id.timestamp.body`. An id without a full stop and a number with one spelling leave one way to cut
// it, so that no part of a body passes as an id or a time.
const ID = /^[!-\-/-~]{1,256}$/;
const SECONDS = /^(0|[1-9][0-9]{0,11})$/;

/**
 * Checks signatures against one secret, or during a rotation against several (C21). A public key may stand in the place
 * of a secret.
 *
 * Throws ConfigError for a secret that is not a string, is shorter than 8 characters or ends a line, and for none; and
 * for a public key that is none.
 */
export class Verifier {
  readonly #keys: readonly PublicKey[];
  readonly #signers: readonly Signer[];

  constructor(secrets: string | readonly string[]) {
    const given: unknown = typeof secrets === "string" ? [secrets] : secrets;
    if (!Array.isArray(given)) throw new ConfigError("secrets must be strings"); // say from a missing setting
    if (given.length === 0) throw new ConfigError("at least one secret is needed");
    this.#keys = given.filter(isPublicKey).map((each) => new PublicKey(each));
    this.#signers = given.filter((each) => !isPublicKey(each)).map(signerOf);
  }

  /**
   * The attempt's time in seconds since the epoch if it is signed, null if only the body is.
   *
   * `headers` have lower-case names. Throws MissingHeader, MalformedSignature or Mismatch.
   */
  check(body: Uint8Array, headers: ReadonlyMap<string, string>): number | null {
    const standard = headers.get(STANDARD_SIGNATURE);
    if (standard !== undefined) return this.#checkStandard(body, headers, standard);
    if (this.#signers.length === 0) {
      throw new MissingHeader(`${STANDARD_SIGNATURE} is not there, and a public key verifies nothing else`);
    }
    this.#checkPage(body, headers);
    return null;
  }

  /** C19, and the alternate header of C21. */
  #checkPage(body: Uint8Array, headers: ReadonlyMap<string, string>): void {
    const named = [PAGE_SIGNATURE, PAGE_SIGNATURE_ALTERNATE].map((name) => headers.get(name));
    const given = named.filter((value) => value !== undefined);
    if (given.length === 0) throw new MissingHeader(`neither ${PAGE_SIGNATURE} nor ${STANDARD_SIGNATURE} is present`);
    if (!given.every((value) => PAGE.test(value))) {
      throw new MalformedSignature(`a ${PAGE_SIGNATURE} is not 128 lower-case hex digits`);
    }
    if (!this.#hasMatch((signer) => signer.pageSignature(body), given)) throw new Mismatch(MISMATCH);
  }

  /** C20: the attempt's time, once the signature that covers it fits. */
  #checkStandard(body: Uint8Array, headers: ReadonlyMap<string, string>, signatures: string): number {
    const [messageId, seconds] = [headers.get(STANDARD_ID), headers.get(STANDARD_TIMESTAMP)];
    if (messageId === undefined) throw new MissingHeader(`${STANDARD_ID} is not there`);
    if (seconds === undefined) throw new MissingHeader(`${STANDARD_TIMESTAMP} is not there`);
    if (!ID.test(messageId)) throw new MalformedSignature(`${STANDARD_ID} is not an id`);
    if (!SECONDS.test(seconds)) throw new MalformedSignature(`${STANDARD_TIMESTAMP} is not a whole number of seconds`);
    const entries = signatures.split(" ");
    const keyed = this.#signers.length > 0 ? entries.filter((entry) => STANDARD.test(entry)) : [];
    const ofPairs = this.#keys.length > 0 ? entries.filter((entry) => KEY_PAIR.test(entry)) : [];
    if (keyed.length + ofPairs.length === 0) {
      const versions = [...(this.#signers.length > 0 ? ["v1"] : []), ...(this.#keys.length > 0 ? ["v1a"] : [])];
      throw new MalformedSignature(`${STANDARD_SIGNATURE} has no signature of version ${versions.join(" or ")}`);
    }
    const timestamp = Number(seconds);
    if (this.#hasMatch((signer) => signer.standardSignature(messageId, timestamp, body), keyed)) return timestamp;
    const tried = ofPairs.slice(0, MOST_OF_KEY_PAIRS);
    const signed = tried.length > 0 ? Buffer.concat([Buffer.from(`${messageId}.${timestamp}.`), body]) : body;
    if (this.#keys.some((key) => tried.some((entry) => key.fits(entry, signed)))) return timestamp;
    throw new Mismatch(MISMATCH);
  }

  /** The one place where signatures are compared: in constant time. Which of several secrets fits is not secret. */
  #hasMatch(sign: (signer: Signer) => string, given: readonly string[]): boolean {
    if (given.length === 0) return false;
    return this.#signers.some((signer) => {
      const expected = Buffer.from(sign(signer));
      // All are of one length: the patterns above say so.
      return given.some((each) => timingSafeEqual(Buffer.from(each), expected));
    });
  }
}

function signerOf(secret: string): Signer {
  const signer = new Signer(secret);
  if (secret.length < MIN_SECRET_LENGTH) {
    throw new ConfigError(`a secret must have at least ${MIN_SECRET_LENGTH} characters: a shorter one can be guessed`);
  }
  if (/[\r\n]$/.test(secret)) throw new ConfigError("a secret ends with a line end: strip what was read from a file");
  return signer;
}
