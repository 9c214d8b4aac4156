// Serves a receiver in each framework, until standard input ends. Prints a line of JSON: the URL of each by its name, and
// under "inspect" the URL that says, with a name and a document's id after it, what that receiver did about the document.
import http from "node:http";

import { Receiver } from "signalpost-receiver";

import { FRAMEWORKS, PATH, listen } from "./frameworks.mjs";

const [secret] = process.argv.slice(2);
const documents = new Map();
const urls = {};
for (const [name, start] of Object.entries(FRAMEWORKS)) {
  const receiver = new Receiver({ secrets: secret, order: "skipStale" }).on("*", ({ document }) => {
    const key = `/${encodeURIComponent(name)}/${document.externalId}`;
    documents.set(key, { handled: (documents.get(key)?.handled ?? 0) + 1, title: document.title });
  });
  urls[name] = (await start(receiver, {})).origin + PATH;
}
const inspector = http.createServer((request, response) => {
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify(documents.get(request.url) ?? { handled: 0, title: null }));
});
urls.inspect = (await listen(inspector)).origin;
console.log(JSON.stringify(urls));
process.stdin.resume().on("end", () => process.exit());
