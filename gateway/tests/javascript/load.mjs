// Loads what the gateway describes with the usual JavaScript tools. Reads {schemas, asyncapi, openapi, events} from
// standard input; prints {"valid": {file: [whether each event is valid]}, "problems": […], "messages": […],
// "webhooks": […]}.
import { readFileSync } from "node:fs";

import SwaggerParser from "@apidevtools/swagger-parser";
import { Parser } from "@asyncapi/parser";
import addFormats from "ajv-formats";
import Ajv2020 from "ajv/dist/2020.js";

const given = JSON.parse(readFileSync(0, "utf8"));

const ajv = new Ajv2020({ strict: true, strictTypes: true, strictRequired: true, strictTuples: true });
addFormats(ajv);
const valid = {};
for (const [name, schema] of Object.entries(given.schemas)) {
  const validate = ajv.compile(schema);
  const values = name === "document.json" ? given.events.map((event) => event.data.document) : given.events;
  valid[name] = values.map((value) => validate(value));
}

const { document, diagnostics } = await new Parser().parse(given.asyncapi);
const problems = diagnostics.filter(({ code }) => code !== "asyncapi-latest-version").map(({ message }) => message);
const messages = document?.messages().all().map((message) => message.id());
const { webhooks } = await SwaggerParser.validate(given.openapi);
console.log(JSON.stringify({ valid, problems, messages, webhooks: Object.keys(webhooks) }));
