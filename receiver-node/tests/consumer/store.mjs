// The README's store keeps the rules of every store that keeps no order, in the PostgreSQL whose URL is given.
import pg from "pg";
import { STORE_RULES } from "signalpost-receiver/testing";

import { PgStore } from "./out/readme_1.js";

const pool = new pg.Pool({ connectionString: process.argv[2], max: 8 });
await pool.query("CREATE TABLE webhook_events (id text PRIMARY KEY, token text, until double precision NOT NULL)");
for (const { name, needs, check } of STORE_RULES) {
  if (needs !== "claims") continue;
  await check(new PgStore(pool));
  console.log(name);
}
await pool.end();
