// Verifies requests with the package, and with the library of Standard Webhooks. Reads a list of {body, headers,
// secrets, standardSecrets} from standard input; prints for each the event's id and whether every secret fits.
import { readFileSync } from "node:fs";

import { Receiver } from "signalpost-receiver";
import { Webhook } from "standardwebhooks";

const found = JSON.parse(readFileSync(0, "utf8")).map(({ body, headers, secrets, standardSecrets }) => {
  const events = secrets.map((secret) => new Receiver({ secrets: secret }).verify(Buffer.from(body), headers));
  for (const secret of standardSecrets) new Webhook(secret).verify(body, headers);
  return { ids: events.map(({ id }) => id), title: events[0].document.title };
});
console.log(JSON.stringify(found));
