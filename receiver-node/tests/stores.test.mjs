// The memory store keeps the rules of every store.
import { test } from "node:test";

import { MemoryStore } from "signalpost-receiver";
import { STORE_RULES } from "signalpost-receiver/testing";

for (const { name, check } of STORE_RULES) test(name, () => check(new MemoryStore()));
