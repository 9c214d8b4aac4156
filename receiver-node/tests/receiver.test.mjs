// A receiver refuses what is unsafe, reads whatever it is given, and handles each event once and in order.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { describe, test } from "node:test";

import {
  ConfigError,
  HandlerError,
  InProgress,
  InvalidJSON,
  MemoryStore,
  PayloadError,
  Receiver,
  ReceiverError,
  Signer,
  StoreError,
  UsageError,
  makeToken,
  parse,
} from "signalpost-receiver";

import { DOCUMENT, NOW, SECRET, bodyOf, clock, signed } from "./requests.mjs";

const receiverWith = (options = {}) => new Receiver({ secrets: SECRET, clock, ...options });
const deliver = (receiver, document, headers) => {
  const body = bodyOf(document);
  return receiver.receive(body, signed(body, headers));
};

describe("what can never work or would not be safe is refused at once", () => {
  for (const options of [
    { secrets: undefined },
    { secrets: null },
    { secrets: "" },
    { secrets: [] },
    { secrets: [SECRET, ""] },
    { secrets: "7chars!" },
    { secrets: `${SECRET}\n` },
    { secrets: `${SECRET}\ud800` },
    { maxAgeSeconds: 0 },
    { maxAgeSeconds: "1h" },
    { skewSeconds: -1 },
    { maxBodyBytes: 0 },
    { rememberSeconds: 3659 },
    { leaseSeconds: 0 },
    { order: "strict" },
    { order: "buffer", store: { claim() {}, commit() {}, release() {}, forget() {} } },
  ]) {
    test(JSON.stringify(options), () => {
      assert.throws(() => receiverWith(options), ConfigError);
    });
  }

  test("no message has the secret in it", () => {
    for (const secrets of [`${SECRET}\n`, "7chars!"]) {
      assert.throws(
        () => receiverWith({ secrets }),
        (error) => !error.message.includes(secrets.trim()),
      );
    }
  });
});

describe("headers may be in any container, their names in any case", () => {
  const body = bodyOf();
  const plain = signed(body);
  const upper = Object.fromEntries(Object.entries(plain).map(([name, value]) => [name.toUpperCase(), value]));
  const containers = {
    "an object": plain,
    "upper case": upper,
    "lists of values": Object.fromEntries(Object.entries(plain).map(([name, value]) => [name, [value]])),
    "names without a value": { ...plain, "x-other": undefined },
    pairs: Object.entries(plain),
    "a Map": new Map(Object.entries(plain)),
    "Headers of fetch": new Headers(plain),
  };
  for (const [name, headers] of Object.entries(containers)) {
    test(name, () => {
      const event = receiverWith().verify(body, headers);
      assert.deepEqual([event.sequence, event.attempt, event.isReplay], [17, 1, false]);
    });
  }

  for (const wrong of [undefined, null, "headers", 7, ["a", "b"]]) {
    test(`not ${JSON.stringify(wrong)}`, () => {
      assert.throws(() => receiverWith().verify(body, wrong), UsageError);
    });
  }
});

test("a body that is not bytes is the caller's mistake", () => {
  for (const body of [bodyOf().toString(), JSON.parse(bodyOf()), undefined, null, new ArrayBuffer(8)]) {
    assert.throws(() => receiverWith().verify(body, signed(bodyOf())), UsageError);
  }
});

test("an event is frozen through and through", () => {
  const event = parse(bodyOf({ additionalFacts: { a: 1 } }));
  for (const part of [event, event.document, event.document.additionalFacts, event.data, event.extra]) {
    assert.ok(Object.isFrozen(part));
  }
});

test("whole numbers beyond 2^53 are kept exactly, and names that JavaScript knows are names like others", () => {
  const body = bodyOf().toString().replace('"additionalFacts":{}', '"additionalFacts":{"a":9007199254740993,"__proto__":1}');
  const facts = parse(Buffer.from(body)).document.additionalFacts;
  assert.equal(facts.a, 9007199254740993n);
  assert.deepEqual(Object.keys(facts), ["a", "__proto__"]);
  assert.equal(Object.getPrototypeOf(facts), Object.prototype);
});

test("whatever the bytes, verify returns or throws a PayloadError", () => {
  const receiver = receiverWith();
  const whole = bodyOf({ additionalFacts: { a: [1, "\\u00e9", null, true, -1.5e3], "b\\n": "" } });
  let seed = 1;
  const random = (limit) => (seed = (seed * 48271) % 2147483647) % limit;
  for (let round = 0; round < 2000; round += 1) {
    const body = Buffer.from(whole);
    for (let change = random(3); change >= 0; change -= 1) body[random(body.length)] = random(256);
    const cut = body.subarray(0, random(4) === 0 ? random(body.length) : body.length);
    try {
      receiver.verify(cut, signed(cut));
    } catch (error) {
      assert.ok(error instanceof PayloadError, String(error));
    }
  }
});

test("what JSON.parse refuses is refused, and what it takes is read the same", () => {
  const texts = ["", " ", "1 2", "{", "[1,]", '{"a":1,}', "01", "1.", ".5", "-", "+1", "1e5", '"\\x"', '"\\u12"', "'a'", "nul"];
  texts.push('"\t"', "[1,2,[3]]", '{"a":{"b":[]}}', ' {"a" : "\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9" } ', "-0.0", "truefalse", "\u00a01");
  for (const text of texts) {
    let expected;
    try {
      expected = JSON.parse(text);
    } catch {
      assert.throws(() => parse(Buffer.from(text)), InvalidJSON, text);
      continue;
    }
    const body = bodyOf().toString().replace('"additionalFacts":{}', `"additionalFacts":{"a":${text}}`);
    assert.deepEqual(parse(Buffer.from(body)).document.additionalFacts.a, expected, text);
  }
});

test("hostile sizes are refused or read without a stack overflow", () => {
  const long = "\\n".repeat(400_000);
  const text = bodyOf().toString().replace('"additionalFacts":{}', `"additionalFacts":{"a":"${long}"}`);
  assert.equal(parse(Buffer.from(text)).document.additionalFacts.a.length, 400_000);
  assert.throws(() => parse(Buffer.from("[".repeat(1_000_000))), PayloadError);
  assert.throws(() => parse(Buffer.from(`[${"9".repeat(1000)}]`)), PayloadError);
});

test("an empty secret signs nothing that a receiver takes", () => {
  const body = bodyOf();
  const forged = { "plexus-webhook-signature": createHmac("sha512", "").update(body).digest("hex") };
  assert.throws(() => receiverWith({ maxAgeSeconds: null }).verify(body, forged), ReceiverError);
  assert.throws(() => new Signer(""), ConfigError);
});

test("during a rotation either secret is enough, with either signature (C21)", () => {
  const [body, next] = [bodyOf(), makeToken()];
  const old = signed(body);
  const both = `${old["webhook-signature"]} ${signed(body, {}, next)["webhook-signature"]}`;
  for (const secrets of [SECRET, next, [next, SECRET]]) {
    receiverWith({ secrets }).verify(body, { ...old, "webhook-signature": both });
    const page = {
      "plexus-webhook-signature": old["plexus-webhook-signature"],
      "plexus-webhook-signature-alternate": new Signer(next).pageSignature(body),
    };
    receiverWith({ secrets, maxAgeSeconds: null }).verify(body, page);
  }
});

// --- Handling --------------------------------------------------------------------------------------------------------

test("an event is handled once, by the handler of its type", async () => {
  const seen = [];
  const receiver = receiverWith()
    .on("documentUpdated", async (event) => seen.push(event.document.title))
    .on("*", (event) => seen.push(event.type));
  assert.equal((await deliver(receiver)).outcome, "handled");
  assert.deepEqual(await deliver(receiver).then(({ outcome, status }) => [outcome, status]), ["duplicate", 204]);
  assert.equal((await deliver(receiver, { id: "event-2", type: "documentDeleted" })).outcome, "handled");
  assert.deepEqual(seen, ["Señor", "documentDeleted"]);
});

test("an event that nobody handles is a success, and a second handler of a type a mistake", async () => {
  const receiver = receiverWith().on("documentCreated", () => {});
  assert.equal((await deliver(receiver)).outcome, "unhandled");
  assert.throws(() => receiver.on("documentCreated", () => {}), ConfigError);
});

test("a sample reaches the handler of samples alone", async () => {
  const seen = [];
  const receiver = receiverWith().on("*", () => seen.push("event"));
  assert.equal((await deliver(receiver, {}, { "signalpost-test": "true" })).outcome, "test");
  receiver.onTest(() => seen.push("sample"));
  assert.equal((await deliver(receiver, {}, { "signalpost-test": "true" })).outcome, "test");
  assert.deepEqual(seen, ["sample"]);
});

test("after a handler failed, a retry is handled", async () => {
  let fails = true;
  const receiver = receiverWith().on("*", () => {
    if (fails) throw new TypeError("a secret detail");
  });
  await assert.rejects(deliver(receiver), (error) => {
    assert.ok(error instanceof HandlerError);
    assert.deepEqual([error.status, error.message], [500, "the handler of documentUpdated failed: TypeError"]);
    return error.cause instanceof TypeError;
  });
  fails = false;
  assert.equal((await deliver(receiver)).outcome, "handled");
});

test("while an event is being handled, the same one is asked to come again", async () => {
  let finish;
  const receiver = receiverWith().on("*", () => new Promise((resolve) => (finish = resolve)));
  const first = deliver(receiver);
  await assert.rejects(deliver(receiver), (error) => {
    assert.ok(error instanceof InProgress);
    return error.status === 503 && error.retryAfter === 30;
  });
  finish();
  assert.equal((await first).outcome, "handled");
  assert.equal((await deliver(receiver)).outcome, "duplicate");
});

test("a lease that ended is taken over, and the late commit of the first does not count", async () => {
  let now = NOW;
  const store = new MemoryStore();
  const item = { eventId: "e", document: null, position: "" };
  const first = store.claim(item, { now, leaseUntil: now + 30 });
  now += 31;
  const second = store.claim(item, { now, leaseUntil: now + 30 });
  assert.deepEqual([first.kind, second.kind], ["claimed", "claimed"]);
  assert.equal(store.commit(item, first.token, { now, forgetAt: now + 99 }), false);
  assert.equal(store.commit(item, second.token, { now, forgetAt: now + 99 }), true);
  assert.equal(store.claim(item, { now: now + 98, leaseUntil: now + 130 }).kind, "handled");
  assert.equal(store.claim(item, { now: now + 100, leaseUntil: now + 130 }).kind, "claimed");
});

test("the memory store forgets the oldest that was handled beyond its size", async () => {
  const receiver = receiverWith({ store: new MemoryStore({ maxEvents: 2 }) }).on("*", () => {});
  for (const id of ["a", "b", "c"]) await deliver(receiver, { id });
  assert.equal((await deliver(receiver, { id: "c" })).outcome, "duplicate");
  assert.equal((await deliver(receiver, { id: "a" })).outcome, "handled");
});

test("a store that fails is a 503, so that the sender tries again", async () => {
  const store = new MemoryStore();
  store.claim = () => Promise.reject(new Error("connection lost"));
  await assert.rejects(deliver(receiverWith({ store }).on("*", () => {})), (error) => {
    return error instanceof StoreError && error.status === 503 && error.cause.message === "connection lost";
  });
});

test("a database can be shared with receivers in Python: positions and hints are kept in the same form", async () => {
  const kept = [];
  const store = new MemoryStore();
  store.hold = (item, body, hints) => kept.push(item.position, hints) && { kind: "claimed", token: "" };
  await deliver(receiverWith({ store, order: "buffer" }).on("*", () => {}), { second: 1 });
  assert.deepEqual(kept, ["063915596761250174" + Buffer.from("event-1").toString("hex"), "[17,1,false,false]"]);
});

// --- Order -----------------------------------------------------------------------------------------------------------

test("skipStale handles no event after a later one of its document, not even of a deleted document", async () => {
  const seen = [];
  const receiver = receiverWith({ order: "skipStale" }).on("*", (event) => seen.push(event.id));
  const outcome = async (document) => (await deliver(receiver, document)).outcome;
  assert.equal(await outcome({ id: "1", second: 1 }), "handled");
  assert.equal(await outcome({ id: "3", second: 3, type: "documentDeleted" }), "handled");
  assert.equal(await outcome({ id: "2", second: 2 }), "stale");
  assert.equal(await outcome({ id: "0", second: 0, externalId: "another" }), "handled");
  assert.deepEqual(seen, ["1", "3", "0"]);
});

test("skipStale hands over a document's events one at a time", async () => {
  let finish;
  const receiver = receiverWith({ order: "skipStale" }).on("*", () => new Promise((resolve) => (finish = resolve)));
  const first = deliver(receiver, { id: "1", second: 1 });
  await assert.rejects(deliver(receiver, { id: "2", second: 2 }), InProgress);
  finish();
  await first;
});

test("a buffer hands a document's events over in their order, however they arrived", async () => {
  const seen = [];
  let now = NOW;
  const receiver = receiverWith({ order: "buffer", clock: () => now * 1000 }).on("*", (event) => seen.push(event.id));
  for (const second of [3, 1, 2]) {
    const body = bodyOf({ id: String(second), second });
    assert.equal((await receiver.receive(body, signed(body))).outcome, "held");
    assert.equal((await receiver.receive(body, signed(body))).outcome, "duplicate");
  }
  assert.deepEqual(await receiver.drain(), []);
  now += 16;
  assert.deepEqual(
    (await receiver.drain()).map(({ outcome, event }) => [outcome, event.sequence]),
    Array(3).fill(["handled", 17]),
  );
  assert.deepEqual(seen, ["1", "2", "3"]);
  const late = bodyOf({ id: "0", second: 0 });
  assert.equal((await receiver.receive(late, signed(late))).outcome, "stale");
});

test("after a handler failed for a buffered event, its document waits and another does not", async () => {
  let [now, fails] = [NOW, true];
  const seen = [];
  const receiver = receiverWith({ order: "buffer", clock: () => now * 1000, maxAgeSeconds: null }).on("*", (event) => {
    if (fails && event.document.externalId === DOCUMENT) throw new Error("not now");
    seen.push(event.id);
  });
  await deliver(receiver, { id: "1", second: 1 });
  await deliver(receiver, { id: "2", second: 2 });
  await deliver(receiver, { id: "other", externalId: "another" });
  now += 16;
  const [failed, handled] = await receiver.drain();
  assert.ok(failed instanceof HandlerError);
  assert.equal(handled.event.id, "other");
  fails = false;
  assert.deepEqual(await receiver.drain(), []);
  now += 31;
  assert.equal((await receiver.drain()).length, 2);
  assert.deepEqual(seen, ["other", "1", "2"]);
});
