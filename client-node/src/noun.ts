/** What the generated calls stand on, and lists that go from page to page. */

import type { Call } from "./core.js";

export { path } from "./core.js";

/** Sends calls. */
export interface Sender {
  send<T>(call: Call): Promise<T>;
}

/** The calls of one noun. */
export class Noun {
  constructor(protected readonly sender: Sender) {}
}

/** A page of a list. */
export interface Page<T> {
  readonly data: readonly T[];
  readonly next: string | null;
}

/**
 * A list. Iterating over it asks for one page after the other, as they are needed; a page may be short, or empty, and not
 * be the last.
 */
export class Pages<T> implements AsyncIterable<T> {
  constructor(
    private readonly sender: Sender,
    private readonly call: Call,
  ) {}

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for await (const page of this.pages()) yield* page.data;
  }

  /** The pages themselves; `headersOf(page)` has the headers of each. */
  async *pages(): AsyncGenerator<Page<T>, void, undefined> {
    let cursor: string | null | undefined;
    do {
      const page: Page<T> = await this.sender.send({ ...this.call, query: { ...this.call.query, cursor } });
      yield page;
      cursor = page.next;
    } while (cursor !== null);
  }
}

/** The named members of what a call was given, as far as they are there. */
export function pick(given: object, names: readonly string[]): Record<string, unknown> {
  const all = given as Record<string, unknown>;
  return Object.fromEntries(names.filter((name) => all[name] !== undefined).map((name) => [name, all[name]]));
}
