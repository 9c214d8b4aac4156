/** The client: fetch, a clock and timers around the core. */

import * as calls from "./calls.js";
import { Address, type Answer, type Call, DEADLINE, OngoingCall, type HttpRequest, type Loss, Patience, Wait, path } from "./core.js";
import { type Line, LineImport } from "./importing.js";
import type * as shapes from "./shapes.js";

export interface ClientOptions {
  /** The gateway's address, such as `https://gateway.example.com`. */
  readonly url: string;
  readonly key: string;
  /** For an operator's key, which may name any. */
  readonly tenant?: string;
  /** How long a call may take, with all its repeats: 30 seconds. */
  readonly deadline?: number;
  /** What makes requests in place of the global one: for a proxy, or certificates that the system does not know. */
  readonly fetch?: typeof globalThis.fetch;
}

/** Calls a gateway. Throws TypeError for a URL or key that cannot be one. */
export class Client extends calls.Nouns {
  override readonly documents: Documents;
  override readonly events: Events;
  readonly #address: Address;
  readonly #deadline: number;
  readonly #fetch: typeof globalThis.fetch;

  constructor({ url, key, tenant, deadline = DEADLINE, fetch = globalThis.fetch }: ClientOptions) {
    super();
    this.#address = new Address(url, key, tenant);
    this.#deadline = deadline;
    this.#fetch = fetch;
    this.documents = new Documents(this);
    this.events = new Events(this);
  }

  /**
   * Make a call, again if need be, and return its result. For calls that this release does not know; all others have a
   * method. Throws SignalpostError.
   */
  async send<T>(call: Call): Promise<T> {
    const ongoing = new OngoingCall<T>(this.#address, call, new Patience(this.#deadline, now()));
    for (;;) {
      const outcome = await this.#once(ongoing);
      if (!(outcome instanceof Wait)) return outcome;
      await sleep(outcome.seconds);
    }
  }

  async #once<T>(ongoing: OngoingCall<T>): Promise<T | Wait> {
    let answer: Answer;
    try {
      const response = await this.#fetched(ongoing.request, ongoing.timeout(now()));
      answer = await answerOf(response);
    } catch (error) {
      return ongoing.lost(lossOf(error), now());
    }
    return ongoing.answered(answer, now());
  }

  #fetched({ method, url, headers, content }: HttpRequest, timeout: number): Promise<Response> {
    const signal = AbortSignal.timeout(Math.ceil(timeout * 1000));
    return this.#fetch(url, { method, headers, body: content ?? null, redirect: "manual", signal });
  }

  /** What `documents.importLines` does. */
  async *importLines(lines: Iterable<Line> | AsyncIterable<Line>): AsyncGenerator<shapes.ImportedLine, void, undefined> {
    const importing = new LineImport(this.#address, new Patience(this.#deadline, now()));
    const left = each(lines);
    for (;;) {
      while (importing.hasRoom) {
        const { done, value } = await left.next();
        if (done) break;
        importing.take(value);
      }
      const request = importing.request();
      if (request === undefined) return;
      const wait = yield* this.#answers(importing, request);
      if (wait !== undefined) await sleep(wait.seconds);
    }
  }

  /** The answers to one request of an import. Returns what to wait for if lines of it have to be sent again. */
  async *#answers(
    importing: LineImport,
    request: HttpRequest,
  ): AsyncGenerator<shapes.ImportedLine, Wait | undefined, undefined> {
    let response: Response;
    try {
      response = await this.#fetched(request, importing.timeout(now()));
    } catch (error) {
      return importing.ended(now(), lossOf(error).reason);
    }
    let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
    try {
      if (response.status !== 200) return importing.refused(await answerOf(response), now());
      reader = response.body?.getReader();
      for (;;) {
        const part = await read(reader);
        if (part === undefined) return importing.ended(now());
        if (typeof part === "string") return importing.ended(now(), part);
        for (const answer of importing.answered(part, now())) {
          if (answer instanceof Wait) return answer;
          yield answer;
        }
      }
    } finally {
      await reader?.cancel().catch(() => undefined);
    }
  }
}

/** Calls of `/v1/documents`. */
export class Documents extends calls.Documents {
  readonly #client: Client;

  constructor(client: Client) {
    super(client);
    this.#client = client;
  }

  /**
   * Import many documents, and delete some: each line is a snapshot or deletion, or its JSON. Yields the answer to each
   * line in their order, once it is committed, or refused (`problem`); `line` counts from 1. Lines are taken as they are
   * needed. Whatever breaks, it goes on from the first line without an answer. `POST /v1/documents/import`.
   */
  importLines(lines: Iterable<Line> | AsyncIterable<Line>): AsyncGenerator<shapes.ImportedLine, void, undefined> {
    return this.#client.importLines(lines);
  }

  /** Upload a file as a new version. `POST /v1/documents/{externalId}/versions`. */
  uploadVersion(
    externalId: string,
    file: Blob | Uint8Array<ArrayBuffer> | string,
    given: { publish?: boolean; ifMatch?: string; idempotencyKey?: string } = {},
  ): Promise<shapes.Number> {
    const boundary = crypto.randomUUID();
    const content = new Blob([
      `--${boundary}\r\ncontent-disposition: form-data; name="publish"\r\n\r\n${given.publish ?? false}\r\n`,
      `--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="file"\r\n\r\n`,
      file,
      `\r\n--${boundary}--\r\n`,
    ]);
    return this.sender.send({
      method: "POST",
      path: path("documents", externalId, "versions"),
      replies: { 201: "json" },
      content,
      mediaType: `multipart/form-data; boundary=${boundary}`,
      ifMatch: given.ifMatch,
      isKeyed: true,
      idempotencyKey: given.idempotencyKey,
    });
  }
}

/** Calls of `/v1/events`. */
export class Events extends calls.Events {
  /**
   * Every event with a higher sequence, oldest first, and then those that come, asking `every` so many seconds. Keep the
   * `sequence` of the last that you handled, and go on after it. Throws Gone if the events after it are no longer kept.
   * `GET /v1/events`.
   */
  async *follow(
    after = 0,
    { every = 1, ...given }: { eventType?: shapes.EventType; externalId?: string; every?: number } = {},
  ): AsyncGenerator<shapes.LogEntry, void, undefined> {
    for (;;) {
      const page = await this.list({ ...given, after, limit: 250 });
      yield* page.data;
      if (page.last === after) await sleep(every);
      after = page.last;
    }
  }
}

function now(): number {
  return performance.now() / 1000;
}

function sleep(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}

async function* each(lines: Iterable<Line> | AsyncIterable<Line>): AsyncGenerator<Line, void, undefined> {
  yield* lines;
}

async function answerOf(response: Response): Promise<Answer> {
  const content = new Uint8Array(await response.arrayBuffer());
  return { status: response.status, headers: Object.fromEntries(response.headers), content };
}

/** The next part of a response; undefined at its end, and why there is none if it broke off. */
async function read(reader: ReadableStreamDefaultReader<Uint8Array> | undefined): Promise<Uint8Array | string | undefined> {
  try {
    return (await reader?.read())?.value;
  } catch (error) {
    return lossOf(error).reason;
  }
}

/** Codes of system errors before anything was sent. */
const NOT_SENT = new Set([
  "EAI_AGAIN", "ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "ENOTFOUND", "UND_ERR_CONNECT_TIMEOUT",
]);

/** What an error of fetch means. Only what the system said is quoted, and no header of ours. */
function lossOf(error: unknown): Loss {
  if (error instanceof Error && error.name === "TimeoutError") {
    return { wasSent: true, reason: "it took too long", timedOut: true };
  }
  const cause = error instanceof Error ? (error.cause as { code?: unknown } | undefined) : undefined;
  const code = typeof cause?.code === "string" ? cause.code : "";
  return { wasSent: !NOT_SENT.has(code), reason: code || "the connection was lost", timedOut: false };
}
