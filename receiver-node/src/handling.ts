/**
 * What becomes of a verified event: claimed, handled and committed, or held for its turn.
 *
 *     receive ─┬─ sample ─────────────────────────────────────▶ test
 *              ├─ no handler for its type ────────────────────▶ unhandled
 *              ├─ handled or held before ─────────────────────▶ duplicate
 *              ├─ a later one of its document was handled ────▶ stale
 *              ├─ it, or another of its document, in progress ▶ InProgress is thrown: the sender tries again
 *              ├─ buffered ───────────────────────────────────▶ held ── drain ──▶ handled
 *              └─ claimed ── handler ─┬─ returned ── commit ──▶ handled
 *                                     └─ threw ───── release ─▶ HandlerError is thrown: the sender tries again
 *
 * The store says which. If the process dies between the claim and the commit, the lease ends and the event is handled
 * again; if the commit fails, too. So a handler may see an event twice, and never not at all.
 */

import { parse } from "./envelope.js";
import { HandlerError, InProgress, ReceiverError, StoreError } from "./errors.js";
import type { Hints, WebhookEvent } from "./event.js";
import { type Claim, type HoldingStore, type Item, type Store, itemOf } from "./stores.js";
import { epochSeconds } from "./timestamps.js";

/** Called with an event, and awaited. If it throws, the sender tries again. */
export type Handler<Kind extends WebhookEvent = WebhookEvent> = (event: Kind) => unknown;

/** What became of an event. All of them are successes to the sender. */
export type Outcome = "handled" | "duplicate" | "stale" | "held" | "unhandled" | "test";

/** A request that was received; answer it with `status`. */
export interface Result {
  readonly outcome: Outcome;
  readonly event: WebhookEvent;
  /** 204, since the answer has no body. */
  readonly status: number;
}

/** How a document's events are kept in order; null handles each as it comes. */
export type Order = "skipStale" | "buffer" | null;

export interface Spans {
  readonly lease: number;
  readonly remember: number;
  readonly hold: number;
  readonly retryAfter: number;
}

/** How hints are kept with a held event, by the Python package too. */
type HeldHints = [Hints["sequence"], Hints["attempt"], Hints["isReplay"], Hints["isTest"]];

/** Which function handles which type of event. */
export class Handlers {
  readonly byType = new Map<string, Handler>();
  others: Handler | null = null;
  tests: Handler | null = null;

  of(event: WebhookEvent): Handler | null {
    return event.isTest ? this.tests : (this.byType.get(event.type) ?? this.others);
  }
}

/** Takes verified events through a store to their handlers; `buffer` is the store where it holds them. Spans and times are in seconds. */
export class Handling {
  constructor(
    private readonly store: Store,
    private readonly handlers: Handlers,
    private readonly order: Order,
    private readonly buffer: HoldingStore | null,
    private readonly spans: Spans,
    private readonly now: () => number,
  ) {}

  async receive(body: Uint8Array, event: WebhookEvent): Promise<Result> {
    const handler = this.handlers.of(event);
    if (event.isTest) {
      if (handler !== null) await call(handler, event);
      return resultOf("test", event);
    }
    if (handler === null) return resultOf("unhandled", event);
    const item = itemOf(event, { ordered: this.order !== null });
    if (this.buffer !== null) return resultOf(await this.#hold(this.buffer, item, body, event), event);
    const now = this.now();
    const claim = await this.#ask(() => this.store.claim(item, { now, leaseUntil: now + this.spans.lease }));
    if (claim.kind !== "claimed") return resultOf(this.#refused(claim), event);
    await this.#handleClaimed(handler, event, item, claim.token, 0);
    return resultOf("handled", event);
  }

  /** Whether the store may have forgotten that an event was handled. */
  isForgotten(event: WebhookEvent): boolean {
    return epochSeconds(event.createdAt) < this.now() - this.spans.remember;
  }

  /** Handle the next held event that is due: its result, or why it failed; null if none is due. */
  async drainOne(): Promise<Result | ReceiverError | null> {
    const { buffer } = this;
    if (buffer === null) return null;
    const now = this.now();
    const held = await this.#ask(() => buffer.take({ now, leaseUntil: now + this.spans.lease }));
    if (held === null) return null;
    const [sequence, attempt, isReplay, isTest] = JSON.parse(held.hints) as HeldHints;
    const event = parse(held.body, { sequence, attempt, isReplay, isTest });
    const handler = this.handlers.of(event);
    if (handler === null) {
      await this.#commit(held.item, held.token);
      return resultOf("unhandled", event);
    }
    try {
      await this.#handleClaimed(handler, event, held.item, held.token, now + this.spans.retryAfter);
    } catch (error) {
      if (error instanceof ReceiverError) return error;
      throw error;
    }
    return resultOf("handled", event);
  }

  async #hold(buffer: HoldingStore, item: Item, body: Uint8Array, event: WebhookEvent): Promise<Outcome> {
    const now = this.now();
    const hints = JSON.stringify([event.sequence, event.attempt, event.isReplay, event.isTest]);
    const claim = await this.#ask(() => buffer.hold(item, body, hints, { now, dueAt: now + this.spans.hold }));
    return claim.kind === "claimed" ? "held" : this.#refused(claim);
  }

  #refused(claim: Exclude<Claim, { kind: "claimed" }>): Outcome {
    if (claim.kind === "busy") {
      const seconds = Math.max(1, Math.ceil(claim.until - this.now()));
      throw new InProgress("the event, or another one of its document, is being handled", seconds);
    }
    return claim.kind === "stale" ? "stale" : "duplicate";
  }

  async #handleClaimed(handler: Handler, event: WebhookEvent, item: Item, token: string, againAt: number) {
    try {
      await call(handler, event);
    } catch (error) {
      await this.#release(item, token, againAt);
      throw error;
    }
    await this.#commit(item, token);
  }

  async #release(item: Item, token: string, againAt: number): Promise<void> {
    try {
      await this.store.release(item, token, { againAt });
    } catch {
      // The lease ends by itself, and what the handler threw says more.
    }
  }

  async #commit(item: Item, token: string): Promise<void> {
    const now = this.now();
    // The one that took over after the lease ended commits itself.
    await this.#ask(() => this.store.commit(item, token, { now, forgetAt: now + this.spans.remember }));
  }

  async #ask<Value>(question: () => Value | Promise<Value>): Promise<Value> {
    try {
      return await question();
    } catch (cause) {
      if (cause instanceof ReceiverError) throw cause;
      throw new StoreError(`the store failed: ${nameOf(cause)}`, { cause });
    }
  }
}

async function call(handler: Handler, event: WebhookEvent): Promise<void> {
  try {
    await handler(event);
  } catch (cause) {
    if (cause instanceof ReceiverError) throw cause;
    throw new HandlerError(`the handler of ${event.type} failed: ${nameOf(cause)}`, { cause });
  }
}

function resultOf(outcome: Outcome, event: WebhookEvent): Result {
  return { outcome, event, status: 204 };
}

/** The kind of error; its message may hold what must not be shown. */
function nameOf(cause: unknown): string {
  return cause instanceof Error ? cause.name : typeof cause;
}
