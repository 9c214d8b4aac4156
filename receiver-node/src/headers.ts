/** Finds the headers of a delivery in what a framework has, with names in any case. */

import { MalformedSignature, UsageError } from "./errors.js";
import {
  ATTEMPT,
  PAGE_SIGNATURE,
  PAGE_SIGNATURE_ALTERNATE,
  REPLAY,
  SEQUENCE,
  STANDARD_ID,
  STANDARD_SIGNATURE,
  STANDARD_TIMESTAMP,
  TEST,
} from "./sign.js";

/**
 * A request's headers: those of node:http, Express and Fastify (`request.headers`), of the Fetch API (`Headers`), a
 * `Map`, or pairs of name and value.
 */
export type HeadersLike =
  | Iterable<readonly [string, string | readonly string[]]>
  | { readonly [name: string]: string | readonly string[] | undefined };

const USED: ReadonlySet<string> = new Set([
  PAGE_SIGNATURE,
  PAGE_SIGNATURE_ALTERNATE,
  STANDARD_ID,
  STANDARD_TIMESTAMP,
  STANDARD_SIGNATURE,
  SEQUENCE,
  ATTEMPT,
  REPLAY,
  TEST,
]);

/**
 * The headers that a delivery is verified and read by, under their lower-case names. Throws MalformedSignature if one
 * of them occurs more than once, and UsageError for anything that does not hold headers.
 */
export function readHeaders(headers: HeadersLike): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [rawName, value] of pairs(headers)) {
    const name = rawName.toLowerCase();
    if (!USED.has(name) || value === undefined || value === null) continue;
    for (const each of Array.isArray(value) ? value : [value]) {
      if (found.has(name)) throw new MalformedSignature(`${name} occurs more than once`);
      found.set(name, String(each));
    }
  }
  return found;
}

/** The number that a header is; null if the header is not there or is something else. */
export function numberIn(text: string | undefined): number | null {
  return text !== undefined && /^(0|[1-9][0-9]{0,14})$/.test(text) ? Number(text) : null;
}

function pairs(headers: unknown): [string, unknown][] {
  if (typeof headers === "object" && headers !== null) {
    const listed = Symbol.iterator in headers ? [...(headers as Iterable<unknown>)] : Object.entries(headers);
    if (listed.every(isPair)) return listed;
  }
  throw new UsageError("the headers are neither an object nor pairs of name and value: give the request's headers");
}

function isPair(value: unknown): value is [string, unknown] {
  return Array.isArray(value) && value.length === 2 && typeof value[0] === "string";
}
