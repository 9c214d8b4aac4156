/** A store in the memory of one process: for tests, and for receivers of one process that may forget at a restart. */

import { randomBytes } from "node:crypto";

import type { Claim, Held, HoldingStore, Item } from "./stores.js";

/** An event. `until` is when the lease ends (token), when a held event is due (body), or when it is forgotten. */
interface Entry {
  readonly item: Item;
  readonly until: number;
  readonly token: string;
  readonly body: Uint8Array | null;
  readonly hints: string;
}

/** How far a document's events were handled, which counts `until` a time, and the lease of the one that is being handled. */
interface Mark {
  readonly position: string;
  readonly until: number;
  readonly token: string;
  readonly leaseUntil: number;
}

const NO_MARK: Mark = { position: "", until: 0, token: "", leaseUntil: 0 };

/**
 * Remembers up to `maxEvents` events that were handled, and forgets the oldest beyond. Where the order is kept, it
 * remembers every document until the process ends.
 */
export class MemoryStore implements HoldingStore {
  readonly #events = new Map<string, Entry>();
  readonly #marks = new Map<string, Mark>();
  readonly #maxEvents: number;

  constructor({ maxEvents = 100_000 }: { maxEvents?: number } = {}) {
    this.#maxEvents = maxEvents;
  }

  claim(item: Item, { now, leaseUntil }: { now: number; leaseUntil: number }): Claim {
    const known = this.#known(item, now);
    if (known !== null) return known;
    const token = randomBytes(8).toString("hex");
    if (item.document !== null) {
      const mark = this.#markOf(item.document);
      if (mark.leaseUntil > now) return { kind: "busy", until: mark.leaseUntil };
      if (item.position <= positionAt(mark, now)) return { kind: "stale" };
      this.#marks.set(item.document, { ...mark, token, leaseUntil });
    }
    this.#put({ item, until: leaseUntil, token, body: null, hints: "" });
    return { kind: "claimed", token };
  }

  commit(item: Item, token: string, { now, forgetAt }: { now: number; forgetAt: number }): boolean {
    if (this.#owned(item, token) === null) return false;
    this.#put({ item, until: forgetAt, token: "", body: null, hints: "" });
    if (item.document !== null) {
      const mark = this.#markOf(item.document);
      const before = positionAt(mark, now);
      const position = item.position > before ? item.position : before;
      this.#marks.set(item.document, { ...mark, position, until: Math.max(mark.until, forgetAt) });
      this.#endLease(item.document, token, 0);
    }
    return true;
  }

  release(item: Item, token: string, { againAt }: { againAt: number }): void {
    const entry = this.#owned(item, token);
    if (entry === null) return;
    if (entry.body === null) this.#events.delete(item.eventId);
    else this.#put({ ...entry, token: "", until: againAt });
    if (item.document !== null) this.#endLease(item.document, token, entry.body === null ? 0 : againAt);
  }

  hold(item: Item, body: Uint8Array, hints: string, { now, dueAt }: { now: number; dueAt: number }): Claim {
    if (this.#known(item, now) !== null) return { kind: "handled" };
    if (item.document !== null && item.position <= positionAt(this.#markOf(item.document), now)) {
      return { kind: "stale" };
    }
    this.#put({ item, until: dueAt, token: "", body, hints });
    return { kind: "claimed", token: "" };
  }

  take({ now, leaseUntil }: { now: number; leaseUntil: number }): Held | null {
    const due = this.#held().filter((entry) => entry.until <= now);
    due.sort((a, b) => a.until - b.until);
    for (const { item } of due) {
      const held = this.#takeFirst(item.document ?? "", now, leaseUntil);
      if (held !== null) return held;
    }
    return null;
  }

  forget(eventId: string): void {
    this.#events.delete(eventId);
  }

  #takeFirst(document: string, now: number, leaseUntil: number): Held | null {
    const mark = this.#markOf(document);
    if (mark.leaseUntil > now) return null;
    const waiting = this.#held().filter((entry) => (entry.item.document ?? "") === document);
    waiting.sort((a, b) => (a.item.position < b.item.position ? -1 : 1));
    for (const first of waiting) {
      if (first.item.position <= positionAt(mark, now)) {
        this.#events.delete(first.item.eventId);
        continue;
      }
      const token = randomBytes(8).toString("hex");
      this.#marks.set(document, { ...mark, token, leaseUntil });
      this.#put({ ...first, token, until: leaseUntil });
      return { item: first.item, token, body: first.body ?? new Uint8Array(), hints: first.hints };
    }
    return null;
  }

  #held(): Entry[] {
    return [...this.#events.values()].filter((entry) => entry.body !== null);
  }

  #known(item: Item, now: number): Claim | null {
    const known = this.#events.get(item.eventId);
    if (known === undefined) return null;
    if (known.token !== "" && known.until > now) return { kind: "busy", until: known.until };
    return known.body !== null || (known.token === "" && known.until > now) ? { kind: "handled" } : null;
  }

  #owned(item: Item, token: string): Entry | null {
    const known = this.#events.get(item.eventId);
    return known !== undefined && known.token === token ? known : null;
  }

  #markOf(document: string): Mark {
    return this.#marks.get(document) ?? NO_MARK;
  }

  #endLease(document: string, token: string, until: number): void {
    const mark = this.#markOf(document);
    if (mark.token === token) this.#marks.set(document, { ...mark, token: "", leaseUntil: until });
  }

  #put(entry: Entry): void {
    this.#events.delete(entry.item.eventId); // so that the map's order is that of the last change
    this.#events.set(entry.item.eventId, entry);
    if (this.#events.size <= this.#maxEvents) return;
    for (const [eventId, { token, body }] of this.#events) {
      if (token === "" && body === null) {
        this.#events.delete(eventId);
        return;
      }
    }
  }
}

function positionAt(mark: Mark, now: number): string {
  return mark.until > now ? mark.position : "";
}
