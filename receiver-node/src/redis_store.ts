/**
 * A store in Redis or Valkey, for any number of machines. Each call is one Lua script, which nothing interrupts.
 *
 * The keys, all below a prefix in braces, so that a cluster keeps them together:
 *
 *     {signalpost}:event:ID           hash: state (claimed, handled, held), token, until, document, position, body, hints
 *     {signalpost}:document:DOCUMENT  hash: position (the mark), until, token, lease_until
 *     {signalpost}:due                sorted set: the ids of held events, by when they are due
 *     {signalpost}:held:DOCUMENT      sorted set: "position id" of the document's held events
 *
 * Times are compared as they are passed in; keys expire by the server's clock, an hour after they no longer count, so that
 * the commit of a handler that was slow still finds its claim.
 */

import { createHash, randomBytes } from "node:crypto";

import { COMMON, SCRIPTS } from "./redis_scripts.js";
import type { Claim, Held, HoldingStore, Item } from "./stores.js";

/** What is used of a client of the package `redis`. */
export interface NodeRedisClient {
  sendCommand(command: string[]): Promise<unknown>;
}

/** What is used of a client of the package `ioredis`; a program with another client can make an object with this call. */
export interface IoredisClient {
  call(command: string, ...args: string[]): Promise<unknown>;
}

export type RedisClient = NodeRedisClient | IoredisClient;

type Answer = (string | Uint8Array)[];

/** Remembers events in Redis. It is durable only as far as the server is. */
export class RedisStore implements HoldingStore {
  readonly #send: (command: string[]) => Promise<unknown>;
  readonly #prefix: string;

  /** `prefix` tells the receivers of different subscriptions apart; keep its braces in a cluster. */
  constructor(client: RedisClient, { prefix = "{signalpost}" }: { prefix?: string } = {}) {
    // A client of ioredis has `sendCommand` too, with another meaning.
    this.#send = "call" in client ? async ([name = "", ...rest]) => client.call(name, ...rest) : (all) => client.sendCommand(all);
    this.#prefix = prefix;
  }

  async claim(item: Item, { now, leaseUntil }: { now: number; leaseUntil: number }): Promise<Claim> {
    const { eventId, document, position } = item;
    return claimOf(await this.#run("claim", eventId, document ?? "", position, newToken(), now, leaseUntil));
  }

  async commit(item: Item, token: string, { now, forgetAt }: { now: number; forgetAt: number }): Promise<boolean> {
    const { eventId, document, position } = item;
    return Number(await this.#run("commit", eventId, document ?? "", position, token, now, forgetAt)) === 1;
  }

  async release({ eventId, document }: Item, token: string, { againAt }: { againAt: number }): Promise<void> {
    await this.#run("release", eventId, document ?? "", token, againAt);
  }

  async hold(item: Item, body: Uint8Array, hints: string, times: { now: number; dueAt: number }): Promise<Claim> {
    const { eventId, document, position } = item;
    const { now, dueAt } = times;
    const text = Buffer.from(body).toString(); // as it was: what is held was verified, and so is UTF-8
    return claimOf(await this.#run("hold", eventId, document ?? "", position, newToken(), now, dueAt, text, hints));
  }

  async take({ now, leaseUntil }: { now: number; leaseUntil: number }): Promise<Held | null> {
    const token = newToken();
    const answer = (await this.#run("take", token, now, leaseUntil)) as Answer;
    if (answer.length === 0) return null;
    const [eventId = "", document = "", position = "", body = "", hints = ""] = answer.map(textOf);
    return { item: { eventId, document, position }, token, body: Buffer.from(body), hints };
  }

  async forget(eventId: string): Promise<void> {
    await this.#run("forget", eventId);
  }

  async #run(name: keyof typeof SCRIPTS, ...args: (string | number)[]): Promise<unknown> {
    const { text, digest } = COMPLETE[name];
    const rest = ["1", this.#prefix, ...args.map(String)];
    try {
      return await this.#send(["EVALSHA", digest, ...rest]);
    } catch (error) {
      // The server does not have the script yet, or no longer, after a restart.
      if (error instanceof Error && error.message.startsWith("NOSCRIPT")) return this.#send(["EVAL", text, ...rest]);
      throw error;
    }
  }
}

const COMPLETE = {
  claim: complete(SCRIPTS.claim),
  commit: complete(SCRIPTS.commit),
  release: complete(SCRIPTS.release),
  hold: complete(SCRIPTS.hold),
  take: complete(SCRIPTS.take),
  forget: complete(SCRIPTS.forget),
};

function complete(script: string): { text: string; digest: string } {
  const text = COMMON + script;
  return { text, digest: createHash("sha1").update(text).digest("hex") };
}

function claimOf(answer: unknown): Claim {
  const [kind, detail = ""] = (answer as Answer).map(textOf);
  if (kind === "claimed") return { kind, token: detail };
  if (kind === "busy") return { kind, until: Number(detail) };
  return { kind: kind === "stale" ? "stale" : "handled" };
}

/** A client may be set to give what the server answers as bytes. */
function textOf(value: string | Uint8Array): string {
  return typeof value === "string" ? value : Buffer.from(value).toString();
}

function newToken(): string {
  return randomBytes(8).toString("hex");
}
