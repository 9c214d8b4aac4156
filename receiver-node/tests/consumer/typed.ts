// A program of somebody who installed the package, with types, in each framework. It is compiled and not run.
import http from "node:http";

import Database from "better-sqlite3";
import express from "express";
import Fastify from "fastify";
import { Hono } from "hono";
import { Redis } from "ioredis";
import pg from "pg";
import { createClient } from "redis";
import {
  type Claim,
  type DocumentEvent,
  HttpFeed,
  type HoldingStore,
  type Item,
  PostgresStore,
  Receiver,
  ReceiverError,
  RedisStore,
  SqliteStore,
  type Store,
  type WebhookEvent,
  fastifyReceiver,
  fetchHandler,
  nodeHandler,
} from "signalpost-receiver";

const receiver = new Receiver({
  secrets: [process.env["WEBHOOK_SECRET"] ?? "", "the old secret"],
  order: "skipStale",
  maxAgeSeconds: 600,
});

receiver.on("documentUpdated", async (event: DocumentEvent) => {
  const value: string | null = event.document.contractValue;
  const title: string = event.document.title;
  if (event.document.status === "executed") console.log(title, value, event.document.latestVersion?.expiresAt);
});
receiver.on("folderCreated", (event: WebhookEvent) => console.log(event.data["folder"]));
receiver.on("*", ({ id, createdAt }) => console.log(id, new Date(createdAt)));

http.createServer(nodeHandler(receiver));
express().post("/webhooks", nodeHandler(receiver, { onError: console.warn }));
await Fastify().register(fastifyReceiver(receiver, "/webhooks"));
const handler = fetchHandler(receiver);
new Hono().post("/webhooks", (context) => handler(context.req.raw));

try {
  const event = receiver.verify(new Uint8Array(), new Headers());
  // @ts-expect-error: an event does not change
  event.id = "another";
} catch (error) {
  if (error instanceof ReceiverError) console.log(error.status);
}

const feed = new HttpFeed({ url: "https://gateway.example", key: process.env["SIGNALPOST_KEY"] });
const { resumeFrom, missed } = await receiver.reconcile(feed, 0);
console.log(resumeFrom, missed.length);

// @ts-expect-error: a document may have no reference
receiver.on("documentCreated", (event) => event.document.referenceId.length);

/** Each store takes the clients that people have. */
export const stores: Store[] = [
  new PostgresStore(new pg.Pool()),
  new RedisStore(createClient()),
  new RedisStore(new Redis()),
  new SqliteStore(new Database("webhooks.db")),
];

/** What a store of one's own has to have. */
export abstract class OwnStore implements HoldingStore {
  abstract claim(item: Item, times: { now: number; leaseUntil: number }): Promise<Claim>;
  abstract commit(item: Item, token: string, times: { now: number; forgetAt: number }): Promise<boolean>;
  abstract release(item: Item, token: string, times: { againAt: number }): Promise<void>;
  abstract hold(item: Item, body: Uint8Array, hints: string, times: { now: number; dueAt: number }): Promise<Claim>;
  abstract take(times: { now: number; leaseUntil: number }): Promise<null>;
  abstract forget(eventId: string): Promise<void>;
}
