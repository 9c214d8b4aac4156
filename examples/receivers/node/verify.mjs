// Verifies one Signalpost request: its body on standard input, its headers as HTTP_… variables, the secret in
// SIGNALPOST_SECRET, and during a rotation the other one in SIGNALPOST_NEXT_SECRET. Exits 0 if the request is genuine.
import { createHmac, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";

/** Whether one of the secrets signed the request. `body` is a Buffer, exactly as it arrived. */
export function genuine(body, headers, secrets) {
  return secrets.some((secret) => {
    const page = createHmac("sha512", secret).update(body).digest("hex");
    if (same(headers["plexus-webhook-signature"], page)) return true;
    if (same(headers["plexus-webhook-signature-alternate"], page)) return true;
    const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.`;
    const mac = createHmac("sha256", standardKey(secret)).update(signed).update(body).digest("base64");
    return (headers["webhook-signature"] ?? "").split(" ").some((entry) => same(entry, `v1,${mac}`));
  });
}

/** In constant time; `timingSafeEqual` throws if the lengths differ, and a length is no secret. */
function same(given = "", expected) {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** The key of webhook-signature: the decoded bytes of a whsec_… secret, else the secret's own bytes. */
function standardKey(secret) {
  const encoded = secret.startsWith("whsec_") ? secret.slice(6) : "";
  const key = Buffer.from(encoded, "base64");
  const decodes = key.toString("base64") === encoded; // what is not base64 is skipped without an error
  return decodes && key.length >= 24 && key.length <= 64 ? key : Buffer.from(secret);
}

const { SIGNALPOST_SECRET, SIGNALPOST_NEXT_SECRET, ...variables } = process.env;
const headers = Object.fromEntries(
  Object.entries(variables)
    .filter(([name]) => name.startsWith("HTTP_"))
    .map(([name, value]) => [name.slice(5).toLowerCase().replaceAll("_", "-"), value]),
);
const secrets = [SIGNALPOST_SECRET, SIGNALPOST_NEXT_SECRET].filter(Boolean); // with an empty one anybody could sign
const isGenuine = genuine(readFileSync(0), headers, secrets);
console.log(isGenuine ? "genuine" : "forged");
process.exitCode = isGenuine ? 0 : 1;
