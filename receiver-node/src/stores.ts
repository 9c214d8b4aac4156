/**
 * What a store remembers, so that an event is handled once and a document's events in order.
 *
 * An event is *claimed* before it is handled and *committed* after. A claim that is neither committed nor released,
 * because its process died, ends with its lease. So an event is handled at least once, and twice only if a handler ran
 * for longer than its lease, or if its commit did not get through.
 *
 * For receivers that keep the order there is a *mark* for each document: the position of the last event that was
 * handled. It outlives the document, as its tombstone. A document's lease says that one of its events is being handled.
 * Events that are *held* wait in the store, with their bodies, for those that may still arrive before them.
 *
 * All times are those of the receivers' clocks, in seconds since the epoch, and are passed in. Names, positions and
 * rules are those of the Python package, so that receivers in both languages can share a database.
 */

import type { WebhookEvent } from "./event.js";
import { microsecondsOf } from "./timestamps.js";

/** An event as stores know it. */
export interface Item {
  readonly eventId: string;
  /** The document whose events are handled in order; null where the order does not matter. */
  readonly document: string | null;
  /** Where the event stands among its document's: compared as text, of digits and letters alone. */
  readonly position: string;
}

/** What asking to handle an event comes to. */
export type Claim =
  /** No other process handles the event until the lease ends. The token proves the claim; a later claim has another. */
  | { readonly kind: "claimed"; readonly token: string }
  /** The event was handled before, or waits to be: this one is a duplicate. */
  | { readonly kind: "handled" }
  /** A later event of the document was handled before. */
  | { readonly kind: "stale" }
  /** The event, or another one of its document, is being handled; `until` is when the lease ends, at the latest. */
  | { readonly kind: "busy"; readonly until: number };

/** A held event that is claimed, to be handled now. */
export interface Held {
  readonly item: Item;
  readonly token: string;
  readonly body: Uint8Array;
  /** What came beside the body, as it was given to `hold`. */
  readonly hints: string;
}

type Awaitable<Value> = Value | Promise<Value>;

/** Remembers events and documents. Each call is one transaction; anything that it throws means that it failed. */
export interface Store {
  /** Ask to handle an event, and with it to be the only one that handles its document. */
  claim(item: Item, times: { now: number; leaseUntil: number }): Awaitable<Claim>;
  /**
   * Record that the event was handled, and move its document's mark. False if the lease ended and another claim was
   * made: the other one counts.
   */
  commit(item: Item, token: string, times: { now: number; forgetAt: number }): Awaitable<boolean>;
  /** Give up a claim. An event that was held is held again; nothing of its document is taken until `againAt`. */
  release(item: Item, token: string, times: { againAt: number }): Awaitable<void>;
  /** Forget that an event was handled or held, so that it is handled if it is sent again. */
  forget(eventId: string): Awaitable<void>;
}

/** A store that can also keep events for a while, which the order `buffer` needs. */
export interface HoldingStore extends Store {
  /** Keep an event until it is taken, at `dueAt` or later. `claimed` means that it is kept. */
  hold(item: Item, body: Uint8Array, hints: string, times: { now: number; dueAt: number }): Awaitable<Claim>;
  /**
   * Claim the next held event: the first of a document of which some event is due. Null if there is none.
   *
   * Events before their document's mark are not returned: they end as if they had been handled.
   */
  take(times: { now: number; leaseUntil: number }): Awaitable<Held | null>;
}

/** Whether a store can keep events for a while. */
export function canHold(store: Store): store is HoldingStore {
  return "hold" in store && "take" in store;
}

/** How stores know an event. One that has no document is ordered after nothing. */
export function itemOf(event: WebhookEvent, { ordered }: { ordered: boolean }): Item {
  if (!ordered) return { eventId: event.id, document: null, position: "" };
  const document = event.document === null ? event.id : event.document.externalId;
  return { eventId: event.id, document, position: positionOf(event) };
}

/** The order of a document's events: by `createdAt`, then `id` (C5). */
export function positionOf(event: WebhookEvent): string {
  const microseconds = microsecondsOf(event.createdAt).toString().padStart(18, "0");
  return microseconds + Buffer.from(event.id).toString("hex");
}
