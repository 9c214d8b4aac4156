/**
 * What can go wrong with a call.
 *
 *     SignalpostError
 *     ├── Problem              the gateway says what is wrong (RFC 9457); a class for each status
 *     │   ├── BadRequest           400   it cannot be read
 *     │   ├── Unauthorized         401   no valid key
 *     │   ├── Forbidden            403   the key's role does not allow it
 *     │   ├── NotFound             404   there is no such thing
 *     │   │   └── UnknownCall      404   the gateway is older than this client, and has no such call
 *     │   ├── MethodNotAllowed     405
 *     │   ├── Conflict             409   the state does not allow it
 *     │   ├── Gone                 410   it is no longer kept; `oldest` is
 *     │   ├── PreconditionFailed   412   it changed since it was read (`ifMatch`)
 *     │   ├── TooLarge             413
 *     │   ├── UnsupportedMedia     415
 *     │   ├── RangeNotSatisfiable  416
 *     │   ├── Invalid              422   bad fields; `errors` names every one
 *     │   ├── TooManyRequests      429   for longer than the deadline
 *     │   └── Unavailable          503   for longer than the deadline
 *     ├── NoAnswer             the connection could not be made, or it was lost, for longer than the deadline
 *     │   └── DeadlinePassed       the answer did not come in time
 *     └── UnexpectedAnswer     something answered, but not as a gateway of this release does
 *
 * No message has a key in it.
 */

/** The root of what a call throws. */
export class SignalpostError extends Error {
  override readonly name: string;

  constructor(message: string) {
    super(message);
    this.name = new.target.name;
  }
}

/** One bad field: a JSON pointer into the body or `?name` in the query, a stable code, a sentence. */
export interface BadField {
  readonly pointer: string;
  readonly code: string;
  readonly detail: string;
}

/** A problem as the gateway sends it; it may have further members. */
export interface ProblemDocument {
  readonly code: string;
  readonly title?: string;
  readonly detail?: string;
  readonly requestId?: string;
  readonly errors?: readonly BadField[];
  readonly [member: string]: unknown;
}

/** The gateway refused the call, and says why. */
export class Problem extends SignalpostError {
  readonly status: number;
  /** Stable: it does not change between releases. */
  readonly code: string;
  readonly title: string;
  readonly detail: string;
  /** Under which the gateway's log has the request. */
  readonly requestId: string | undefined;
  readonly errors: readonly BadField[];
  /** Seconds after which the gateway wants to be asked again. */
  readonly retryAfter: number | undefined;
  /** The whole problem as the gateway sent it. */
  readonly members: ProblemDocument;

  constructor(status: number, document: ProblemDocument, retryAfter?: number) {
    const errors = document.errors ?? [];
    const fields = errors.map(({ pointer, detail }) => `${pointer || "the body"}: ${detail}`).join("; ");
    super(`${status} ${document.code}: ${fields || (document.detail ?? "")}`);
    this.status = status;
    this.code = document.code;
    this.title = document.title ?? "";
    this.detail = document.detail ?? "";
    this.requestId = document.requestId;
    this.errors = errors;
    this.retryAfter = retryAfter;
    this.members = document;
  }
}

/** 400: the request cannot be read. */
export class BadRequest extends Problem {}
/** 401: no valid key. */
export class Unauthorized extends Problem {}
/** 403: the key's role does not allow this. */
export class Forbidden extends Problem {}
/** 404: there is no such thing, as far as this key may know. */
export class NotFound extends Problem {}
/** The gateway has no such call. Most likely it is older than this client. */
export class UnknownCall extends NotFound {}
/** 405: the gateway knows the path, and not this method of it. */
export class MethodNotAllowed extends Problem {}
/** 409: the state does not allow this. For a workflow, `members` has the actions that are `allowed`. */
export class Conflict extends Problem {}
/** 410: it is no longer kept. */
export class Gone extends Problem {
  /** The sequence of the oldest event that is kept. */
  get oldest(): number | undefined {
    return this.members["oldest"] as number | undefined;
  }
}
/** 412: it changed since the version that `ifMatch` names. */
export class PreconditionFailed extends Problem {}
/** 413: the body is larger than the limit. */
export class TooLarge extends Problem {}
/** 415: the body is of a type that is not taken. */
export class UnsupportedMedia extends Problem {}
/** 416: the range lies outside the file. */
export class RangeNotSatisfiable extends Problem {}
/** 422: some fields are wrong, and `errors` names them. */
export class Invalid extends Problem {}
/** 429: there were too many requests until the deadline. */
export class TooManyRequests extends Problem {}
/** 503: the gateway could not carry it out until the deadline. */
export class Unavailable extends Problem {}

/** The connection could not be made, or was lost before the answer. */
export class NoAnswer extends SignalpostError {
  /** Whether the change may have been made. */
  readonly outcomeUnknown: boolean;
  /** With which the call can be repeated later, so that it is made once. */
  readonly idempotencyKey: string | undefined;

  constructor(message: string, outcomeUnknown: boolean, idempotencyKey?: string) {
    super(message);
    this.outcomeUnknown = outcomeUnknown;
    this.idempotencyKey = idempotencyKey;
  }
}

/** The answer did not come before the deadline. */
export class DeadlinePassed extends NoAnswer {}

/** Something answered, but not as a gateway of this release does. */
export class UnexpectedAnswer extends SignalpostError {}

const BY_STATUS: Readonly<Record<number, typeof Problem>> = {
  400: BadRequest, 401: Unauthorized, 403: Forbidden, 404: NotFound, 405: MethodNotAllowed, 409: Conflict, 410: Gone,
  412: PreconditionFailed, 413: TooLarge, 415: UnsupportedMedia, 416: RangeNotSatisfiable, 422: Invalid,
  429: TooManyRequests, 503: Unavailable,
};

/** The error that tells of a problem document. */
export function problemOf(status: number, document: ProblemDocument, retryAfter?: number): Problem {
  const Kind = document.code === "no_such_path" ? UnknownCall : (BY_STATUS[status] ?? Problem);
  return new Kind(status, document, retryAfter);
}
