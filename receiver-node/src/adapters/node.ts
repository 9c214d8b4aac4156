/** For node:http, Express, and everything else that calls `(request, response)`. */

import type { IncomingMessage, ServerResponse } from "node:http";

import { TooLarge, UsageError } from "../errors.js";
import type { Receiver } from "../receiver.js";
import { type AdapterOptions, answerTo } from "./respond.js";

/** A request, and what may have been read of it before. */
type ReadRequest = IncomingMessage & { body?: unknown; rawBody?: unknown };

/**
 * A listener of `http.createServer`, or a handler of an Express route: `app.post("/webhooks", nodeHandler(receiver))`.
 *
 * It reads the body itself, up to the receiver's cap, and takes what `express.raw()` has read, or what is kept in
 * `request.rawBody` as cloud functions do. After `express.json()` alone the bytes are gone: such a request is answered
 * 500, and the error says what to change.
 */
export function nodeHandler(
  receiver: Receiver,
  options: AdapterOptions = {},
): (request: ReadRequest, response: ServerResponse) => Promise<void> {
  return async (request, response) => {
    const read = () => readBody(request, receiver.maxBodyBytes);
    const answer = await answerTo(receiver, read, request.headers, options);
    // What was not read to its end must not be taken for the next request.
    const ending: Record<string, string> = request.readableEnded ? {} : { connection: "close" };
    response.writeHead(answer.status, { ...answer.headers, ...ending });
    response.end(answer.body);
  };
}

async function readBody(request: ReadRequest, maxBytes: number): Promise<Uint8Array> {
  for (const kept of [request.rawBody, request.body]) if (kept instanceof Uint8Array) return kept;
  if (request.readableEnded) {
    throw new UsageError("the body was parsed already: mount the webhook before express.json(), or use express.raw()");
  }
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > maxBytes) throw new TooLarge(`the body is longer than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
