/** Call a Signalpost gateway: typed, repeated where that is safe, and never done twice. */

export { Client, type ClientOptions } from "./client.js";
export { type Answer, type Call, headersOf } from "./core.js";
export * from "./errors.js";
export type { Line } from "./importing.js";
export { type Page, Pages } from "./noun.js";
export type * from "./shapes.js";
export { VERSION } from "./version.js";
