/**
 * For tests of programs that receive: `delivery` makes requests as the gateway does.
 *
 * For authors of stores: the rules that every store keeps, as tests to run against one.
 *
 *     for (const rule of STORE_RULES) test(rule.name, () => rule.check(new MyStore(…))); // empty, or with other events
 *
 * A store for receivers that keep no order may leave out those that need `order`, one without `hold` and `take` those
 * that need `holding`.
 */

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";

export { type Delivery, type DeliveryOptions, delivery } from "./delivery.js";

import { type Claim, type HoldingStore, type Item, type Store, canHold } from "./stores.js";

export interface StoreRule {
  readonly name: string;
  /** What of a store the rule is about. */
  readonly needs: "claims" | "order" | "holding";
  /** Throws an AssertionError if the store breaks the rule. */
  readonly check: (store: Store) => Promise<void>;
}

const NOW = 1_780_000_000;
const LEASE = { now: NOW, leaseUntil: NOW + 30 };
const COMMIT = { now: NOW + 1, forgetAt: NOW + 100 };
const BODY = Buffer.from("{}");

export const STORE_RULES: readonly StoreRule[] = [
  rule("an event that is claimed is busy until its lease ends", "claims", async (store) => {
    const item = event();
    tokenOf(await store.claim(item, LEASE));
    assert.deepEqual(await store.claim(item, LEASE), { kind: "busy", until: NOW + 30 });
    tokenOf(await store.claim(item, later(30)));
  }),
  rule("of many claims at one time, one is granted", "claims", async (store) => {
    const item = event();
    const claims = await Promise.all(Array.from({ length: 8 }, async () => store.claim(item, LEASE)));
    assert.deepEqual(claims.map(({ kind }) => kind).sort(), [...Array<string>(7).fill("busy"), "claimed"]);
  }),
  rule("an event that is committed is handled until it is forgotten", "claims", async (store) => {
    const item = event();
    assert.equal(await store.commit(item, tokenOf(await store.claim(item, LEASE)), COMMIT), true);
    assert.deepEqual(await store.claim(item, later(99)), { kind: "handled" });
    tokenOf(await store.claim(item, later(100)));
  }),
  rule("an event that is released is free at once", "claims", async (store) => {
    const item = event();
    await store.release(item, tokenOf(await store.claim(item, LEASE)), { againAt: 0 });
    tokenOf(await store.claim(item, LEASE));
  }),
  rule("a claim whose lease ended gives way, and counts no more", "claims", async (store) => {
    const item = event();
    const first = tokenOf(await store.claim(item, LEASE));
    const second = tokenOf(await store.claim(item, later(31)));
    assert.equal(await store.commit(item, first, COMMIT), false);
    await store.release(item, first, { againAt: 0 });
    assert.equal((await store.claim(item, later(32))).kind, "busy");
    assert.equal(await store.commit(item, second, COMMIT), true);
  }),
  rule("an event that somebody forgot is handled again", "claims", async (store) => {
    const item = event();
    await store.commit(item, tokenOf(await store.claim(item, LEASE)), COMMIT);
    await store.forget(item.eventId);
    tokenOf(await store.claim(item, LEASE));
  }),
  rule("a commit that comes late counts if nobody else claimed the event meanwhile", "claims", async (store) => {
    const item = event();
    const token = tokenOf(await store.claim(item, LEASE));
    assert.equal(await store.commit(item, token, { now: NOW + 600, forgetAt: NOW + 3600 }), true);
    assert.deepEqual(await store.claim(item, later(601)), { kind: "handled" });
  }),
  rule("an id is a text of any characters", "claims", async (store) => {
    for (const text of ["é ü", "a:b", "{x}", "%s", "?", "$1", "'; DROP TABLE signalpost_events; --"]) {
      const item = { ...event(), eventId: `${text} ${randomUUID()}` };
      await store.commit(item, tokenOf(await store.claim(item, LEASE)), COMMIT);
      assert.deepEqual(await store.claim(item, LEASE), { kind: "handled" });
    }
  }),
  rule("events of a document are handled one at a time, those of others meanwhile", "order", async (store) => {
    const [first, second] = document(2);
    const token = tokenOf(await store.claim(first, LEASE));
    assert.deepEqual(await store.claim(second, LEASE), { kind: "busy", until: NOW + 30 });
    tokenOf(await store.claim(document(1)[0], LEASE));
    await store.commit(first, token, COMMIT);
    tokenOf(await store.claim(second, LEASE));
  }),
  rule("an event is stale once a later one of its document was handled", "order", async (store) => {
    const [first, second, third] = document(3);
    const token = tokenOf(await store.claim(third, LEASE));
    await store.release(third, token, { againAt: 0 });
    await store.commit(second, tokenOf(await store.claim(second, LEASE)), COMMIT);
    assert.deepEqual(await store.claim(first, LEASE), { kind: "stale" });
    assert.deepEqual(await store.claim(second, LEASE), { kind: "handled" });
    tokenOf(await store.claim(third, LEASE));
  }),
  rule("what was handled of a document is forgotten with the last of its events", "order", async (store) => {
    const [first, second, third] = document(3);
    await store.commit(first, tokenOf(await store.claim(first, LEASE)), { now: NOW, forgetAt: NOW + 100 });
    await store.commit(third, tokenOf(await store.claim(third, LEASE)), { now: NOW, forgetAt: NOW + 190 });
    assert.deepEqual(await store.claim(second, later(189)), { kind: "stale" });
    tokenOf(await store.claim(second, later(190)));
  }),
  rule("a document is free when a lease on it ends, and the late commit counts", "order", async (store) => {
    const [first, second, third] = document(3);
    const late = tokenOf(await store.claim(first, LEASE));
    const token = tokenOf(await store.claim(second, later(30)));
    assert.equal(await store.commit(first, late, COMMIT), true);
    assert.deepEqual(await store.claim(third, later(31)), { kind: "busy", until: NOW + 60 });
    assert.equal(await store.commit(second, token, COMMIT), true);
    assert.deepEqual(await store.claim(first, later(32)), { kind: "handled" });
    tokenOf(await store.claim(third, later(32)));
  }),
  rule("held events of a document are taken in their order, when one is due", "holding", async (given) => {
    const store = holding(given);
    const items = document(2);
    for (const item of [...items].reverse()) {
      const dueAt = item === items[1] ? NOW + 10 : NOW + 20;
      tokenOf(await store.hold(item, BODY, "hints", { now: NOW, dueAt }));
    }
    assert.equal(await store.take(later(9)), null);
    for (const item of items) {
      const held = await store.take(later(10));
      assert.deepEqual([held?.item, Buffer.from(held?.body ?? []), held?.hints], [item, BODY, "hints"]);
      assert.equal(await store.take(later(10)), null);
      assert.equal(await store.commit(item, held?.token ?? "", COMMIT), true);
    }
    assert.equal(await store.take(later(90)), null);
  }),
  rule("a held event that is released waits until its time", "holding", async (given) => {
    const store = holding(given);
    const [item] = document(1);
    await store.hold(item, BODY, "", { now: NOW, dueAt: NOW });
    const held = await store.take(LEASE);
    await store.release(item, held?.token ?? "", { againAt: NOW + 20 });
    assert.equal(await store.take(later(19)), null);
    const again = await store.take(later(20));
    assert.deepEqual(again?.item, item);
    assert.equal(await store.commit(item, again?.token ?? "", COMMIT), true);
  }),
  rule("an event that is held or was handled is not held again, and a stale one never", "holding", async (given) => {
    const store = holding(given);
    const [first, second] = document(2);
    const times = { now: NOW, dueAt: NOW };
    await store.hold(second, BODY, "", times);
    assert.deepEqual(await store.hold(second, BODY, "", times), { kind: "handled" });
    await store.commit(second, (await store.take(LEASE))?.token ?? "", COMMIT);
    assert.deepEqual(await store.hold(second, BODY, "", times), { kind: "handled" });
    assert.deepEqual(await store.hold(first, BODY, "", times), { kind: "stale" });
  }),
  rule("a held event whose process died is taken again when the lease ends", "holding", async (given) => {
    const store = holding(given);
    const [item] = document(1);
    await store.hold(item, BODY, "", { now: NOW, dueAt: NOW });
    const dead = await store.take(LEASE);
    assert.equal(await store.take(later(29)), null);
    const held = await store.take(later(30));
    assert.deepEqual(held?.item, item);
    assert.equal(await store.commit(item, dead?.token ?? "", COMMIT), false);
    assert.equal(await store.commit(item, held?.token ?? "", COMMIT), true);
  }),
  rule("a held event is passed over once a later one of its document was handled", "holding", async (given) => {
    const store = holding(given);
    const [first, second, third] = document(3);
    await store.hold(first, BODY, "", { now: NOW, dueAt: NOW + 50 });
    await store.commit(second, tokenOf(await store.claim(second, LEASE)), COMMIT);
    await store.hold(third, BODY, "", { now: NOW, dueAt: NOW + 10 });
    const held = await store.take(later(10));
    assert.deepEqual(held?.item, third);
    await store.commit(third, held?.token ?? "", COMMIT);
    assert.equal(await store.take(later(60)), null);
  }),
  rule("a held event that somebody forgot is not taken", "holding", async (given) => {
    const store = holding(given);
    const [item] = document(1);
    await store.hold(item, BODY, "", { now: NOW, dueAt: NOW });
    await store.forget(item.eventId);
    assert.equal(await store.take(later(60)), null);
  }),
];

function rule(name: string, needs: StoreRule["needs"], check: StoreRule["check"]): StoreRule {
  return { name, needs, check };
}

/** An event whose order does not matter, which no store has seen. */
function event(): Item {
  return { eventId: randomUUID(), document: null, position: "" };
}

/** So many events of one document in their order, which no store has seen. */
function document<Count extends 1 | 2 | 3>(count: Count): Items<Count> {
  const name = randomUUID();
  const items = Array.from({ length: count }, (_, index) => ({
    eventId: randomUUID(),
    document: name,
    position: `00000000000000000${index + 1}`,
  }));
  return items as unknown as Items<Count>;
}
type Items<Count> = Count extends 1 ? [Item] : Count extends 2 ? [Item, Item] : [Item, Item, Item];

function later(seconds: number): { now: number; leaseUntil: number } {
  return { now: NOW + seconds, leaseUntil: NOW + seconds + 30 };
}

function tokenOf(claim: Claim): string {
  assert.equal(claim.kind, "claimed");
  return claim.kind === "claimed" ? claim.token : "";
}

function holding(store: Store): HoldingStore {
  assert.ok(canHold(store), "the store has no hold and take");
  return store;
}
