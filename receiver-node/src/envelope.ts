/**
 * Reads the body of an event (C1 to C13): every attribute by name and kind, and nothing but PayloadError thrown.
 *
 * What the contract may add later (attributes, event types, statuses) passes through; what it promises must be there.
 */

import { type Decoded, type Json, type JsonObject, decode, isObject } from "./decoding.js";
import { DuplicateKey, Schema } from "./errors.js";
import type { Document, Hints, Version, WebhookEvent } from "./event.js";
import { isDate, plusSeconds, toUtc } from "./timestamps.js";

/** How long a link to a version works, from the event's `createdAt` (C10). */
const LINK_LIFETIME_SECONDS = 15 * 60;
/** The longest id of an event that is taken. The gateway's have 36 characters. */
const MAX_ID_LENGTH = 256;
const MAX_EXPONENT = 100;
const ENVELOPE_KEYS = new Set(["id", "type", "createdAt", "data"]);
const VERSION_KEYS = new Set(["number", "downloadUrl"]);
const DOCUMENT_KEYS = new Set([
  "type",
  "title",
  "status",
  "createdAt",
  "sourceApp",
  "startDate",
  "executedAt",
  "expiryDate",
  "externalId",
  "ownerEmail",
  "authorEmail",
  "referenceId",
  "contractValue",
  "latestVersion",
  "additionalFacts",
  "counterpartyName",
  "publishedVersion",
]);
const TYPES_WITH_DOCUMENT = new Set(["documentCreated", "documentUpdated", "documentDeleted"]);

export const NO_HINTS: Hints = { sequence: null, attempt: null, isReplay: false, isTest: false };

/**
 * Read an event's body, which must have been verified before: this checks its form, not its origin.
 *
 * A name that comes twice is refused, except in `additionalFacts`: the page's own example has one there, and its last
 * value counts. Throws InvalidJSON, TooDeep, DuplicateKey or Schema, for any bytes.
 */
export function parse(body: Uint8Array, hints: Hints = NO_HINTS): WebhookEvent {
  return readEvent(decode(body), hints);
}

/** The event that was decoded. Throws DuplicateKey or Schema. */
export function readEvent(decoded: Decoded, hints: Hints): WebhookEvent {
  const envelope = new Members(decoded, decoded.value, "event");
  const id = envelope.text("id");
  if (id.length === 0 || [...id].length > MAX_ID_LENGTH) {
    throw new Schema(`event.id is empty or longer than ${MAX_ID_LENGTH} characters`);
  }
  const type = envelope.text("type");
  const createdAt = envelope.timestamp("createdAt");
  const data = envelope.object("data");
  const content = data.values["document"];
  const hasDocument = TYPES_WITH_DOCUMENT.has(type) || isObject(content);
  const document = hasDocument ? readDocument(data.object("document"), createdAt) : null;
  for (const object of decoded.repeated) {
    if (object !== document?.additionalFacts) {
      throw new DuplicateKey("an object in the body has a name more than once");
    }
  }
  const extra = envelope.without(ENVELOPE_KEYS);
  return Object.freeze({ id, type, createdAt, document, data: data.values, extra, ...hints });
}

function readDocument(document: Members, eventCreatedAt: string): Document {
  const expiresAt = plusSeconds(eventCreatedAt, LINK_LIFETIME_SECONDS);
  if (expiresAt === null) throw new Schema("event.createdAt is too late in the year 9999");
  return Object.freeze({
    type: document.text("type"),
    title: document.text("title"),
    status: document.text("status"),
    createdAt: document.timestamp("createdAt"),
    sourceApp: document.text("sourceApp"),
    startDate: document.day("startDate"),
    executedAt: document.optional("executedAt", (name) => document.timestamp(name)),
    expiryDate: document.day("expiryDate"),
    externalId: document.text("externalId"),
    ownerEmail: document.text("ownerEmail"),
    authorEmail: document.text("authorEmail"),
    referenceId: document.optional("referenceId", (name) => document.text(name)),
    contractValue: document.optional("contractValue", (name) => document.number(name)),
    latestVersion: document.optional("latestVersion", (name) => readVersion(document.object(name), expiresAt)),
    additionalFacts: document.object("additionalFacts").values,
    counterpartyName: document.optional("counterpartyName", (name) => document.text(name)),
    publishedVersion: document.optional("publishedVersion", (name) => readVersion(document.object(name), expiresAt)),
    extra: document.without(DOCUMENT_KEYS),
  });
}

function readVersion(version: Members, expiresAt: string): Version {
  return Object.freeze({
    number: version.text("number"),
    downloadUrl: version.text("downloadUrl"),
    expiresAt,
    extra: version.without(VERSION_KEYS),
  });
}

/** A JSON object whose attributes are taken by name and kind; `path` says where it is in the body. */
class Members {
  readonly values: JsonObject;
  readonly #decoded: Decoded;
  readonly #path: string;

  constructor(decoded: Decoded, value: Json, path: string) {
    if (!isObject(value)) throw new Schema(`${path} is not an object`);
    this.values = value;
    this.#decoded = decoded;
    this.#path = path;
  }

  optional<Value>(name: string, read: (name: string) => Value): Value | null {
    return this.#take(name) === null ? null : read(name);
  }

  object(name: string): Members {
    return new Members(this.#decoded, this.#take(name), `${this.#path}.${name}`);
  }

  text(name: string): string {
    const value = this.#take(name);
    if (typeof value !== "string") throw this.#wrong(name, "not a string");
    return value;
  }

  number(name: string): string {
    this.#take(name);
    const text = this.#decoded.numberText(this.values, name);
    if (text === undefined) throw this.#wrong(name, "neither a number nor null");
    if (Math.abs(exponentOf(text)) > MAX_EXPONENT) throw this.#wrong(name, "beyond any amount of money");
    return text;
  }

  timestamp(name: string): string {
    const moment = toUtc(this.text(name));
    if (moment === null) throw this.#wrong(name, "not a timestamp with seconds and an offset from UTC");
    return moment;
  }

  day(name: string): string | null {
    return this.optional(name, () => (isDate(this.text(name)) ? this.text(name) : this.timestamp(name)));
  }

  without(names: ReadonlySet<string>): JsonObject {
    const others = Object.entries(this.values).filter(([name]) => !names.has(name));
    return Object.freeze(Object.fromEntries(others));
  }

  #take(name: string): Json {
    if (!Object.hasOwn(this.values, name)) throw this.#wrong(name, "missing");
    return this.values[name] as Json;
  }

  #wrong(name: string, problem: string): Schema {
    return new Schema(`${this.#path}.${name} is ${problem}`);
  }
}

/** The power of ten of a number's first digit. */
function exponentOf(text: string): number {
  const [digits = "", exponent = "0"] = text.replace("-", "").toLowerCase().split("e");
  const [whole = "", decimals = ""] = digits.split(".");
  const leading = `${whole}${decimals}`.search(/[1-9]/);
  return leading === -1 ? Number(exponent) : Number(exponent) + whole.length - 1 - leading;
}
