// Each adapter in its real framework, over a real connection.
import assert from "node:assert/strict";
import http from "node:http";
import { describe, test } from "node:test";

import express from "express";
import { Receiver, lambdaHandler, nodeHandler } from "signalpost-receiver";

import { FRAMEWORKS, PATH, listen } from "./frameworks.mjs";
import { SECRET, bodyOf, clock, signed } from "./requests.mjs";

for (const [name, start] of Object.entries(FRAMEWORKS)) {
  describe(name, () => {
    const seen = [];
    const errors = [];
    const receiver = new Receiver({ secrets: SECRET, clock, maxBodyBytes: 4096 }).on("documentUpdated", (event) => {
      if (event.document.title === "fails") throw new Error("a secret detail");
      seen.push(event.document.title);
    });
    const post = async (body, headers) => {
      const { origin, stop } = await start(receiver, { onError: (error) => errors.push(error.name) });
      try {
        const answer = await fetch(origin + PATH, { method: "POST", body, headers });
        return [answer.status, await answer.text()];
      } finally {
        await stop();
      }
    };

    test("a genuine request is handled, byte for byte, and its answer has no body", async () => {
      assert.deepEqual(await post(bodyOf(), signed(bodyOf())), [204, ""]);
      assert.deepEqual(seen, ["Señor"]);
    });

    test("a forged one is refused, and the answer says why", async () => {
      const [status, text] = await post(bodyOf({ title: "Other" }), signed(bodyOf()));
      assert.deepEqual([status, /^no signature fits/.test(text), errors.at(-1)], [401, true, "Mismatch"]);
    });

    test("a body over the cap is refused", async () => {
      const long = Buffer.concat([bodyOf(), Buffer.alloc(100_000, " ")]);
      assert.equal((await post(long, signed(long)))[0], 413);
    });

    test("a request without a body is refused", async () => {
      assert.equal((await post(undefined, signed(bodyOf())))[0], 401);
    });

    test("a handler's failure is a 500 that tells nothing of it", async () => {
      const body = bodyOf({ id: "another", title: "fails" });
      const [status, text] = await post(body, signed(body));
      assert.deepEqual([status, text.includes("secret detail"), errors.at(-1)], [500, false, "HandlerError"]);
    });
  });
}

test("a body that express.json has parsed already is a mistake that the answer explains", async () => {
  const errors = [];
  const app = express().use(express.json());
  const receiver = new Receiver({ secrets: SECRET, clock });
  app.post(PATH, nodeHandler(receiver, { onError: (error) => errors.push(error.name) }));
  const { origin, stop } = await listen(http.createServer(app));
  const answer = await fetch(origin + PATH, { method: "POST", body: bodyOf(), headers: signed(bodyOf()) });
  assert.deepEqual([answer.status, errors], [500, ["UsageError"]]);
  assert.match(await answer.text(), /before express\.json/);
  await stop();
});

test("bytes that a parser keeps in rawBody, as cloud functions do, are taken", async () => {
  const app = express().use(express.json({ verify: (request, _response, bytes) => (request.rawBody = bytes) }));
  app.post(PATH, nodeHandler(new Receiver({ secrets: SECRET, clock })));
  const { origin, stop } = await listen(http.createServer(app));
  const answer = await fetch(origin + PATH, { method: "POST", body: bodyOf(), headers: signed(bodyOf()) });
  assert.equal(answer.status, 204);
  await stop();
});

test("Fastify's other routes keep their parsers", async () => {
  const { origin, stop } = await FRAMEWORKS.Fastify(new Receiver({ secrets: SECRET }), {});
  const headers = { "content-type": "application/json" };
  const answer = await fetch(`${origin}/other`, { method: "POST", body: '{"a":1}', headers });
  assert.deepEqual(await answer.json(), { got: { a: 1 } });
  await stop();
});

describe("AWS Lambda", () => {
  const receiver = new Receiver({ secrets: SECRET, clock }).on("*", () => {});
  const handler = lambdaHandler(receiver, { onError: () => {} });
  const lists = (headers) => Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]]));
  const body = bodyOf();
  const requests = {
    "a body as text": { body: body.toString(), headers: signed(body) },
    "a body in base64": { body: body.toString("base64"), isBase64Encoded: true, headers: signed(body) },
    "both kinds of headers": { body: body.toString(), headers: {}, multiValueHeaders: lists(signed(body)) },
  };
  for (const [name, request] of Object.entries(requests)) {
    test(name, async () => {
      const { statusCode, multiValueHeaders } = await handler(request);
      assert.deepEqual([statusCode, multiValueHeaders !== undefined], [204, "multiValueHeaders" in request]);
    });
  }

  test("a refusal, in headers of the kind that came", async () => {
    const answer = await handler({ body: "{}", multiValueHeaders: lists(signed(body)) });
    assert.deepEqual(answer.multiValueHeaders, { "content-type": ["text/plain; charset=utf-8"] });
    assert.deepEqual([answer.statusCode, (await handler({ body: null, headers: null })).statusCode], [401, 401]);
  });

  test("a body that was parsed is the caller's mistake", async () => {
    assert.equal((await handler({ body: {}, headers: signed(body) })).statusCode, 500);
  });
});

test("an event that is in progress is answered 503 with the time to come again", async () => {
  let finish;
  const receiver = new Receiver({ secrets: SECRET, clock }).on("*", () => new Promise((resolve) => (finish = resolve)));
  const { origin, stop } = await listen(http.createServer(nodeHandler(receiver)));
  const post = () => fetch(origin + PATH, { method: "POST", body: bodyOf(), headers: signed(bodyOf()) });
  const first = post();
  while (finish === undefined) await new Promise((resolve) => setTimeout(resolve, 5));
  const second = await post();
  assert.deepEqual([second.status, second.headers.get("retry-after")], [503, "30"]);
  finish();
  assert.equal((await first).status, 204);
  await stop();
});
