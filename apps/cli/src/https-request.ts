import { type Agent, request } from 'undici';
import { CliError } from './errors.ts';

export interface HttpsRequest {
  readonly agent: Agent;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** A longer answer is cut off. */
  readonly bytesMax: number;
  /** An answer that takes longer, to its last byte, is given up. */
  readonly millisecondsMax: number;
  /** Gives the request up before its time. */
  readonly signal?: AbortSignal;
}

export interface HttpsAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: Uint8Array;
}

/**
 * One request to a member, with an end and a bound: the only way in which this program asks over HTTPS and waits for the whole
 * answer.
 *
 * @throws {@link CliError} `answer/large`, and what the connection throws.
 */
export async function requestHttps(url: string, options: HttpsRequest): Promise<HttpsAnswer> {
  const { agent, method, headers, body, bytesMax, millisecondsMax } = options;
  const tooLate = AbortSignal.timeout(millisecondsMax);
  const signal = options.signal ? AbortSignal.any([options.signal, tooLate]) : tooLate;
  const answer = await request(url, {
    ...{ method, headers, dispatcher: agent, signal },
    ...(body === undefined ? {} : { body }),
  });
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of answer.body as AsyncIterable<Uint8Array>) {
    length += part.length;
    if (length > bytesMax) throw new CliError('answer/large', 'An answer is too long.', 'Ask for less.');
    parts.push(part);
  }
  return {
    status: answer.statusCode,
    headers: answer.headers,
    body: Uint8Array.from(Buffer.concat(parts)),
  };
}

/** A header that stands once, by its name in small letters. */
export function headerOf(answer: Pick<HttpsAnswer, 'headers'>, name: string): string | undefined {
  return [answer.headers[name] ?? []].flat()[0];
}
