/**
 * Public keys (`whpk_…`), with which a receiver verifies what a subscription signs with its key pair: `v1a` of Standard
 * Webhooks, which is Ed25519. A public key signs nothing, so a receiver that has nothing else keeps no secret.
 */

import { type KeyObject, createPublicKey, verify } from "node:crypto";

import { ConfigError } from "./errors.js";

/** What a public key begins with; base64 of its 32 bytes follows. */
const PUBLIC_PREFIX = "whpk_";
const VERSION = "v1a,";

/** Whether a text means a public key. No such text is ever taken for a secret: anybody could sign with it. */
export function isPublicKey(given: unknown): given is string {
  return typeof given === "string" && given.startsWith(PUBLIC_PREFIX);
}

/** Verifies signatures with one public key. Throws ConfigError for a text that is no public key. */
export class PublicKey {
  readonly #key: KeyObject;

  constructor(text: string) {
    const encoded = text.slice(PUBLIC_PREFIX.length);
    const key = Buffer.from(encoded, "base64");
    if (key.length !== 32 || key.toString("base64") !== encoded) {
      throw new ConfigError(`a public key must be ${PUBLIC_PREFIX} and the base64 of 32 bytes, as the gateway shows it`);
    }
    this.#key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: key.toString("base64url") }, format: "jwk" });
  }

  /** Whether an entry `v1a,…` of `webhook-signature` is this key's signature of what is signed. */
  fits(entry: string, signed: Uint8Array): boolean {
    return verify(null, signed, this.#key, Buffer.from(entry.slice(VERSION.length), "base64"));
  }
}
