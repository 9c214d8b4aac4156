/**
 * Decodes JSON that another program may have made to confuse its readers.
 *
 * `JSON.parse` keeps the last of two equal names without a word, rounds money, and lets half a character through that
 * no file or database takes afterwards. This decoder keeps every number as it was written, notes the objects that have
 * a name twice, and is total: for any bytes, it returns or throws InvalidJSON or TooDeep.
 */

import { InvalidJSON, TooDeep } from "./errors.js";

/** How deeply arrays and objects may be nested, the body's own included. An event's are nested 4 deep. */
export const MAX_DEPTH = 32;

/** What a body's JSON is read into. A whole number that no `number` holds exactly is a `bigint`. */
export type Json = null | boolean | number | bigint | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [name: string]: Json;
}

export interface Decoded {
  readonly value: Json;
  /** The objects that have a name more than once, with the last value of each. */
  readonly repeated: ReadonlySet<JsonObject>;
  /** The text of the number that an object has under a name, as it was written. */
  numberText(object: JsonObject, name: string): string | undefined;
  /** The text of an object, as it was written. */
  textOf(object: JsonObject): string;
}

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const [QUOTE, COMMA, MINUS, ZERO, NINE, COLON] = [0x22, 0x2c, 0x2d, 0x30, 0x39, 0x3a];
const [OPEN_BRACKET, BACKSLASH, CLOSE_BRACKET, OPEN_BRACE, CLOSE_BRACE] = [0x5b, 0x5c, 0x5d, 0x7b, 0x7d];
const WORD = /true|false|null/y;
const WORDS: ReadonlyMap<string, boolean> = new Map([
  ["true", true],
  ["false", false],
]);
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const UNESCAPED = /[^"\\\u0000-\u001f]*/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
const SPACE = /[ \t\n\r]*/y;

export function decode(body: Uint8Array): Decoded {
  let text: string;
  try {
    text = UTF8.decode(body);
  } catch {
    throw new InvalidJSON("the body is not UTF-8");
  }
  return new Decoder(text).decode();
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

class Decoder implements Decoded {
  readonly repeated = new Set<JsonObject>();
  readonly #numbers = new Map<JsonObject, Map<string, string>>();
  readonly #spans = new Map<JsonObject, readonly [start: number, end: number]>();
  readonly #text: string;
  #at = 0;
  #depth = 0;
  value: Json = null;

  constructor(text: string) {
    this.#text = text;
  }

  numberText(object: JsonObject, name: string): string | undefined {
    return this.#numbers.get(object)?.get(name);
  }

  textOf(object: JsonObject): string {
    return this.#text.slice(...(this.#spans.get(object) ?? [0, 0]));
  }

  decode(): this {
    this.#skipSpace();
    this.value = this.#value();
    this.#skipSpace();
    if (this.#at < this.#text.length) throw this.#wrong();
    return this;
  }

  #value(): Json {
    const next = this.#text.charCodeAt(this.#at);
    if (next === QUOTE) return this.#string();
    if (next === OPEN_BRACE) return this.#nested(() => this.#object());
    if (next === OPEN_BRACKET) return this.#nested(() => this.#array());
    if (next === MINUS || (next >= ZERO && next <= NINE)) return toNumber(this.#match(NUMBER));
    return WORDS.get(this.#match(WORD)) ?? null;
  }

  #nested<Kind extends Json>(read: () => Kind): Kind {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) throw new TooDeep(`the body is nested more than ${MAX_DEPTH} deep`);
    this.#at += 1;
    this.#skipSpace();
    const value = read();
    this.#depth -= 1;
    return value;
  }

  #object(): JsonObject {
    const object: Record<string, Json> = {};
    const opened = this.#text.lastIndexOf("{", this.#at - 1);
    if (!this.#takes(CLOSE_BRACE)) this.#readMembers(object);
    this.#spans.set(object, [opened, this.#at]);
    return Object.freeze(object);
  }

  #readMembers(object: Record<string, Json>): void {
    do {
      this.#skipSpace();
      if (this.#text.charCodeAt(this.#at) !== QUOTE) throw this.#wrong();
      const name = this.#string();
      this.#skipSpace();
      if (!this.#takes(COLON)) throw this.#wrong();
      this.#skipSpace();
      const start = this.#at;
      const value = this.#value();
      if (Object.hasOwn(object, name)) this.repeated.add(object);
      set(object, name, value);
      if (typeof value === "number" || typeof value === "bigint") this.#keepNumber(object, name, start);
      this.#skipSpace();
    } while (this.#takes(COMMA));
    if (!this.#takes(CLOSE_BRACE)) throw this.#wrong();
  }

  #keepNumber(object: JsonObject, name: string, start: number): void {
    const texts = this.#numbers.get(object) ?? new Map<string, string>();
    this.#numbers.set(object, texts.set(name, this.#text.slice(start, this.#at)));
  }

  #array(): readonly Json[] {
    const array: Json[] = [];
    if (this.#takes(CLOSE_BRACKET)) return Object.freeze(array);
    do {
      this.#skipSpace();
      array.push(this.#value());
      this.#skipSpace();
    } while (this.#takes(COMMA));
    if (!this.#takes(CLOSE_BRACKET)) throw this.#wrong();
    return Object.freeze(array);
  }

  /** Read in pieces: one pattern for a whole string would need a stack as deep as a hostile string is long. */
  #string(): string {
    const start = this.#at;
    let isEscaped = false;
    this.#at += 1;
    this.#skip(UNESCAPED);
    while (this.#text.charCodeAt(this.#at) === BACKSLASH) {
      isEscaped = true;
      this.#match(ESCAPE);
      this.#skip(UNESCAPED);
    }
    if (!this.#takes(QUOTE)) throw this.#wrong();
    if (!isEscaped) return this.#text.slice(start + 1, this.#at - 1);
    const value = JSON.parse(this.#text.slice(start, this.#at)) as string;
    if (/\p{Surrogate}/u.test(value)) throw new InvalidJSON("the body has half of a surrogate pair in a string");
    return value;
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (found === null) throw this.#wrong();
    this.#at = pattern.lastIndex;
    return found[0];
  }

  #takes(character: number): boolean {
    if (this.#text.charCodeAt(this.#at) !== character) return false;
    this.#at += 1;
    return true;
  }

  #skipSpace(): void {
    if (this.#text.charCodeAt(this.#at) > 0x20) return; // as nearly always: bodies are compact
    this.#skip(SPACE);
  }

  /** Go beyond what a pattern takes, which may be nothing. */
  #skip(pattern: RegExp): void {
    pattern.lastIndex = this.#at;
    pattern.test(this.#text);
    this.#at = pattern.lastIndex;
  }

  #wrong(): InvalidJSON {
    return new InvalidJSON(`the body is not JSON at character ${this.#at}`);
  }
}

function set(object: Record<string, Json>, name: string, value: Json): void {
  if (name !== "__proto__") object[name] = value;
  else Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
}

function toNumber(text: string): number | bigint {
  const value = Number(text);
  if (!Number.isFinite(value)) throw new InvalidJSON("the body has a number that cannot be read");
  return Number.isSafeInteger(value) || /[.eE]/.test(text) ? value : BigInt(text);
}
