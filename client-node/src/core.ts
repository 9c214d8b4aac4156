/**
 * A call from its arguments to its answer, without any I/O.
 *
 * An `OngoingCall` is one call with its repeats. It says which request to send, and is told of the answer, or that there
 * is none. Then it has the result, throws what is wrong, or says how long to wait before the same request is sent once
 * more. All repeats of a change share one `Idempotency-Key`, so that it is made once. A call without a key is repeated
 * only if it changes nothing, or if the gateway said that nothing was done.
 */

import {
  DeadlinePassed,
  NoAnswer,
  Problem,
  type ProblemDocument,
  type SignalpostError,
  UnexpectedAnswer,
  problemOf,
} from "./errors.js";

/** Seconds that a call may take, repeats and waits included. */
export const DEADLINE = 30;
/** No try may take more than this part of the time that a call has, so that there is time for as many. */
const TRIES = 3;
/** Seconds between repeats if the gateway does not say how long; each is up to twice as long as the one before. */
const FIRST_PAUSE = 0.1;
const LONGEST_PAUSE = 5;
/** Statuses after which a repeat may fare better. 502 and 504 are of proxies, and so may 503 be. */
export const NOT_NOW: ReadonlySet<number> = new Set([429, 502, 503, 504]);

/** One call of the API. */
export interface Call {
  readonly method: string;
  readonly path: string;
  /** What each status answers. If there is none, the result is the `Answer` itself, of any status below 300. */
  readonly replies: Readonly<Record<number, "json" | "bytes" | "none">>;
  readonly query?: Readonly<Record<string, unknown>>;
  /** What is sent as JSON. Members that are undefined are left out. */
  readonly body?: unknown;
  /** What is sent as it is, in place of `body`. */
  readonly content?: string | Blob;
  readonly mediaType?: string;
  readonly ifMatch?: string | undefined;
  /** Whether the call takes an `Idempotency-Key`. */
  readonly isKeyed?: boolean;
  readonly idempotencyKey?: string | undefined;
}

/** What is to be sent. */
export interface HttpRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly content: string | Blob | undefined;
}

/** What came back. */
export interface Answer {
  readonly status: number;
  /** By name in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly content: Uint8Array;
}

/** The same request is to be sent again, after so many seconds. */
export class Wait {
  constructor(readonly seconds: number) {}
}

/** Where a gateway is, and who calls it. */
export class Address {
  readonly url: string;
  readonly #headers: Readonly<Record<string, string>>;

  /** Throws TypeError, which never shows the key. */
  constructor(url: string, key: string, tenant?: string) {
    if (!/^https?:\/\/[^/?#@]+(\/[^?#]*)?$/.test(url)) {
      throw new TypeError("The URL of a gateway is http(s)://host:port, without a user name and a query.");
    }
    for (const [name, value] of [["key", key], ["tenant", tenant ?? ""]] as const) {
      if (!/^[!-~]*$/.test(value)) {
        throw new TypeError(`The ${name} must be printable ASCII characters only, without spaces.`);
      }
    }
    this.url = url.replace(/\/+$/, "");
    this.#headers = {
      accept: "application/json",
      ...(key ? { authorization: `Bearer ${key}` } : {}),
      ...(tenant === undefined ? {} : { "signalpost-tenant": tenant }),
    };
  }

  /** The request of a call. */
  request(call: Call, headers: Readonly<Record<string, string>>): HttpRequest {
    const given = new URLSearchParams();
    for (const [name, value] of Object.entries(call.query ?? {})) {
      if (value !== undefined && value !== null) given.set(name, value instanceof Date ? value.toISOString() : String(value));
    }
    const content = call.body === undefined ? call.content : JSON.stringify(call.body);
    const about: Record<string, string> =
      content === undefined ? {} : { "content-type": call.mediaType ?? "application/json" };
    const query = given.toString();
    const url = `${this.url}${call.path}${query ? `?${query}` : ""}`;
    return { method: call.method, url, headers: { ...this.#headers, ...about, ...headers }, content };
  }
}

/** A path of the API with these parts, each percent-encoded. */
export function path(...parts: readonly string[]): string {
  return `/v1/${parts.map(encodeURIComponent).join("/")}`;
}

/** How long to wait between repeats, until a deadline. Times are in seconds. */
export class Patience {
  tries = 0;
  ends: number;
  #pause = FIRST_PAUSE;

  constructor(
    readonly seconds: number,
    now: number,
    readonly jitter: () => number = Math.random,
  ) {
    this.ends = now + seconds;
  }

  /** There was progress: what comes has the whole time again. */
  beginAgain(now: number): void {
    this.#pause = FIRST_PAUSE;
    this.tries = 0;
    this.ends = now + this.seconds;
  }

  /** Seconds that the next try may take. */
  ofOneTry(now: number): number {
    return Math.max(0.001, Math.min(this.ends - now, this.seconds / TRIES));
  }

  left(now: number): number {
    return Math.max(0.001, this.ends - now);
  }

  /** Seconds to wait before the next try. Throws the error if there is no time for one. */
  pause(error: SignalpostError, now: number): number {
    const asked = error instanceof Problem ? error.retryAfter : undefined;
    const pause = this.#pause * (0.5 + this.jitter() / 2);
    this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE);
    const wait = (asked ?? 0) + pause;
    if (now + wait >= this.ends) throw error;
    return wait;
  }
}

/** Why there is no answer. */
export interface Loss {
  /** Whether the gateway may have read the request. */
  readonly wasSent: boolean;
  readonly reason: string;
  readonly timedOut: boolean;
}

/** One call with its repeats. */
export class OngoingCall<T> {
  readonly request: HttpRequest;
  readonly #address: Address;
  readonly #call: Call;
  readonly #patience: Patience;
  readonly #key: string | undefined;
  readonly #mayRepeat: boolean;

  constructor(address: Address, call: Call, patience: Patience) {
    this.#address = address;
    this.#call = call;
    this.#patience = patience;
    this.#key = call.isKeyed ? (call.idempotencyKey ?? crypto.randomUUID()) : undefined;
    this.#mayRepeat = call.isKeyed === true || call.method === "GET";
    this.request = address.request(call, {
      ...(this.#key === undefined ? {} : { "idempotency-key": this.#key }),
      ...(call.ifMatch === undefined ? {} : { "if-match": call.ifMatch }),
    });
  }

  /** Seconds that the next try may take. What cannot be repeated has all the time there is. */
  timeout(now: number): number {
    this.#patience.tries += 1;
    return this.#mayRepeat ? this.#patience.ofOneTry(now) : this.#patience.left(now);
  }

  /** What to do with an answer: it is the result, or the request is sent again. Throws what is wrong with it. */
  answered(answer: Answer, now: number): T | Wait {
    const kind = this.#call.replies[answer.status];
    if (kind !== undefined) return this.#result(answer, kind);
    if (Object.keys(this.#call.replies).length === 0 && answer.status >= 200 && answer.status < 300) return answer as T;
    const error = this.#refusal(answer);
    if (NOT_NOW.has(answer.status) && this.#mayFollow(error)) return new Wait(this.#patience.pause(error, now));
    throw error;
  }

  /** What to do without an answer. Throws NoAnswer if it is not to be sent again. */
  lost({ wasSent, reason, timedOut }: Loss, now: number): Wait {
    const unknown = wasSent && this.#call.method !== "GET";
    const tries = this.#patience.tries > 1 ? ` after ${this.#patience.tries} tries` : "";
    const about = unknown ? " The change may have been made." : "";
    const Kind = timedOut ? DeadlinePassed : NoAnswer;
    const error = new Kind(`${this.#address.url} did not answer${tries} (${reason}).${about}`, unknown, this.#key);
    if (wasSent && !this.#mayRepeat) throw error;
    return new Wait(this.#patience.pause(error, now));
  }

  #refusal(answer: Answer): SignalpostError {
    const error = refusal(answer, this.#address.url);
    if (error instanceof Problem || !NOT_NOW.has(answer.status)) return error;
    const about = `Something in front of ${this.#address.url} answered ${answer.status}, and not the gateway.`;
    return new NoAnswer(about, this.#call.method !== "GET", this.#key);
  }

  /** Whether a repeat after this refusal does nothing twice. */
  #mayFollow(error: SignalpostError): boolean {
    return this.#mayRepeat || (error instanceof Problem && error.code !== "outcome_unknown");
  }

  #result(answer: Answer, kind: "json" | "bytes" | "none"): T {
    if (kind === "none") return undefined as T;
    if (kind === "bytes") return answer.content as T;
    const found = decoded(answer.content);
    if (typeof found !== "object" || found === null) {
      throw new UnexpectedAnswer(
        `${this.#address.url} answered ${this.#call.method} ${this.#call.path} with something that is no JSON object. ` +
          "Is the URL right?",
      );
    }
    headers.set(found, answer.headers);
    return found as T;
  }
}

const headers = new WeakMap<object, Readonly<Record<string, string>>>();

/**
 * The headers of the response that an answer came with, by name in lower case; parts of an answer have none. `etag` is
 * for `ifMatch`, `signalpost-event` names the event that a change made.
 */
export function headersOf(answer: object): Readonly<Record<string, string>> {
  return headers.get(answer) ?? {};
}

/** JSON, or undefined for what is none. */
export function decoded(content: Uint8Array | string): unknown {
  try {
    return JSON.parse(typeof content === "string" ? content : new TextDecoder().decode(content));
  } catch {
    return undefined;
  }
}

/** The error that an answer tells of. */
export function refusal(answer: Answer, url: string): SignalpostError {
  const document = decoded(answer.content);
  if (answer.status >= 400 && typeof document === "object" && document !== null && "code" in document) {
    const asked = answer.headers["retry-after"] ?? "";
    return problemOf(answer.status, document as ProblemDocument, /^\d+$/.test(asked) ? Number(asked) : undefined);
  }
  return new UnexpectedAnswer(
    `${url} answered ${answer.status}, but not as a Signalpost gateway would. Is the URL right?`,
  );
}

