// A subscription is read: each event is verified, handled once, and acknowledged.
import assert from "node:assert/strict";
import { test } from "node:test";

import { ConfigError, FeedError, HandlerError, Mismatch, Reader, Receiver, readerKey } from "signalpost-receiver";

import { SECRET, bodyOf, clock, signed } from "./requests.mjs";

const ID = "01a20e92-1d5f-76d4-985f-8a63b2c66f94";

/** A gateway that hands out what is not acknowledged, and answers with other statuses first if it is told to. */
class Gateway {
  waiting = [];
  asked = [];
  answers = [];
  headersOf = signed;

  fetch = async (url, { method, headers, body }) => {
    const name = url.replace(`https://gateway.example/v1/subscriptions/${ID}/`, "");
    const said = JSON.parse(body);
    this.asked.push([method, name, said, headers.authorization]);
    if (this.answers.length > 0) return new Response(...this.answers.shift());
    if (name === "acknowledge") {
      this.waiting = this.waiting.filter(([sequence]) => sequence > said.through);
      return new Response('{"acknowledged":1}');
    }
    const data = this.waiting
      .slice(0, said.limit)
      .map(([sequence, event]) => ({ sequence, headers: this.headersOf(event), body: event.toString() }));
    return new Response(JSON.stringify({ data, receipt: data.length > 0 ? "a receipt" : null }));
  };

  get acknowledged() {
    return this.asked.filter(([, name]) => name === "acknowledge").map(([, , { through }]) => through);
  }
}

function readerOf(gateway, handle, options = {}) {
  const receiver = new Receiver({ secrets: SECRET, clock }).on("*", (event) => handle(event.id));
  const where = { url: "https://gateway.example/", subscription: ID, secret: SECRET, fetch: gateway.fetch };
  return new Reader({ ...where, receiver, ...options });
}

const three = () => [1, 2, 3].map((number) => [number, bodyOf({ id: `event-${number}` })]);

test("events are verified, handled once and acknowledged", async () => {
  const [gateway, got] = [new Gateway(), []];
  gateway.waiting = three();
  const reader = readerOf(gateway, (id) => got.push(id), { limit: 2, waitSeconds: 0, leaseSeconds: 30 });
  assert.equal((await reader.read()).length, 2);
  gateway.waiting.unshift([2, bodyOf({ id: "event-2" })]); // its acknowledgement was lost
  assert.equal((await reader.read()).length, 2);
  assert.deepEqual(await reader.read(), []);
  assert.deepEqual(got, ["event-1", "event-2", "event-3"]);
  assert.deepEqual(gateway.acknowledged, [2, 3]);
  const asked = { limit: 2, wait: 0, lease: 30 };
  assert.deepEqual(gateway.asked[0], ["POST", "poll", asked, `Bearer ${readerKey(SECRET)}`]);
});

test("what cannot be handled is handed out again, and what was is acknowledged", async () => {
  const [gateway, errors, end] = [new Gateway(), [], new AbortController()];
  gateway.waiting = three();
  const reader = readerOf(gateway, (id) => {
    if (id === "event-2" && errors.length === 0) throw new Error("not now");
    if (id === "event-3") end.abort();
  });
  await assert.rejects(reader.read(), HandlerError);
  assert.deepEqual(gateway.acknowledged, [1]);
  gateway.answers = [["", { status: 503 }]];
  await reader.run({ signal: end.signal, onError: (error) => errors.push(error.constructor) });
  assert.deepEqual(errors, [FeedError]);
  assert.deepEqual(gateway.acknowledged, [1, 3]);
});

test("an acknowledgement that failed is repeated before anything is asked for", async () => {
  const gateway = new Gateway();
  gateway.waiting = three();
  const reader = readerOf(gateway, () => gateway.answers.push(["", { status: 503 }]), { limit: 1, waitSeconds: 0 });
  await assert.rejects(reader.read(), FeedError);
  gateway.waiting = three().slice(0, 1);
  assert.deepEqual(await reader.read(), []);
  assert.deepEqual(
    gateway.asked.map(([, name]) => name),
    ["poll", "acknowledge", "acknowledge", "poll"],
  );
});

test("a reader whose calls do not wait pauses for a second if nothing came", async () => {
  const [gateway, end] = [new Gateway(), new AbortController()];
  const asked = [];
  const fetch = (...call) => {
    asked.push(performance.now());
    if (asked.length === 2) end.abort();
    return gateway.fetch(...call);
  };
  await readerOf(gateway, () => undefined, { waitSeconds: 0, fetch }).run({ signal: end.signal });
  assert.ok(asked[1] - asked[0] > 900);
});

test("a forged event is refused, and not acknowledged", async () => {
  const [gateway, got] = [new Gateway(), []];
  gateway.waiting = [[1, bodyOf()]];
  gateway.headersOf = () => signed(bodyOf({ id: "another" }));
  await assert.rejects(readerOf(gateway, (id) => got.push(id)).run(), Mismatch);
  assert.deepEqual([got, gateway.acknowledged], [[], [0]]);
});

test("what the gateway answers otherwise is said", async () => {
  const gateway = new Gateway();
  const reader = readerOf(gateway, () => undefined);
  for (const [answer, error] of [
    [["", { status: 401 }], ConfigError],
    [["", { status: 404 }], ConfigError],
    [["", { status: 500 }], FeedError],
    [["[]"], FeedError],
    [["{}"], FeedError],
    [["no JSON"], FeedError],
    [['{"data":[{}]}'], FeedError],
  ]) {
    gateway.answers = [answer];
    await assert.rejects(reader.read(), error);
  }
});

test("what can never work is refused when it is made", () => {
  const receiver = new Receiver({ secrets: SECRET });
  for (const wrong of [{ url: "gateway.example", secret: SECRET }, { url: "https://gateway.example", secret: "" }]) {
    assert.throws(() => new Reader({ subscription: ID, receiver, ...wrong }), ConfigError);
  }
});
