// Deliveries for tests are those that a receiver takes.
import assert from "node:assert/strict";
import { test } from "node:test";

import { ConfigError, Receiver, UsageError } from "signalpost-receiver";
import { delivery } from "signalpost-receiver/testing";

import { NOW, SECRET, clock } from "./requests.mjs";

const options = { secret: SECRET, now: clock() };

for (const type of ["documentCreated", "documentUpdated", "documentDeleted", "folderMoved"]) {
  test(`a delivery of ${type} is one that a receiver takes`, () => {
    const { body, headers } = delivery(type, options);
    const event = new Receiver({ secrets: SECRET, clock }).verify(body, headers);
    assert.deepEqual([event.type, event.sequence, event.attempt, event.isTest], [type, 1, 1, false]);
    assert.equal(new Date(event.createdAt).getTime(), NOW * 1000);
  });
}

test("it happens now by default, and attributes are given in the names of the body", () => {
  const { body, headers } = delivery("documentUpdated", { secret: SECRET, document: { status: "executed", title: "ü" } });
  const { document } = new Receiver({ secrets: SECRET }).verify(body, headers);
  assert.deepEqual([document.status, document.title], ["executed", "ü"]);
});

test("each is another event of another document unless it is said which", () => {
  const idsOf = (more) => {
    const { id, data } = JSON.parse(delivery("documentUpdated", { ...options, ...more }).body);
    return [id, data.document.externalId];
  };
  const [one, other] = [idsOf(), idsOf()];
  assert.ok(one[0] !== other[0] && one[1] !== other[1]);
  assert.deepEqual(idsOf({ eventId: "an-id", document: { externalId: "a-document" } }), ["an-id", "a-document"]);
});

test("a sample is marked as the gateway marks it", async () => {
  const { body, headers } = delivery("documentUpdated", { ...options, isTest: true });
  const { outcome, event } = await new Receiver({ secrets: SECRET, clock }).receive(body, headers);
  assert.deepEqual([outcome, event.sequence], ["test", 0]);
});

test("what is no document is refused and named, and so is an empty secret", () => {
  assert.throws(() => delivery("documentUpdated", { ...options, document: { contract_value: 1 } }), {
    name: "UsageError",
    message: /contract_value/,
  });
  assert.throws(() => delivery("documentUpdated", { ...options, document: { title: null } }), UsageError);
  assert.throws(() => delivery("documentUpdated", { ...options, secret: "" }), ConfigError);
});
