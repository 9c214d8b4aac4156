/** For AWS Lambda behind API Gateway (1.0 and 2.0), a function URL or a load balancer. */

import { UsageError } from "../errors.js";
import type { Receiver } from "../receiver.js";
import { type AdapterOptions, answerTo } from "./respond.js";

/** What Lambda is called with for a request; one of the two kinds of headers is present, or both. */
export interface LambdaRequest {
  readonly body?: string | null;
  readonly isBase64Encoded?: boolean;
  readonly headers?: Readonly<Record<string, string | undefined>> | null;
  readonly multiValueHeaders?: Readonly<Record<string, readonly string[] | undefined>> | null;
}

export interface LambdaAnswer {
  readonly statusCode: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly multiValueHeaders?: Readonly<Record<string, readonly string[]>>;
  readonly body: string;
  readonly isBase64Encoded: false;
}

/** A function's handler: `export const handler = lambdaHandler(receiver)`. */
export function lambdaHandler(
  receiver: Receiver,
  options: AdapterOptions = {},
): (request: LambdaRequest) => Promise<LambdaAnswer> {
  return async (request) => {
    // Where there are both, those of the one kind have the last of several values alone.
    const headers = request.multiValueHeaders ?? request.headers ?? {};
    const answer = await answerTo(receiver, async () => bytesOf(request), headers, options);
    const rest = { statusCode: answer.status, body: answer.body, isBase64Encoded: false } as const;
    // A load balancer that was told to send headers of several values wants them back in that form.
    if (request.multiValueHeaders == null) return { ...rest, headers: answer.headers };
    const lists = Object.entries(answer.headers).map(([name, value]) => [name, [value]] as const);
    return { ...rest, multiValueHeaders: Object.fromEntries(lists) };
  };
}

function bytesOf({ body = "", isBase64Encoded }: LambdaRequest): Uint8Array {
  if (body !== null && typeof body !== "string") {
    throw new UsageError("the event's body is not text: is it what API Gateway sends?");
  }
  return Buffer.from(body ?? "", isBase64Encoded === true ? "base64" : "utf8");
}
