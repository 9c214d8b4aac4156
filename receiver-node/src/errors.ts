/**
 * Everything that this package throws.
 *
 *     ReceiverError
 *     ├── ConfigError               500  the receiver is set up wrongly; thrown when it is made
 *     ├── UsageError                500  the receiver is called wrongly, say with a body that was parsed already
 *     ├── HandlerError              500  a handler threw something, which is the `cause`
 *     ├── StoreError                503  the store threw something, which is the `cause`
 *     ├── FeedError                 503  the gateway's log of events could not be read
 *     └── Refusal                        the request is answered with `status`, and nothing is wrong here:
 *         ├── VerificationError     401  the request does not prove that it comes from the gateway
 *         │   ├── MissingHeader          a header that is needed is not there
 *         │   ├── MalformedSignature     a header occurs more than once, or cannot be what the gateway sends
 *         │   └── Mismatch               no signature fits the body and any of the secrets
 *         ├── ReplayError           400  genuine, but of another time
 *         │   ├── TooOld
 *         │   └── InFuture
 *         ├── PayloadError          400  the body is not an event
 *         │   ├── TooLarge          413  longer than the cap; it was not even hashed
 *         │   ├── InvalidJSON            not UTF-8, not JSON, or JSON beyond what can be read
 *         │   ├── TooDeep                JSON, but nested more deeply than any event
 *         │   ├── DuplicateKey           JSON, but an object has a name twice, so that two readers may differ
 *         │   └── Schema                 JSON, but an attribute is missing or of the wrong kind
 *         └── InProgress            503  the same event, or another of its document, is being handled at this moment
 *
 * Messages name headers and attributes, never a secret, a signature, or a value out of the body: they are safe to log,
 * and to answer with.
 */

/** The root. `status` is the HTTP status to answer with. */
export abstract class ReceiverError extends Error {
  readonly status: number = 500;
  override readonly name: string;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** A secret or an option that can never work or would not be safe, such as an empty secret. */
export class ConfigError extends ReceiverError {}

/** An argument that no request can explain: the code that calls the receiver has to change. */
export class UsageError extends ReceiverError {}

/** A handler threw the `cause`. The event counts as not handled: a retry is handled. */
export class HandlerError extends ReceiverError {}

/** The store threw the `cause`. The sender tries again. */
export class StoreError extends ReceiverError {
  override readonly status: number = 503;
}

/** The gateway's log of events could not be read. */
export class FeedError extends ReceiverError {
  override readonly status: number = 503;
}

/** The request is to be answered with `status`; an error that is no fault of this program. */
export abstract class Refusal extends ReceiverError {
  override readonly status: number = 400;
}

/** The request does not prove that it comes from the gateway. */
export abstract class VerificationError extends Refusal {
  override readonly status: number = 401;
}

/** A header that the check needs is not there. */
export class MissingHeader extends VerificationError {}

/** A header of the signature is repeated, or cannot be what the gateway sends. */
export class MalformedSignature extends VerificationError {}

/** The signatures are well formed, but none fits this body and any of the secrets. */
export class Mismatch extends VerificationError {}

/** The request is genuine, but its signed time is not about now. */
export abstract class ReplayError extends Refusal {}

/** The signed time is longer ago than `maxAgeSeconds`. */
export class TooOld extends ReplayError {}

/** The signed time is further ahead of this machine's clock than `skewSeconds`. */
export class InFuture extends ReplayError {}

/** The body is not an event. */
export abstract class PayloadError extends Refusal {}

/** The body is longer than the cap. */
export class TooLarge extends PayloadError {
  override readonly status: number = 413;
}

/** The body is not UTF-8, not JSON, or has a number or a text that cannot be read. */
export class InvalidJSON extends PayloadError {}

/** The body is nested more deeply than any event. */
export class TooDeep extends PayloadError {}

/** An object in the body has a name twice, so that another reader of the same bytes may see another value. */
export class DuplicateKey extends PayloadError {}

/** The body is JSON, but not an event; the message names the attribute. */
export class Schema extends PayloadError {}

/** The event, or another one of its document, is being handled at this moment; the sender tries again. */
export class InProgress extends Refusal {
  override readonly status: number = 503;

  /** `retryAfter`: the whole seconds after which to try again, for the header `retry-after`. */
  constructor(
    message: string,
    readonly retryAfter: number,
  ) {
    super(message);
  }
}
