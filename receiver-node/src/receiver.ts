/**
 * A receiver of webhooks: verifies requests, and hands their events to functions, each once.
 *
 *     const receiver = new Receiver({ secrets: process.env.WEBHOOK_SECRET });
 *     receiver.on("documentUpdated", async (event) => { … });
 *     await receiver.receive(body, request.headers);
 */

import { parse } from "./envelope.js";
import { ConfigError, InFuture, type ReceiverError, TooLarge, TooOld, UsageError } from "./errors.js";
import type { DocumentEvent, Hints, WebhookEvent } from "./event.js";
import { type Handler, Handlers, Handling, type Order, type Result } from "./handling.js";
import { type HeadersLike, numberIn, readHeaders } from "./headers.js";
import type { Feed } from "./feed.js";
import { MemoryStore } from "./memory_store.js";
import { type Reconciliation, reconcile } from "./reconciling.js";
import { ATTEMPT, REPLAY, SEQUENCE, TEST } from "./sign.js";
import { type HoldingStore, type Store, canHold } from "./stores.js";
import { epochSeconds } from "./timestamps.js";
import { Verifier } from "./verifier.js";

/** The longest body that the gateway sends (C13). */
export const MAX_BODY_BYTES = 1024 * 1024;

const DAY = 24 * 3600;

export interface ReceiverOptions {
  /**
   * The subscription's secret, or during a rotation both (C21): a request is genuine if any of its signatures fits any
   * of them. If the subscription signs with a key pair, its public keys (`whpk_…`) may stand there instead.
   * `undefined` is refused, so that a variable that is not set is noticed.
   */
  secrets: string | readonly string[] | undefined;
  /**
   * Refuse requests that were signed longer ago than that: an hour, or null for no check. The signed time is that of the
   * attempt (`webhook-timestamp`), which retries and replays renew, so they are never too old. A request with
   * `plexus-webhook-signature` alone has no signed time but the event's `createdAt`, which they do not renew: late ones
   * are refused.
   */
  maxAgeSeconds?: number | null;
  /** Refuse requests that were signed further ahead of this machine's clock: a minute. */
  skewSeconds?: number;
  /** The longest body that is hashed: 1 MiB. */
  maxBodyBytes?: number;
  /** Remembers which events were handled; without it, this process does. */
  store?: Store;
  /** How long that is remembered: 30 days, as long as a gateway keeps events and so can send them again. */
  rememberSeconds?: number;
  /** How long an event that is being handled is left to its handler: 30 seconds. */
  leaseSeconds?: number;
  /**
   * How a document's events are kept in order. `skipStale` handles an event at once, unless a later one of its document
   * was handled: that one says all that this one did. `buffer` holds every event for a while in the store; the request
   * is answered at once, and `drain` hands a document's events to the handlers in their order.
   */
  order?: Order;
  /** With `buffer`, how long an event waits for those before it: 15 seconds. */
  holdSeconds?: number;
  /** With `buffer`, how long a document waits after a handler failed for it: 30 seconds. */
  retryAfterSeconds?: number;
  /** The time in milliseconds since the epoch: `Date.now`. */
  clock?: () => number;
}

/** Verifies, reads and handles the requests of one subscription. Throws ConfigError for what would not be safe. */
export class Receiver {
  readonly #verifier: Verifier;
  readonly #handlers = new Handlers();
  readonly #handling: Handling;
  readonly #maxAge: number | null;
  readonly #skew: number;
  readonly #now: () => number;
  /** The longest body that is hashed, for those who read it. */
  readonly maxBodyBytes: number;

  constructor(options: ReceiverOptions) {
    const { secrets, maxAgeSeconds = 3600, skewSeconds = 60, maxBodyBytes = MAX_BODY_BYTES } = options;
    const { store = new MemoryStore(), rememberSeconds = 30 * DAY, leaseSeconds = 30, order = null } = options;
    const { holdSeconds = 15, retryAfterSeconds = 30, clock = Date.now } = options;
    if (secrets === undefined) throw new ConfigError("secrets is undefined: is the variable set?");
    if (maxAgeSeconds !== null) requireSpan("maxAgeSeconds", maxAgeSeconds);
    requireSpan("skewSeconds", skewSeconds, { orZero: true });
    requireSpan("maxBodyBytes", maxBodyBytes);
    requireSpan("rememberSeconds", rememberSeconds);
    requireSpan("leaseSeconds", leaseSeconds);
    requireSpan("holdSeconds", holdSeconds, { orZero: true });
    requireSpan("retryAfterSeconds", retryAfterSeconds);
    if (maxAgeSeconds !== null && rememberSeconds < maxAgeSeconds + skewSeconds) {
      throw new ConfigError(
        "rememberSeconds must be at least maxAgeSeconds and skewSeconds together: else a request could be replayed",
      );
    }
    if (order !== null && order !== "skipStale" && order !== "buffer") {
      throw new ConfigError("order must be skipStale, buffer or null");
    }
    this.#verifier = new Verifier(secrets);
    this.#maxAge = maxAgeSeconds;
    this.#skew = skewSeconds;
    this.#now = () => clock() / 1000;
    this.maxBodyBytes = maxBodyBytes;
    const spans = { lease: leaseSeconds, remember: rememberSeconds, hold: holdSeconds, retryAfter: retryAfterSeconds };
    this.#handling = new Handling(store, this.#handlers, order, bufferOf(store, order), spans, this.#now);
  }

  /** Have a function handle events of a type, or of `"*"`: all that no other handles. Throws ConfigError for a second one. */
  on(type: "documentCreated" | "documentUpdated" | "documentDeleted", handler: Handler<DocumentEvent>): this;
  on(type: string, handler: Handler): this;
  on(type: string, handler: Handler<DocumentEvent> | Handler): this {
    const registered = handler as Handler; // an event of a type that has a document is only read with one
    if (type === "*") {
      if (this.#handlers.others !== null) throw new ConfigError("the other types have a handler already");
      this.#handlers.others = registered;
    } else {
      if (this.#handlers.byType.has(type)) throw new ConfigError(`${type} has a handler already`);
      this.#handlers.byType.set(type, registered);
    }
    return this;
  }

  /** Have a function handle the samples that test the endpoint. No other function gets them. */
  onTest(handler: Handler): this {
    this.#handlers.tests = handler;
    return this;
  }

  /**
   * Verify a request, and handle its event unless that was done before.
   *
   * Throws what `verify` does; InProgress while the event is being handled by another; HandlerError and StoreError. Each
   * has the `status` to answer with.
   */
  async receive(body: Uint8Array, headers: HeadersLike): Promise<Result> {
    return this.#handling.receive(body, this.verify(body, headers));
  }

  /**
   * Handle the held events that are due, and say what became of each. An error is of one event: the others of its
   * document wait for it, those of other documents do not. Throws StoreError.
   */
  async drain(): Promise<(Result | ReceiverError)[]> {
    const done: (Result | ReceiverError)[] = [];
    for (let each = await this.#handling.drainOne(); each !== null; each = await this.#handling.drainOne()) {
      done.push(each);
    }
    return done;
  }

  /** Look through the gateway's log from after the sequence `since`, and handle what was missed. Throws FeedError. */
  async reconcile(feed: Feed, since: number): Promise<Reconciliation> {
    return reconcile(this.#handling, feed, since);
  }

  /**
   * The event of a genuine request. `body` is the request's body exactly as it arrived. Pure.
   *
   * For any bytes and headers, it throws nothing but VerificationError, ReplayError and PayloadError, to be
   * answered with their `status`, and UsageError for a body that is not bytes.
   */
  verify(body: Uint8Array, headers: HeadersLike): WebhookEvent {
    if (!(body instanceof Uint8Array)) throw new UsageError(notBytes(body));
    if (body.length > this.maxBodyBytes) throw new TooLarge(`the body is longer than ${this.maxBodyBytes} bytes`);
    const found = readHeaders(headers);
    const signedAt = this.#verifier.check(body, found);
    if (signedAt !== null) this.#checkAge(signedAt);
    const event = parse(body, hintsOf(found));
    if (signedAt === null) this.#checkAge(epochSeconds(event.createdAt));
    return event;
  }

  #checkAge(signedAt: number): void {
    if (this.#maxAge === null) return;
    const age = this.#now() - signedAt;
    if (age > this.#maxAge) throw new TooOld("the request was signed too long ago");
    if (-age > this.#skew) throw new InFuture("the request was signed ahead of this machine's clock");
  }
}

function bufferOf(store: Store, order: Order): HoldingStore | null {
  if (order !== "buffer") return null;
  if (!canHold(store)) throw new ConfigError("the order buffer needs a store that has hold and take");
  return store;
}

function hintsOf(headers: ReadonlyMap<string, string>): Hints {
  return {
    sequence: numberIn(headers.get(SEQUENCE)),
    attempt: numberIn(headers.get(ATTEMPT)),
    isReplay: headers.get(REPLAY) === "true",
    isTest: headers.get(TEST) === "true",
  };
}

function notBytes(body: unknown): string {
  const kind = typeof body === "string" ? "a string" : body === undefined ? "undefined" : "an object";
  return `the body is ${kind}, not bytes: give the request's raw body, before anything parses it`;
}

function requireSpan(name: string, span: unknown, { orZero = false } = {}): void {
  if (typeof span !== "number" || !Number.isFinite(span)) throw new ConfigError(`${name} must be a number`);
  if (span < 0 || (span === 0 && !orZero)) {
    throw new ConfigError(`${name} must ${orZero ? "not be negative" : "be positive"}`);
  }
}
