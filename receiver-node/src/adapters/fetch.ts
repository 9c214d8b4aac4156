/** For everything that has the Fetch API's `Request` and `Response`: Hono, Next.js, Remix, Deno, Bun. */

import { TooLarge, UsageError } from "../errors.js";
import type { Receiver } from "../receiver.js";
import { type AdapterOptions, answerTo } from "./respond.js";

/**
 * Answers a `Request`: `export const POST = fetchHandler(receiver)` in Next.js,
 * `app.post("/webhooks", (c) => handler(c.req.raw))` in Hono.
 */
export function fetchHandler(receiver: Receiver, options: AdapterOptions = {}): (request: Request) => Promise<Response> {
  return async (request) => {
    const read = () => readBody(request, receiver.maxBodyBytes);
    const { status, headers, body } = await answerTo(receiver, read, request.headers, options);
    return new Response(body === "" ? null : body, { status, headers });
  };
}

async function readBody(request: Request, maxBytes: number): Promise<Uint8Array> {
  if (request.bodyUsed) {
    throw new UsageError("the body was read already: give the handler the request before anything else reads it");
  }
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = request.body?.getReader();
  for (let part = await reader?.read(); part !== undefined && !part.done; part = await reader?.read()) {
    length += part.value.length;
    if (length > maxBytes) {
      await reader?.cancel();
      throw new TooLarge(`the body is longer than ${maxBytes} bytes`);
    }
    chunks.push(part.value);
  }
  return Buffer.concat(chunks);
}
