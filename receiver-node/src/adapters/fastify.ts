/** For Fastify: a plugin with one route, in which bodies stay bytes. */

import { UsageError } from "../errors.js";
import type { HeadersLike } from "../headers.js";
import type { Receiver } from "../receiver.js";
import { type AdapterOptions, answerTo } from "./respond.js";

/** An instance of Fastify. Its own types are not named, so that this package needs none of it to be compiled. */
export interface FastifyLike {
  removeAllContentTypeParsers(): unknown;
  addContentTypeParser: (...rest: never) => unknown;
  post: (...rest: never) => unknown;
}

/** The calls that the plugin makes of it. */
interface FastifyCalls {
  addContentTypeParser(
    type: "*",
    options: { parseAs: "buffer" },
    parser: (request: unknown, body: Uint8Array, done: (error: null, body: Uint8Array) => void) => void,
  ): void;
  post(
    path: string,
    options: { bodyLimit: number },
    handler: (request: RequestLike, reply: ReplyLike) => Promise<unknown>,
  ): void;
}

interface RequestLike {
  readonly body: unknown;
  readonly headers: HeadersLike;
}

interface ReplyLike {
  code(status: number): ReplyLike;
  headers(headers: Readonly<Record<string, string>>): ReplyLike;
  send(body: string): unknown;
}

/**
 * `app.register(fastifyReceiver(receiver, "/webhooks"))`. The other routes keep their own parsers: the plugin changes
 * those of its own route alone.
 */
export function fastifyReceiver(
  receiver: Receiver,
  path: string,
  options: AdapterOptions = {},
): (app: FastifyLike) => Promise<void> {
  return async (app) => {
    const calls = app as unknown as FastifyCalls;
    app.removeAllContentTypeParsers();
    calls.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
    calls.post(path, { bodyLimit: receiver.maxBodyBytes }, async (request, reply) => {
      const answer = await answerTo(receiver, async () => bytesOf(request.body), request.headers, options);
      return reply.code(answer.status).headers(answer.headers).send(answer.body);
    });
  };
}

function bytesOf(body: unknown): Uint8Array {
  if (body === undefined || body === null) return new Uint8Array(); // a request without a body
  if (body instanceof Uint8Array) return body;
  throw new UsageError("the body was parsed already: register the plugin without fastify-plugin, so that it is its own");
}
