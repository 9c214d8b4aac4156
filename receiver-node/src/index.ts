/** Verify, read and handle Signalpost webhooks: `new Receiver({ secrets }).verify(body, headers)` gives an event. */

export { fastifyReceiver } from "./adapters/fastify.js";
export { fetchHandler } from "./adapters/fetch.js";
export { type LambdaAnswer, type LambdaRequest, lambdaHandler } from "./adapters/lambda.js";
export { nodeHandler } from "./adapters/node.js";
export type { AdapterOptions } from "./adapters/respond.js";
export { parse } from "./envelope.js";
export * from "./errors.js";
export type {
  DateOrTimestamp,
  Document,
  DocumentEvent,
  DocumentStatus,
  EventType,
  Hints,
  Json,
  JsonObject,
  Timestamp,
  Version,
  WebhookEvent,
} from "./event.js";
export { type Feed, HttpFeed, type HttpFeedOptions, type Page } from "./feed.js";
export type { Handler, Order, Outcome, Result } from "./handling.js";
export type { HeadersLike } from "./headers.js";
export { MemoryStore } from "./memory_store.js";
export { type IoredisClient, type NodeRedisClient, type RedisClient, RedisStore } from "./redis_store.js";
export { MAX_BODY_BYTES, Receiver, type ReceiverOptions } from "./receiver.js";
export { Reader, type ReaderOptions, type RunOptions } from "./reader.js";
export type { Reconciliation } from "./reconciling.js";
export { Signer, makeToken, readerKey, standardSecret } from "./sign.js";
export {
  type PostgresConnection,
  type PostgresPool,
  PostgresStore,
  type SqliteDatabase,
  type SqliteStatement,
  SqliteStore,
} from "./sql_stores.js";
export { type Claim, type Held, type HoldingStore, type Item, type Store, itemOf, positionOf } from "./stores.js";
