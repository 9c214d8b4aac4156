// Writes src/redis_scripts.ts: the scripts of the kit for Python, so that receivers in both languages can share a server.
import { readFileSync, writeFileSync } from "node:fs";

const scripts = new URL("../../receiver/src/signalpost_receiver/stores/redis.lua", import.meta.url);
const [, , common, ...others] = readFileSync(scripts, "utf8").split(/^-- script: ([a-z]+)\n/m);
const named = {};
for (let at = 0; at < others.length; at += 2) named[others[at]] = others[at + 1];

writeFileSync(
  new URL("../src/redis_scripts.ts", import.meta.url),
  `// Written by build/redis_scripts.mjs.
export const COMMON = ${JSON.stringify(common)};
export const SCRIPTS = ${JSON.stringify(named, null, 2)};
`,
);
