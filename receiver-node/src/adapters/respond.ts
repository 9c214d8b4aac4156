/** How a request is answered: the same in every framework. */

import { InProgress, ReceiverError } from "../errors.js";
import type { HeadersLike } from "../headers.js";
import type { Receiver } from "../receiver.js";

export interface AdapterOptions {
  /**
   * Told of every error that a request was answered with. Without it, those that are this program's own (status 500 and
   * above, but not InProgress) go to `console.error`.
   */
  onError?: (error: unknown) => void;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Receive a request whose body `read` gives, and say how to answer it. Throws nothing. */
export async function answerTo(
  receiver: Receiver,
  read: () => Promise<Uint8Array>,
  headers: HeadersLike,
  { onError = logOwnErrors }: AdapterOptions,
): Promise<Answer> {
  try {
    const { status } = await receiver.receive(await read(), headers);
    return { status, headers: {}, body: "" };
  } catch (error) {
    onError(error);
    return refusal(error);
  }
}

function refusal(error: unknown): Answer {
  const headers: Record<string, string> = { "content-type": "text/plain; charset=utf-8" };
  if (!(error instanceof ReceiverError)) return { status: 500, headers, body: "internal error" };
  if (error instanceof InProgress) headers["retry-after"] = String(error.retryAfter);
  return { status: error.status, headers, body: error.message };
}

function logOwnErrors(error: unknown): void {
  const isOwn = !(error instanceof ReceiverError) || (error.status >= 500 && !(error instanceof InProgress));
  if (isOwn) console.error(error);
}
