// Requests for tests, signed as the gateway signs them.
import { Signer } from "signalpost-receiver";

export const SECRET = "an owner's own secret";
export const NOW = 1_780_000_000;
export const DOCUMENT = "d24c0644-1d31-47fa-960e-b0cc8b4f136c";

export const clock = () => NOW * 1000;

/** The body of an event; `second` orders it among its document's. */
export function bodyOf({ id = "event-1", type = "documentUpdated", second = 0, ...document } = {}) {
  return Buffer.from(
    JSON.stringify({
      id,
      type,
      createdAt: `2026-05-28T20:26:${String(second).padStart(2, "0")}.250174+00:00`,
      data: {
        document: {
          type: "NDA",
          title: "Señor",
          status: "created",
          createdAt: "2021-09-02T04:37:56.812919+00:00",
          sourceApp: "CRM",
          startDate: null,
          executedAt: null,
          expiryDate: null,
          externalId: DOCUMENT,
          ownerEmail: "owner@example.com",
          authorEmail: "author@example.com",
          referenceId: null,
          contractValue: 1250.5,
          latestVersion: null,
          additionalFacts: {},
          counterpartyName: null,
          publishedVersion: null,
          ...document,
        },
      },
    }),
  );
}

/** The headers of a delivery of a body. */
export function signed(body, more = {}, secret = SECRET, at = NOW) {
  const signer = new Signer(secret);
  return {
    "content-type": "application/json",
    "plexus-webhook-signature": signer.pageSignature(body),
    "webhook-id": "event-1",
    "webhook-timestamp": String(at),
    "webhook-signature": signer.standardSignature("event-1", at, body),
    "signalpost-sequence": "17",
    "signalpost-attempt": "1",
    ...more,
  };
}
