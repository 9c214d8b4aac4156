// Makes the calls of cases with the client that was built, and says the outcome of each: a line of JSON in, one out.
import { createInterface } from "node:readline";

import { Client, NoAnswer, Problem, SignalpostError } from "../dist/esm/index.js";

async function outcome({ url, key, deadline, take, lines, call }) {
  const client = new Client({ url, key, deadline });
  try {
    if (lines) return { result: await first(client.documents.importLines(lines)) };
    const [name, steps, named] = call;
    const [noun, method] = name.split(".");
    const found = client[noun][method](...steps, named);
    return { result: Symbol.asyncIterator in found ? await first(found, take) : ((await found) ?? null) };
  } catch (error) {
    if (!(error instanceof SignalpostError)) throw error;
    return { error: ofError(error) };
  }
}

async function first(found, count) {
  const taken = [];
  for await (const each of found) {
    taken.push(each);
    if (taken.length === count) break;
  }
  return taken;
}

function kindsOf(error) {
  const kinds = [];
  for (let kind = error.constructor; kind.name; kind = Object.getPrototypeOf(kind)) kinds.push(kind.name);
  return kinds;
}

function ofError(error) {
  const found = { kinds: kindsOf(error), message: `${error} ${error.stack} ${JSON.stringify(error)}` };
  if (error instanceof Problem) {
    const { status, code, requestId, errors, members } = error;
    Object.assign(found, { status, code, requestId, errors, oldest: members.oldest });
  }
  if (error instanceof NoAnswer) found.outcomeUnknown = error.outcomeUnknown;
  return found;
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await outcome(JSON.parse(line))));
}
