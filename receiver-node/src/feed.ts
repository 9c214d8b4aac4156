/** A gateway's log of events, as a receiver looks through it, and how it is read over HTTP (`GET /v1/events`). */

import { type Decoded, type Json, type JsonObject, decode, isObject } from "./decoding.js";
import { ConfigError, FeedError, PayloadError } from "./errors.js";

/** A part of the log. */
export interface Page {
  /** Each event as the bytes of its JSON, with its sequence; the oldest first. */
  readonly entries: readonly { readonly sequence: number; readonly body: Uint8Array }[];
  /** The sequence after which the next page begins; the one that was asked for if there is nothing after it. */
  readonly last: number;
  /** How many events before these the gateway no longer keeps. */
  readonly lost: number;
}

/** Where events can be looked up: `HttpFeed`, or a program's own client. */
export interface Feed {
  /** The events with a higher sequence than `after`, or the first of them. Throws FeedError. */
  page(after: number): Promise<Page>;
}

export interface HttpFeedOptions {
  /** The gateway's address, such as `https://gateway.example.com`. */
  url: string;
  /** An API key of the role `subscriber` or `viewer`. */
  key: string | undefined;
  /** How long an answer may take: 10 seconds. */
  timeoutSeconds?: number;
  /** How many events a page has at most: 100. */
  limit?: number;
  fetch?: typeof globalThis.fetch;
}

/** The log of a gateway. The subscription's event types need not be asked for: what has no handler is passed over. */
export class HttpFeed implements Feed {
  readonly #events: string;
  readonly #key: string;
  readonly #timeoutSeconds: number;
  readonly #limit: number;
  readonly #fetch: typeof globalThis.fetch;

  constructor({ url, key, timeoutSeconds = 10, limit = 100, fetch = globalThis.fetch }: HttpFeedOptions) {
    if (!/^https?:\/\/[^/]/.test(url)) {
      throw new ConfigError("url must be the gateway's address, such as https://gateway.example.com");
    }
    if (!key) throw new ConfigError("key is empty: is the variable set?");
    this.#events = `${url.replace(/\/+$/, "")}/v1/events`;
    this.#key = key;
    this.#timeoutSeconds = timeoutSeconds;
    this.#limit = limit;
    this.#fetch = fetch;
  }

  /** Ask for the page; where the gateway no longer keeps all of it, for the first that it keeps. */
  async page(after: number): Promise<Page> {
    const answer = await this.#get(after);
    if (answer.status !== 410) return pageOf(answer, 0);
    const oldest = numberOf(objectOf(answer.decoded?.value), "oldest");
    return pageOf(await this.#get(oldest - 1), oldest - 1 - after);
  }

  async #get(after: number): Promise<{ status: number; decoded: Decoded | null }> {
    try {
      const response = await this.#fetch(`${this.#events}?after=${after}&limit=${this.#limit}`, {
        headers: { authorization: `Bearer ${this.#key}` },
        redirect: "manual", // the key goes to the gateway, and not on to where a redirect leads
        signal: AbortSignal.timeout(this.#timeoutSeconds * 1000),
      });
      const body = new Uint8Array(await response.arrayBuffer());
      return { status: response.status, decoded: [200, 410].includes(response.status) ? decode(body) : null };
    } catch (cause) {
      if (cause instanceof PayloadError) throw new FeedError(`the answer is not the gateway's: ${cause.message}`);
      throw new FeedError("the gateway cannot be asked", { cause });
    }
  }
}

function pageOf({ status, decoded }: { status: number; decoded: Decoded | null }, lost: number): Page {
  if (status !== 200 || decoded === null) {
    throw new FeedError(`the gateway answered ${status}: is the key right, and may it read events?`);
  }
  const answer = objectOf(decoded.value);
  const data = answer["data"];
  if (!Array.isArray(data)) throw new FeedError("the answer is not the gateway's: it has no data");
  const entries = (data as readonly Json[]).map((value) => {
    const entry = objectOf(value);
    return { sequence: numberOf(entry, "sequence"), body: Buffer.from(decoded.textOf(objectOf(entry["event"]))) };
  });
  return { entries, last: numberOf(answer, "last"), lost };
}

function objectOf(value: Json | undefined): JsonObject {
  if (isObject(value)) return value;
  throw new FeedError("the answer is not the gateway's: something in it is no object");
}

function numberOf(object: JsonObject, name: string): number {
  const value = object[name];
  if (typeof value !== "number") throw new FeedError(`the answer is not the gateway's: it has no ${name}`);
  return value;
}
