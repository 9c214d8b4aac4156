// The adapters in their real frameworks, each behind a server of its own.
import http from "node:http";

import { serve } from "@hono/node-server";
import express from "express";
import Fastify from "fastify";
import { Hono } from "hono";
import { fastifyReceiver, fetchHandler, lambdaHandler, nodeHandler } from "signalpost-receiver";

export const PATH = "/webhooks";

/** Starts a framework's server with the receiver at PATH; gives its origin and what stops it. */
export const FRAMEWORKS = {
  "node:http": (receiver, options) => listen(http.createServer(nodeHandler(receiver, options))),
  Express: (receiver, options) => {
    const app = express();
    app.post(PATH, nodeHandler(receiver, options));
    app.use(express.json());
    return listen(http.createServer(app));
  },
  "Express with express.raw": (receiver, options) => {
    const app = express();
    app.post(PATH, express.raw({ type: "*/*", limit: "1mb" }), nodeHandler(receiver, options));
    return listen(http.createServer(app));
  },
  Fastify: async (receiver, options) => {
    const app = Fastify();
    app.register(fastifyReceiver(receiver, PATH, options));
    app.post("/other", async (request) => ({ got: request.body }));
    return { origin: await app.listen({ port: 0, host: "127.0.0.1" }), stop: () => app.close() };
  },
  Lambda: (receiver, options) => listen(http.createServer(asFunctionUrl(lambdaHandler(receiver, options)))),
  Hono: (receiver, options) => {
    const [app, handler] = [new Hono(), fetchHandler(receiver, options)];
    app.post(PATH, (context) => handler(context.req.raw));
    return new Promise((resolve) => {
      const server = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, ({ port }) => {
        resolve({ origin: `http://127.0.0.1:${port}`, stop: () => closed(server) });
      });
    });
  },
};

/** Calls the handler as a function URL of AWS Lambda does. */
function asFunctionUrl(handler) {
  return async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString("base64");
    const answer = await handler({ headers: request.headers, body, isBase64Encoded: true });
    response.writeHead(answer.statusCode, answer.headers).end(answer.body);
  };
}

export async function listen(server) {
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { origin: `http://127.0.0.1:${server.address().port}`, stop: () => closed(server) };
}

/** Ends a server and the connections that it still has. */
function closed(server) {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(resolve));
}
