/**
 * Finds what was missed: goes through the gateway's log, and handles what was not handled.
 *
 * An event in the log is taken as one that was delivered: so the store tells duplicates, and where the order is kept,
 * stale ones. What cannot be settled now (an event in progress, a handler or the store that fails) is left for the next
 * time, which begins at it. Events that are older than `rememberSeconds` are never handled, because the store may have
 * forgotten that they were.
 */

import { type Json, decode, isObject } from "./decoding.js";
import { NO_HINTS, readEvent } from "./envelope.js";
import { HandlerError, InProgress, PayloadError, StoreError } from "./errors.js";
import type { WebhookEvent } from "./event.js";
import type { Feed } from "./feed.js";
import type { Handling } from "./handling.js";

/** What a pass through the log found. */
export interface Reconciliation {
  /** What to give as `since` the next time: everything up to this sequence is settled. */
  readonly resumeFrom: number;
  /** The events that had not been handled, and were handled or held now. */
  readonly missed: readonly WebhookEvent[];
  /** The events that could not be handled, and why. They are tried again the next time. */
  readonly failed: readonly { sequence: number; error: HandlerError | StoreError | PayloadError }[];
  /** The sequences of events that were being handled. They are looked at again the next time. */
  readonly inProgress: readonly number[];
  /** The sequences of events from before the time that the store remembers; whether they were handled is unknown. */
  readonly tooOld: readonly number[];
  /** How many events the gateway no longer keeps. */
  readonly lost: number;
}

/** A pass through the log, from after the sequence `since` to its end. Throws FeedError. */
export async function reconcile(handling: Handling, feed: Feed, since: number): Promise<Reconciliation> {
  const found = new Findings(since);
  for (let after = since; ; ) {
    const page = await feed.page(after);
    found.lost += page.lost;
    for (const { sequence, body } of page.entries) await settle(handling, found, sequence, body);
    found.settle(page.last);
    if (page.last <= after) return { ...found };
    after = page.last;
  }
}

class Findings {
  missed: WebhookEvent[] = [];
  failed: { sequence: number; error: HandlerError | StoreError | PayloadError }[] = [];
  inProgress: number[] = [];
  tooOld: number[] = [];
  lost = 0;

  constructor(public resumeFrom: number) {}

  /** Note how far the log is settled; it stays before the first event that is not. */
  settle(sequence: number): void {
    if (this.failed.length === 0 && this.inProgress.length === 0) this.resumeFrom = sequence;
  }
}

async function settle(handling: Handling, found: Findings, sequence: number, body: Uint8Array): Promise<void> {
  try {
    const decoded = decode(body);
    if (isErased(decoded.value)) return found.settle(sequence);
    const event = readEvent(decoded, { ...NO_HINTS, sequence });
    if (handling.isForgotten(event)) {
      found.tooOld.push(sequence);
    } else {
      const { outcome } = await handling.receive(body, event);
      if (outcome === "handled" || outcome === "held") found.missed.push(event);
    }
  } catch (error) {
    if (error instanceof InProgress) found.inProgress.push(sequence);
    else if (isLeftForLater(error)) found.failed.push({ sequence, error });
    else throw error;
  }
  found.settle(sequence);
}

/** Whether nothing is left of an event but its place in the log, because its document was erased for good. */
function isErased(value: Json): boolean {
  return isObject(value) && isObject(value["data"]) && value["data"]["document"] === null;
}

function isLeftForLater(error: unknown): error is HandlerError | StoreError | PayloadError {
  return error instanceof HandlerError || error instanceof StoreError || error instanceof PayloadError;
}
