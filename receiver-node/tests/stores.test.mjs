// Every store keeps the rules of every store. Servers are where the environment says; without them, their tests are skipped.
import { randomUUID } from "node:crypto";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";

import { Redis as IoredisClient } from "ioredis";
import pg from "pg";
import { createClient } from "redis";
import { MemoryStore, PostgresStore, RedisStore, SqliteStore } from "signalpost-receiver";
import { STORE_RULES } from "signalpost-receiver/testing";

const { TEST_REDIS_SOCKET: socket, TEST_POSTGRES_URL: postgres } = process.env;
const sqlite = await import("node:sqlite").catch(() => null);

/** Tests all the rules on stores that are made for each of them. */
function keepsTheRules(storeOf) {
  for (const { name, check } of STORE_RULES) test(name, async () => check(await storeOf()));
}

const prefix = () => `{${randomUUID()}}`;

describe("MemoryStore", () => keepsTheRules(() => new MemoryStore()));

describe("RedisStore with the package redis", { skip: socket === undefined && "TEST_REDIS_SOCKET is not set" }, () => {
  const client = createClient({ socket: { path: socket } });
  const connected = socket === undefined ? null : client.connect();
  after(() => connected && client.close());
  keepsTheRules(async () => connected.then(() => new RedisStore(client, { prefix: prefix() })));
});

describe("RedisStore with the package ioredis", { skip: socket === undefined && "TEST_REDIS_SOCKET is not set" }, () => {
  const client = new IoredisClient(socket, { lazyConnect: true });
  after(() => client.disconnect());
  keepsTheRules(() => new RedisStore(client, { prefix: prefix() }));
});

describe("PostgresStore", { skip: postgres === undefined && "TEST_POSTGRES_URL is not set" }, () => {
  const pool = new pg.Pool({ connectionString: postgres, max: 8 });
  const store = new PostgresStore(pool);
  const created = postgres === undefined ? null : store.createTables();
  after(() => pool.end());
  keepsTheRules(async () => created.then(() => store));
});

describe("SqliteStore", { skip: sqlite === null && `Node ${process.version} has no node:sqlite` }, () => {
  const path = join(mkdtempSync(join(tmpdir(), "receiver-")), "webhooks.db");
  keepsTheRules(() => new SqliteStore(new sqlite.DatabaseSync(path)));
});
