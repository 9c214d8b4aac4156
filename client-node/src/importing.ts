/**
 * An import of many lines, without any I/O.
 *
 * The lines go out in requests of bounded size, one after the other. A gateway reads as much before it waits until its
 * answers are read, so neither side ever waits for the other, although it answers while it still reads. A line counts as
 * done once it was answered. Whatever happens in between, the import goes on from the first line that was not, and a line
 * that is sent again changes nothing.
 */

import { type Address, type Answer, type HttpRequest, NOT_NOW, type Patience, Wait, decoded, path, refusal } from "./core.js";
import { NoAnswer, type ProblemDocument, type SignalpostError, UnexpectedAnswer, problemOf } from "./errors.js";
import type { ImportedLine } from "./shapes.js";

/** A gateway has 512 for lines whose answers are not read. A line takes one for each `PLACE_BYTES` that it begins. */
export const BATCH_PLACES = 500;
const PLACE_BYTES = 8 * 1024;
/** Proxies in front of a gateway often refuse bodies above a mebibyte. */
export const BATCH_BYTES = 512 * 1024;
/** Statuses of a line that the lines after it would have, too. */
const OF_THE_WHOLE: ReadonlySet<number> = new Set([401, 403]);
/** Codes that say so, whatever the status. */
const CODES_OF_THE_WHOLE: ReadonlySet<string> = new Set([
  "tenant_not_found",
  "tenant_paused",
  "tenant_takes_no_documents",
  "too_many_refused",
]);

/** A line of an import: a snapshot or deletion, or its JSON. */
export type Line = object | string;

interface NumberedLine {
  readonly number: number;
  readonly content: string;
  readonly size: number;
  readonly places: number;
}

/** Which lines are under way, and what to do next. */
export class LineImport {
  #taken = 0;
  /** Lines that were taken and not answered. */
  #waiting: NumberedLine[] = [];
  #bytes = 0;
  #places = 0;
  #sent: NumberedLine[] = [];
  #answers = new LineSplitter();

  constructor(
    private readonly address: Address,
    /** Its time begins anew whenever a line was answered, and when there are lines to send after that. */
    private readonly patience: Patience,
  ) {}

  /** Whether the next request has room for one more line. */
  get hasRoom(): boolean {
    return this.#places < BATCH_PLACES && this.#bytes < BATCH_BYTES;
  }

  /** Add a line. */
  take(line: Line): void {
    this.#taken += 1;
    const content = (typeof line === "string" ? line : JSON.stringify(line)).trim();
    if (!content) return;
    const size = new TextEncoder().encode(content).length;
    const places = 1 + Math.floor(size / PLACE_BYTES);
    this.#waiting.push({ number: this.#taken, content, size, places });
    this.#bytes += size;
    this.#places += places;
  }

  /** The next request; undefined if every line was answered. */
  request(): HttpRequest | undefined {
    this.#sent = [];
    this.#answers = new LineSplitter();
    let [size, places] = [0, 0];
    for (const line of this.#waiting) {
      size += line.size + 1;
      places += line.places;
      if (this.#sent.length > 0 && (size > BATCH_BYTES || places > BATCH_PLACES)) break;
      this.#sent.push(line);
    }
    if (this.#sent.length === 0) return undefined;
    const content = this.#sent.map((line) => `${line.content}\n`).join("");
    const mediaType = "application/x-ndjson";
    return this.address.request({ method: "POST", path: path("documents", "import"), replies: {}, content, mediaType }, {});
  }

  /** Seconds that the gateway may take until it answered them all, or was lost. */
  timeout(now: number): number {
    this.#beginIfThereWasProgress(now);
    this.patience.tries += 1;
    return this.patience.ofOneTry(now);
  }

  /**
   * The answers in a part of a response. After a Wait the rest of the response is of no use: the import goes on with
   * another request. Throws what the lines after it would suffer, too.
   */
  *answered(part: Uint8Array, now: number): Generator<ImportedLine | Wait, void, undefined> {
    for (const raw of this.#answers.lines(part)) {
      const answer = this.#line(raw, now);
      yield answer;
      if (answer instanceof Wait) return;
    }
  }

  /** What to do if the gateway took no line at all. Throws why, if it is not to be asked again. */
  refused(answer: Answer, now: number): Wait {
    const error = refusal(answer, this.address.url);
    if (!NOT_NOW.has(answer.status)) throw error;
    return this.#wait(error, now);
  }

  /**
   * What to do at the end of a response: undefined if every line that was sent has its answer. Throws NoAnswer if there
   * was no progress until the deadline.
   */
  ended(now: number, reason = "the connection ended before every line was answered"): Wait | undefined {
    const first = this.#waiting[0];
    const last = this.#sent.at(-1);
    if (first === undefined || last === undefined || first.number > last.number) return undefined;
    const about = `${this.address.url} did not answer line ${first.number} and those after it (${reason}). Import them again.`;
    return this.#wait(new NoAnswer(about, true), now);
  }

  #line(raw: string, now: number): ImportedLine | Wait {
    const given = decoded(raw) as (ImportedLine & { problem?: ProblemDocument }) | undefined;
    const sent = typeof given === "object" && given !== null ? this.#sent[given.line - 1] : undefined;
    if (given === undefined || sent === undefined || sent !== this.#waiting[0]) {
      throw new UnexpectedAnswer(`${this.address.url} answered an import in a way that this client does not know.`);
    }
    const problem: ProblemDocument = given.problem ?? { code: "" };
    if (NOT_NOW.has(given.status) || problem.code === "incomplete_body") {
      return this.#wait(problemOf(given.status, problem), now);
    }
    if (OF_THE_WHOLE.has(given.status) || CODES_OF_THE_WHOLE.has(problem.code)) throw problemOf(given.status, problem);
    this.#waiting.shift();
    this.#bytes -= sent.size;
    this.#places -= sent.places;
    this.patience.tries = 0;
    return { ...given, line: sent.number };
  }

  #wait(error: SignalpostError, now: number): Wait {
    this.#beginIfThereWasProgress(now);
    return new Wait(this.patience.pause(error, now));
  }

  #beginIfThereWasProgress(now: number): void {
    if (this.patience.tries === 0) this.patience.beginAgain(now);
  }
}

/** Lines of text that come as parts of bytes. An end without a newline is no line. */
export class LineSplitter {
  #rest = "";
  readonly #decoder = new TextDecoder();

  lines(part: Uint8Array): string[] {
    const lines = (this.#rest + this.#decoder.decode(part, { stream: true })).split("\n");
    this.#rest = lines.pop() ?? "";
    return lines.filter((line) => line !== "");
  }
}
