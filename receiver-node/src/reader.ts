/**
 * Reads the events of a subscription of the kind `poll`, for who cannot be reached from outside.
 *
 *     const reader = new Reader({ url, subscription, secret: process.env.WEBHOOK_SECRET, receiver });
 *     await reader.run();
 */

import { type Decoded, type Json, decode, isObject } from "./decoding.js";
import { ConfigError, FeedError, HandlerError, InProgress, PayloadError, ReceiverError, StoreError } from "./errors.js";
import type { Result } from "./handling.js";
import type { Receiver } from "./receiver.js";
import { readerKey } from "./sign.js";

export interface ReaderOptions {
  /** The gateway's address, such as `https://gateway.example.com`. */
  url: string;
  /** The id of the subscription. */
  subscription: string;
  /** Its secret, which makes the key with which the gateway is asked, and is among those of the receiver. */
  secret: string | undefined;
  /** What verifies every event and hands it to a function, each once. */
  receiver: Receiver;
  /** How many events a call brings at most: 50. */
  limit?: number;
  /** How long a call waits for something to come: 20 seconds. */
  waitSeconds?: number;
  /** How long what was handed out may take to be handled: 60 seconds. */
  leaseSeconds?: number;
  /** How long an answer may take beyond the time that was to be waited: 10 seconds. */
  timeoutSeconds?: number;
  fetch?: typeof globalThis.fetch;
}

export interface RunOptions {
  /** Ends the reading, once what was handed out is handled. */
  signal?: AbortSignal;
  /** Is told of what is tried again. */
  onError?: (error: ReceiverError) => void;
}

interface Handed {
  sequence: number;
  headers: Record<string, string>;
  body: Uint8Array;
}

/** Answers that asking again does not change. */
const NEVER_WELL: readonly number[] = [401, 403, 404, 422];
const PAUSE_SECONDS = 1;
const LONGEST_PAUSE_SECONDS = 60;

/**
 * Asks a gateway for the events of one subscription, gives each to a receiver as if it had been sent, and acknowledges
 * what that handled. What is not acknowledged is handed out again: so each event is handled at least once, and the
 * receiver's store leaves out what was handled before. Several may read one subscription: one of them is handed what is
 * next, and the others wait.
 */
export class Reader {
  readonly #calls: string;
  readonly #key: string;
  readonly #receiver: Receiver;
  readonly #asked: { limit: number; wait: number; lease: number };
  readonly #timeoutSeconds: number;
  readonly #fetch: typeof globalThis.fetch;
  /** What was handled, if the gateway did not say that it has taken the acknowledgement. */
  #owed: { receipt: string; through: number } | null = null;

  constructor(options: ReaderOptions) {
    const { limit = 50, waitSeconds = 20, leaseSeconds = 60, timeoutSeconds = 10 } = options;
    if (!/^https?:\/\/[^/]/.test(options.url)) {
      throw new ConfigError("url must be the gateway's address, such as https://gateway.example.com");
    }
    if (!options.secret) throw new ConfigError("secret is empty: is the variable set?");
    const address = options.url.replace(/\/+$/, "");
    this.#calls = `${address}/v1/subscriptions/${encodeURIComponent(options.subscription)}/`;
    this.#key = readerKey(options.secret);
    this.#receiver = options.receiver;
    this.#asked = { limit, wait: waitSeconds, lease: leaseSeconds };
    this.#timeoutSeconds = waitSeconds + timeoutSeconds;
    this.#fetch = options.fetch ?? globalThis.fetch;
  }

  /**
   * Ask once, handle what comes, and acknowledge that; says what became of each event. If one cannot be handled, those
   * before it are acknowledged, it is handed out again with the next call, and this throws what `Receiver.receive` does.
   * An acknowledgement that failed is repeated first: what was handed out stays leased until then. Throws FeedError if
   * the gateway cannot be asked.
   */
  async read(): Promise<Result[]> {
    if (this.#owed !== null) await this.#acknowledge(this.#owed.receipt, this.#owed.through);
    const { receipt, events } = await this.#poll();
    const done: Result[] = [];
    let handled = 0;
    try {
      for (const event of events) {
        done.push(await this.#receiver.receive(event.body, event.headers));
        handled = event.sequence;
      }
    } catch (error) {
      // What comes after the last one that was handled is given back at once.
      await this.#acknowledge(receipt, handled);
      throw error;
    }
    if (events.length > 0) await this.#acknowledge(receipt, handled);
    return done;
  }

  /**
   * Read again and again, until the signal ends it. If the gateway cannot be asked, or an event cannot be handled now,
   * `onError` is told, and the reader tries again after a pause, which grows to a minute. If calls do not wait
   * (`waitSeconds` is 0) and nothing came, it asks again after a second. Throws what asking again does not change:
   * ConfigError, and the refusal of an event.
   */
  async run({ signal, onError = () => undefined }: RunOptions = {}): Promise<void> {
    let pause = 0;
    while (!signal?.aborted) {
      try {
        const came = await this.read();
        pause = 0;
        if (came.length === 0 && this.#asked.wait === 0) await paused(PAUSE_SECONDS, signal);
      } catch (error) {
        if (!isTriedAgain(error)) throw error;
        onError(error);
        pause = Math.min(LONGEST_PAUSE_SECONDS, 2 * pause || PAUSE_SECONDS);
        await paused(pause, signal);
      }
    }
  }

  async #poll(): Promise<{ receipt: string; events: Handed[] }> {
    const { data, receipt } = await this.#call("poll", this.#asked);
    if (!Array.isArray(data)) throw new FeedError("the answer is not the gateway's: it has no data");
    return { receipt: typeof receipt === "string" ? receipt : "", events: (data as readonly Json[]).map(handedOf) };
  }

  /** If the lease is over, another reader was handed them, and acknowledges them. */
  async #acknowledge(receipt: string, through: number): Promise<void> {
    this.#owed = { receipt, through };
    await this.#call("acknowledge", this.#owed, true);
    this.#owed = null;
  }

  async #call(name: string, body: object, conflictIsWell = false): Promise<Record<string, Json>> {
    const { status, decoded } = await this.#send(name, body);
    if (NEVER_WELL.includes(status)) {
      throw new ConfigError(`the gateway answered ${status}: are its address, the subscription and the secret right?`);
    }
    if (status === 409 && conflictIsWell) return {};
    const answer = decoded?.value;
    if (!isObject(answer)) throw new FeedError(`the gateway answered ${status}, and no events`);
    return answer;
  }

  async #send(name: string, body: object): Promise<{ status: number; decoded: Decoded | null }> {
    try {
      const response = await this.#fetch(this.#calls + name, {
        method: "POST",
        headers: { authorization: `Bearer ${this.#key}`, "content-type": "application/json" },
        body: JSON.stringify(body),
        redirect: "manual", // the key goes to the gateway, and not on to where a redirect leads
        signal: AbortSignal.timeout(this.#timeoutSeconds * 1000),
      });
      const content = new Uint8Array(await response.arrayBuffer());
      return { status: response.status, decoded: response.status === 200 ? decode(content) : null };
    } catch (cause) {
      if (cause instanceof PayloadError) throw new FeedError(`the answer is not the gateway's: ${cause.message}`);
      throw new FeedError("the gateway cannot be asked", { cause });
    }
  }
}

function isTriedAgain(error: unknown): error is ReceiverError {
  return [FeedError, HandlerError, StoreError, InProgress].some((each) => error instanceof each);
}

function paused(seconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, seconds * 1000);
    signal?.addEventListener("abort", end);
  });
}

function handedOf(entry: Json): Handed {
  if (isObject(entry)) {
    const { sequence, headers, body } = entry;
    if (typeof sequence === "number" && isObject(headers) && typeof body === "string") {
      const named = Object.entries(headers).map(([name, value]) => [name, String(value)]);
      return { sequence, headers: Object.fromEntries(named) as Record<string, string>, body: Buffer.from(body) };
    }
  }
  throw new FeedError("the answer is not the gateway's: something in it is no event");
}
