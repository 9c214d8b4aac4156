// What a receiver missed is found in the gateway's log, and handled once.
import assert from "node:assert/strict";
import http from "node:http";
import { test } from "node:test";

import { ConfigError, FeedError, HandlerError, HttpFeed, InProgress, Receiver } from "signalpost-receiver";

import { NOW, SECRET, bodyOf, clock, signed } from "./requests.mjs";

const entry = (sequence, body) => `{"sequence":${sequence},"event":${body}}`;
const page = (last, ...entries) => `{"data":[${entries.join(", ")}],"last":${last}}`;
const ERASED = '{"id":"e","type":"documentUpdated","createdAt":"2026-05-28T20:26:38+00:00","data":{"document":null}}';
const THIRD = bodyOf({ id: "event-3" }).toString().replace("1250.5", "1250.50");
const LOG = {
  0: page(2, entry(1, bodyOf()), entry(2, ERASED)),
  2: page(3, entry(3, THIRD)),
  3: page(3),
};

/** A feed over answers by the sequence that is asked for; a number is a status. */
function feedOf(answers, asked = []) {
  const fetch = async (url, request) => {
    asked.push([url, request.headers]);
    const answer = answers[new URL(url).searchParams.get("after")];
    return Array.isArray(answer) ? new Response(answer[1], { status: answer[0] }) : new Response(answer);
  };
  return new HttpFeed({ url: "https://gateway.example/", key: "sp_key", fetch });
}

const receiverOf = (seen, options = {}) =>
  new Receiver({ secrets: SECRET, clock, ...options }).on("*", (event) => seen.push(event.id));

test("events that did not arrive are handled, and those that did are not again", async () => {
  const [seen, asked] = [[], []];
  const receiver = receiverOf(seen);
  await receiver.receive(bodyOf(), signed(bodyOf()));
  const { resumeFrom, missed, ...rest } = await receiver.reconcile(feedOf(LOG, asked), 0);
  assert.equal(resumeFrom, 3);
  assert.deepEqual(
    missed.map(({ id, sequence, document }) => [id, sequence, document.contractValue]),
    [["event-3", 3, "1250.50"]],
  );
  assert.deepEqual(rest, { failed: [], inProgress: [], tooOld: [], lost: 0 });
  assert.deepEqual(seen, ["event-1", "event-3"]);
  const headers = { authorization: "Bearer sp_key" };
  assert.deepEqual(asked[0], ["https://gateway.example/v1/events?after=0&limit=100", headers]);
});

test("what fails or is in progress is left for the next time, which begins at it", async () => {
  let fails = true;
  const receiver = new Receiver({ secrets: SECRET, clock }).on("*", (event) => {
    if (fails && event.id === "event-1") throw new Error("not now");
    if (fails) throw new InProgress("busy", 1);
  });
  const found = await receiver.reconcile(feedOf(LOG), 0);
  assert.deepEqual([found.resumeFrom, found.inProgress], [0, [3]]);
  assert.deepEqual(
    found.failed.map(({ sequence, error }) => [sequence, error instanceof HandlerError]),
    [[1, true]],
  );
  fails = false;
  assert.equal((await receiver.reconcile(feedOf(LOG), 0)).missed.length, 2);
});

test("with a buffer, what was missed is held for its turn like what is delivered", async () => {
  const seen = [];
  let now = NOW;
  const receiver = receiverOf(seen, { order: "buffer", clock: () => now * 1000 });
  const { missed } = await receiver.reconcile(feedOf(LOG), 0);
  assert.deepEqual([missed.length, seen.length], [2, 0]);
  now += 16;
  await receiver.drain();
  assert.deepEqual(seen, ["event-1", "event-3"]);
});

test("events from before the time that is remembered are named and not handled", async () => {
  const seen = [];
  const receiver = receiverOf(seen, { clock: () => (NOW + 31 * 24 * 3600) * 1000 });
  assert.deepEqual((await receiver.reconcile(feedOf(LOG), 0)).tooOld, [1, 3]);
  assert.deepEqual(seen, []);
});

test("where the gateway no longer keeps the beginning, what is lost is counted", async () => {
  const log = { ...LOG, 0: [410, '{"oldest":3}'] };
  const { lost, resumeFrom } = await receiverOf([]).reconcile(feedOf(log), 0);
  assert.deepEqual([lost, resumeFrom], [2, 3]);
});

test("an answer that is not the gateway's is no success", async () => {
  for (const answer of ["", "[]", "{}", '{"data":[1],"last":1}', '{"data":[{}],"last":1}', [401, "{}"], [410, "{}"]]) {
    await assert.rejects(receiverOf([]).reconcile(feedOf({ 0: answer }), 0), FeedError, String(answer));
  }
});

test("a gateway that cannot be reached, and one that redirects, get no key", async () => {
  let elsewhere = 0;
  const server = http.createServer((request, response) => {
    if (request.url !== "/v1/events?after=0&limit=100") elsewhere += 1;
    response.writeHead(302, { location: "/elsewhere" }).end();
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const feed = new HttpFeed({ url: `http://127.0.0.1:${server.address().port}`, key: "sp_key" });
  await assert.rejects(feed.page(0), FeedError);
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await assert.rejects(feed.page(0), (error) => error instanceof FeedError && error.cause !== undefined);
  assert.equal(elsewhere, 0);
});

test("a feed without a key or with another address is refused at once", () => {
  assert.throws(() => new HttpFeed({ url: "https://gateway.example", key: undefined }), ConfigError);
  assert.throws(() => new HttpFeed({ url: "gateway.example", key: "sp_key" }), ConfigError);
});
