/**
 * Stores in a database, for any number of processes: SQLite and PostgreSQL.
 *
 * Each call is one transaction. Of two that want the same event or document, the database makes one wait until the other
 * has committed, and the statement's own condition then tells it that it came second.
 *
 * The calls are described once, as the statements that they make (`Steps`); SQLite answers these at once, PostgreSQL when
 * it has been asked. So nothing comes between the statements of a transaction on the one connection to a SQLite file.
 */

import { randomBytes } from "node:crypto";

import * as sql from "./sql_statements.js";
import type { Claim, Held, HoldingStore, Item } from "./stores.js";

/** What is used of a pool of the package `pg`. */
export interface PostgresPool {
  connect(): Promise<PostgresConnection>;
}

/** What is used of a client of the package `pg`. */
export interface PostgresConnection {
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[]; rowCount: number | null }>;
  release(destroy?: boolean): void;
}

/** What is used of a `DatabaseSync` of `node:sqlite`, or of a database of the package `better-sqlite3`. */
export interface SqliteDatabase {
  exec(statement: string): unknown;
  prepare(statement: string): SqliteStatement;
}

/** What is used of a statement of `node:sqlite` or `better-sqlite3`, which say differently what a value may be. */
export interface SqliteStatement {
  all(...values: any[]): unknown[];
  run(...values: any[]): { changes: number | bigint };
}

type Value = string | number | null;
type Row = Readonly<Record<string, Value | boolean>>;

interface Statement {
  readonly text: string;
  readonly values: readonly Value[];
}

/** What a statement comes to: the rows of a SELECT, or how many rows it changed. */
interface Outcome {
  readonly rows: readonly Row[];
  readonly changed: number;
}

type Steps<Result> = Generator<Statement, Result, Outcome>;

const PRUNE_EVERY_S = 60;
/** How long a row stays when it no longer counts, so that the commit of a handler that was slow still finds it. */
const PRUNE_AFTER_S = 3600;

/** Remembers events in PostgreSQL, through a pool of the package `pg`. `createTables` makes the two tables. */
export class PostgresStore implements HoldingStore {
  readonly #pool: PostgresPool;
  readonly #pruning = new Pruning();

  constructor(pool: PostgresPool) {
    this.#pool = pool;
  }

  /** Make the tables that are not there yet. */
  async createTables(): Promise<void> {
    await this.#run(createTables());
  }

  async claim(item: Item, times: { now: number; leaseUntil: number }): Promise<Claim> {
    return this.#run(claim(item, times, this.#pruning));
  }

  async commit(item: Item, token: string, times: { now: number; forgetAt: number }): Promise<boolean> {
    return this.#run(commit(item, token, times));
  }

  async release(item: Item, token: string, times: { againAt: number }): Promise<void> {
    await this.#run(release(item, token, times));
  }

  async hold(item: Item, body: Uint8Array, hints: string, times: { now: number; dueAt: number }): Promise<Claim> {
    return this.#run(hold(item, body, hints, times, this.#pruning));
  }

  async take(times: { now: number; leaseUntil: number }): Promise<Held | null> {
    return this.#run(take(times));
  }

  async forget(eventId: string): Promise<void> {
    await this.#run(forget(eventId));
  }

  async #run<Result>(steps: Steps<Result>): Promise<Result> {
    const connection = await this.#pool.connect();
    try {
      await connection.query("BEGIN");
      let step = steps.next();
      while (step.done !== true) {
        const { text, values } = step.value;
        const { rows, rowCount } = await connection.query(numbered(text), [...values]);
        step = steps.next({ rows: rows as Row[], changed: rowCount ?? 0 });
      }
      await connection.query("COMMIT");
      connection.release();
      return step.value;
    } catch (error) {
      connection.release(true); // which ends the transaction, in any state
      throw error;
    }
  }
}

/**
 * Remembers events in a SQLite file, for any number of processes of one machine: through `new DatabaseSync(path)` of
 * `node:sqlite` (Node 22.5 or newer), or `new Database(path)` of the package `better-sqlite3`. The database is for this
 * store alone, which makes its tables.
 */
export class SqliteStore implements HoldingStore {
  readonly #database: SqliteDatabase;
  readonly #statements = new Map<string, SqliteStatement>();
  readonly #pruning = new Pruning();

  constructor(database: SqliteDatabase) {
    this.#database = database;
    for (const pragma of ["busy_timeout = 3000", "journal_mode = WAL", "synchronous = NORMAL"]) {
      database.prepare(`PRAGMA ${pragma}`).all();
    }
    this.#run(createTables());
  }

  claim(item: Item, times: { now: number; leaseUntil: number }): Claim {
    return this.#run(claim(item, times, this.#pruning));
  }

  commit(item: Item, token: string, times: { now: number; forgetAt: number }): boolean {
    return this.#run(commit(item, token, times));
  }

  release(item: Item, token: string, times: { againAt: number }): void {
    this.#run(release(item, token, times));
  }

  hold(item: Item, body: Uint8Array, hints: string, times: { now: number; dueAt: number }): Claim {
    return this.#run(hold(item, body, hints, times, this.#pruning));
  }

  take(times: { now: number; leaseUntil: number }): Held | null {
    return this.#run(take(times));
  }

  forget(eventId: string): void {
    this.#run(forget(eventId));
  }

  #run<Result>(steps: Steps<Result>): Result {
    // A transaction that only reads at first and writes later may find that another has written meanwhile.
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      let step = steps.next();
      while (step.done !== true) step = steps.next(this.#ask(step.value));
      this.#database.exec("COMMIT");
      return step.value;
    } catch (error) {
      this.#database.exec("ROLLBACK");
      throw error;
    }
  }

  #ask({ text, values }: Statement): Outcome {
    let statement = this.#statements.get(text);
    if (statement === undefined) {
      statement = this.#database.prepare(text);
      this.#statements.set(text, statement);
    }
    if (text.startsWith("SELECT")) return { rows: statement.all(...values) as Row[], changed: 0 };
    return { rows: [], changed: Number(statement.run(...values).changes) };
  }
}

/** Says when it is time to remove the rows that no longer count. */
class Pruning {
  #at = 0;

  *steps(now: number): Steps<void> {
    if (now - this.#at < PRUNE_EVERY_S) return;
    this.#at = now;
    yield* run(sql.PRUNE_EVENTS, now - PRUNE_AFTER_S);
    yield* run(sql.PRUNE_DOCUMENTS, now - PRUNE_AFTER_S, now - PRUNE_AFTER_S);
  }
}

function* createTables(): Steps<void> {
  for (const statement of sql.TABLES) yield* run(statement);
}

function* claim(item: Item, { now, leaseUntil }: { now: number; leaseUntil: number }, pruning: Pruning): Steps<Claim> {
  const token = newToken();
  yield* pruning.steps(now);
  const found = yield* known(item, now);
  if (found !== null) return found;
  if (item.document !== null) {
    const refused = yield* lease(item.document, token, item.position, now, leaseUntil);
    if (refused !== null) return refused;
  }
  if (yield* put(item, "claimed", token, leaseUntil, null, "", now)) return { kind: "claimed", token };
  if (item.document !== null) yield* run(sql.END_LEASE, 0, item.document, token);
  return (yield* known(item, now)) ?? { kind: "busy", until: leaseUntil };
}

function* commit(item: Item, token: string, { now, forgetAt }: { now: number; forgetAt: number }): Steps<boolean> {
  if ((yield* run(sql.COMMIT, forgetAt, item.eventId, token)) !== 1) return false;
  if (item.document !== null) {
    yield* run(sql.KNOW_DOCUMENT, item.document); // whose row may be gone, because the lease ended long ago
    yield* run(sql.MARK, item.position, now, item.position, forgetAt, forgetAt, item.document);
    yield* run(sql.END_LEASE, 0, item.document, token);
  }
  return true;
}

function* release(item: Item, token: string, { againAt }: { againAt: number }): Steps<void> {
  const wasHeld = (yield* run(sql.HOLD_AGAIN, againAt, item.eventId, token)) === 1;
  const wasClaimed = wasHeld || (yield* run(sql.DROP, item.eventId, token)) === 1;
  if (item.document !== null && wasClaimed) yield* run(sql.END_LEASE, wasHeld ? againAt : 0, item.document, token);
}

function* hold(
  item: Item,
  body: Uint8Array,
  hints: string,
  { now, dueAt }: { now: number; dueAt: number },
  pruning: Pruning,
): Steps<Claim> {
  yield* pruning.steps(now);
  if ((yield* known(item, now)) !== null) return { kind: "handled" };
  const mark = yield* select(sql.GET_DOCUMENT, now, item.document);
  if (mark !== undefined && item.position <= String(mark["position"])) return { kind: "stale" };
  const [token, text] = [newToken(), Buffer.from(body).toString()];
  const isKept = yield* put(item, "held", token, dueAt, text, hints, now);
  return isKept ? { kind: "claimed", token } : { kind: "handled" };
}

function* take({ now, leaseUntil }: { now: number; leaseUntil: number }): Steps<Held | null> {
  const token = newToken();
  for (;;) {
    const due = yield* select(sql.DUE, now, now);
    if (due === undefined) return null;
    const document = String(due["document"]);
    // A document that another process takes at the same moment is left to it.
    if ((yield* lease(document, token, null, now, leaseUntil)) !== null) continue;
    const mark = yield* select(sql.GET_DOCUMENT, now, document);
    yield* run(sql.DROP_STALE, document, String(mark?.["position"] ?? ""));
    const first = yield* select(sql.FIRST, document);
    if (first === undefined) {
      yield* run(sql.END_LEASE, 0, document, token);
      continue;
    }
    const item = { eventId: String(first["id"]), document, position: String(first["position"]) };
    yield* run(sql.TAKE, token, leaseUntil, item.eventId);
    return { item, token, body: Buffer.from(String(first["body"])), hints: String(first["hints"]) };
  }
}

function* forget(eventId: string): Steps<void> {
  yield* run(sql.FORGET, eventId);
}

/** Lease a document for the event at `position`, or for any; what stands against it otherwise. */
function* lease(
  document: string,
  token: string,
  position: string | null,
  now: number,
  leaseUntil: number,
): Steps<Claim | null> {
  yield* run(sql.KNOW_DOCUMENT, document);
  const isLeased = (yield* run(sql.LEASE_DOCUMENT, token, leaseUntil, document, now)) === 1;
  const mark = yield* select(sql.GET_DOCUMENT, now, document);
  if (!isLeased) return { kind: "busy", until: Number(mark?.["lease_until"] ?? leaseUntil) };
  if (position !== null && position <= String(mark?.["position"] ?? "")) {
    yield* run(sql.END_LEASE, 0, document, token);
    return { kind: "stale" };
  }
  return null;
}

/** What is known of the event; null if that is nothing, or has expired. */
function* known(item: Item, now: number): Steps<Claim | null> {
  const row = yield* select(sql.GET, item.eventId);
  if (row === undefined) return null;
  const until = Number(row["until"]);
  if (row["state"] === "claimed" && until > now) return { kind: "busy", until };
  return Boolean(row["is_held"]) || until > now ? { kind: "handled" } : null;
}

/** Insert the event, or replace what has expired. False if another process came first. */
function* put(
  { eventId, document, position }: Item,
  state: "claimed" | "held",
  token: string,
  until: number,
  body: string | null,
  hints: string,
  now: number,
): Steps<boolean> {
  yield* run(sql.PUT, eventId, document, position, state, token, until, body, hints, now);
  return (yield* select(sql.GET, eventId))?.["token"] === token;
}

/** How many rows the statement changed. */
function* run(text: string, ...values: Value[]): Steps<number> {
  return (yield { text, values }).changed;
}

/** The first row. */
function* select(text: string, ...values: Value[]): Steps<Row | undefined> {
  return (yield { text, values }).rows[0];
}

function newToken(): string {
  return randomBytes(8).toString("hex");
}

/** As PostgreSQL wants it: `$1`, `$2`, … for each `?`. */
function numbered(text: string): string {
  let count = 0;
  return text.replaceAll("?", () => `$${(count += 1)}`);
}
