// The vectors that every kit is held against (receiver/vectors/), in this one.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";

import { HandlerError, Receiver, ReceiverError, Signer, standardSecret } from "signalpost-receiver";
import { Webhook } from "standardwebhooks";

import { keyedHash } from "../dist/esm/sign.js";
import { NOW, SECRET, bodyOf, signed } from "./requests.mjs";

function cases(name) {
  const read = JSON.parse(readFileSync(new URL(`../../receiver/vectors/${name}.json`, import.meta.url), "utf8"));
  assert.equal(read.format, 1);
  return read.cases;
}

describe("every request gets its verdict (C19 to C21)", () => {
  for (const each of [...cases("requests"), ...cases("key-pairs")]) {
    test(each.name, () => {
      const { maxAge, skew, maxBodyBytes } = each.options ?? {};
      const receiver = new Receiver({
        secrets: each.secrets,
        clock: () => each.now * 1000,
        ...(maxAge === undefined ? {} : { maxAgeSeconds: maxAge }),
        ...(skew === undefined ? {} : { skewSeconds: skew }),
        ...(maxBodyBytes === undefined ? {} : { maxBodyBytes }),
      });
      const body = "bodyBase64" in each ? Buffer.from(each.bodyBase64, "base64") : Buffer.from(each.body);
      if (each.verdict === "ok") {
        assertShown(receiver.verify(body, each.headers), each.event);
        return;
      }
      assert.throws(
        () => receiver.verify(body, each.headers),
        (error) => {
          assert.ok(error instanceof ReceiverError);
          assert.deepEqual([error.name, error.status], [each.verdict, each.status]);
          return true;
        },
      );
    });
  }
});

describe("what becomes of events in any order (C2, C5, C17)", () => {
  for (const { name, order, steps } of cases("order")) {
    test(name, async () => {
      let [now, fails, called] = [0, false, []];
      const receiver = new Receiver({ secrets: SECRET, order, clock: () => (NOW + now) * 1000 }).on("*", ({ id }) => {
        called.push(id);
        if (fails) throw new Error(id);
      });
      const outcomeOf = (each) => (each instanceof HandlerError ? "failed" : each.outcome);
      for (const { at, event, handlerFails = false, outcome, drained } of steps) {
        [now, fails, called] = [at, handlerFails, []];
        if (event === undefined) {
          const found = (await receiver.drain()).map(outcomeOf);
          assert.deepEqual(called.map((id, index) => [id, found[index]]), drained);
          assert.equal(found.length, drained.length);
        } else {
          const { document: externalId, ...envelope } = event;
          const body = Buffer.from(JSON.stringify({ ...JSON.parse(bodyOf({ externalId })), ...envelope }));
          const headers = signed(body, {}, SECRET, NOW + at);
          assert.equal(outcomeOf(await receiver.receive(body, headers).catch((error) => error)), outcome);
        }
      }
    });
  }
});

/** What `expected` names is so in `value`. */
function assertShown(value, expected) {
  for (const [name, wanted] of Object.entries(expected)) {
    const isNested = typeof wanted === "object" && wanted !== null && name !== "additionalFacts";
    if (isNested) assertShown(value[name], wanted);
    else assert.deepEqual(value[name], wanted, name);
  }
}

test("every signature is made the same (C19, C20)", () => {
  for (const { secret, body, id, timestamp, page, standard, standardSecret: expected } of cases("signatures")) {
    const signer = new Signer(secret);
    assert.equal(signer.pageSignature(Buffer.from(body)), page);
    assert.equal(signer.standardSignature(id, timestamp, Buffer.from(body)), standard);
    assert.equal(standardSecret(secret), expected);
  }
});

test("HMAC gives the known answers of RFC 4231 (C19, C20)", () => {
  for (const { name, key, data, isText, sha256, sha512 } of cases("hmac")) {
    const [keyBytes, bytes] = [Buffer.from(key, "hex"), Buffer.from(data, "hex")];
    for (const [digest, answer] of [["sha256", sha256], ["sha512", sha512]]) {
      assert.equal(keyedHash(digest, keyBytes).update(bytes).digest("hex").slice(0, answer.length), answer, name);
    }
    if (isText) assert.ok(new Signer(keyBytes.toString()).pageSignature(bytes).startsWith(sha512), name);
  }
});

test("the library of Standard Webhooks makes the same signature", () => {
  for (const { secret, body, id, timestamp, standard } of cases("signatures")) {
    const library = new Webhook(standardSecret(secret));
    assert.equal(library.sign(id, new Date(timestamp * 1000), body), standard);
  }
});
