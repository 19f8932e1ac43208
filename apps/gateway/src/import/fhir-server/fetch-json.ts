import { JSON_LIMITS, JsonError, type LosslessValue, parseLossless } from '@careledger/fhir';
import { fromUtf8 } from '@careledger/primitives';
import { type Dispatcher, request } from 'undici';
import { ImportError } from '../import-error.ts';

/** Longest answer of a server: one page of a search. */
export const PAGE_BYTES_MAX: number = 64 * 1024 * 1024;
/** What is read of a refusal, so that its connection can be used again. */
const REFUSAL_BYTES_MAX = 64 * 1024;
/** A server that says nothing for so long is asked anew. */
export const REQUEST_MILLISECONDS_MAX = 60_000;
/** How often one page is asked for before the import stops. */
export const ATTEMPTS_MAX = 6;
/** The wait before the second attempt; it doubles with each. */
export const BACK_OFF_MILLISECONDS = 1_000;
/** No wait is longer, whatever `Retry-After` says. */
export const BACK_OFF_MILLISECONDS_MAX = 300_000;
const PAGE_JSON_LIMITS = { ...JSON_LIMITS, charactersMax: PAGE_BYTES_MAX };
/** Answers after which the same question may be answered. */
const PASSING: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);

/** How a server is asked. */
export interface Asking {
  /** The bearer token in force, or `undefined`. Asked before every request: a file may have been renewed. */
  readonly token?: () => string | undefined;
  readonly dispatcher?: Dispatcher;
  readonly wait: (milliseconds: number) => Promise<void>;
  readonly requestMillisecondsMax?: number;
  readonly signal?: AbortSignal;
}

/** A JSON answer. */
export interface JsonAnswer {
  readonly value: LosslessValue;
  /** The server's clock, by its `Date` header, in milliseconds. */
  readonly date: number | undefined;
}

type Attempt =
  | { readonly kind: 'answer'; readonly answer: JsonAnswer }
  | { readonly kind: 'later'; readonly afterMilliseconds: number | undefined; readonly error: ImportError };

function refused(status: number): ImportError {
  if (status === 401 || status === 403) {
    return new ImportError(
      'import/source-denied',
      `The server answered ${status}: it wants another token.`,
      'Give one with --token-file or --token-env that may read every type, and start again: the import goes on where it was.',
    );
  }
  return new ImportError(
    'import/source-refused',
    `The server answered ${status}.`,
    'See its log. Starting again goes on where the import was.',
  );
}

function notAnAnswer(why: string): ImportError {
  return new ImportError(
    'import/source-answer',
    `The server's answer cannot be used: ${why}.`,
    'Is it the base of a FHIR R4 server?',
  );
}

async function readBody(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of body) {
    length += part.length;
    if (length > PAGE_BYTES_MAX) throw notAnAnswer(`a page is longer than ${PAGE_BYTES_MAX} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

function parse(bytes: Uint8Array): LosslessValue {
  try {
    return parseLossless(fromUtf8(bytes), PAGE_JSON_LIMITS);
  } catch (error) {
    throw notAnAnswer(error instanceof JsonError ? error.code : 'not UTF-8 text');
  }
}

/** `Retry-After` as seconds or as a date (RFC 9110, section 10.2.3), in milliseconds from `now`. */
function retryAfter(header: unknown, now: number): number | undefined {
  if (typeof header !== 'string') return undefined;
  const seconds = Number(header);
  const wait = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - now;
  return Number.isFinite(wait) && wait >= 0 ? Math.min(wait, BACK_OFF_MILLISECONDS_MAX) : undefined;
}

function unreachable(cause: unknown): ImportError {
  return new ImportError(
    'import/source-unreachable',
    'The server gave no answer.',
    'Does it run, and does this machine trust its certificate (--ca)? Starting again goes on where the import was.',
    { cause },
  );
}

async function attempt(url: URL, asking: Asking): Promise<Attempt> {
  const token = asking.token?.();
  const timeout = AbortSignal.timeout(asking.requestMillisecondsMax ?? REQUEST_MILLISECONDS_MAX);
  try {
    const answer = await request(url, {
      headers: {
        accept: 'application/fhir+json',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      ...(asking.dispatcher ? { dispatcher: asking.dispatcher } : {}),
      signal: asking.signal ? AbortSignal.any([timeout, asking.signal]) : timeout,
    });
    const { statusCode, headers } = answer;
    if (statusCode === 200) {
      const value = parse(await readBody(answer.body as AsyncIterable<Uint8Array>));
      const date = typeof headers.date === 'string' ? Date.parse(headers.date) : Number.NaN;
      return { kind: 'answer', answer: { value, date: Number.isNaN(date) ? undefined : date } };
    }
    await answer.body.dump({ limit: REFUSAL_BYTES_MAX });
    const error = refused(statusCode);
    if (!PASSING.has(statusCode)) throw error;
    return { kind: 'later', afterMilliseconds: retryAfter(headers['retry-after'], Date.now()), error };
  } catch (cause) {
    asking.signal?.throwIfAborted();
    if (cause instanceof ImportError) throw cause;
    return { kind: 'later', afterMilliseconds: undefined, error: unreachable(cause) };
  }
}

/**
 * Asks a server for JSON, patiently: when it is busy, silent or broken it is asked again, later each time. Redirects are
 * not followed.
 *
 * @throws {@link ImportError} `import/source-denied`, `-refused`, `-unreachable`, `-answer`; the signal's reason.
 */
export async function fetchJson(url: URL, asking: Asking): Promise<JsonAnswer> {
  for (let attempts = 1; ; attempts += 1) {
    const outcome = await attempt(url, asking);
    if (outcome.kind === 'answer') return outcome.answer;
    if (attempts >= ATTEMPTS_MAX) throw outcome.error;
    await asking.wait(outcome.afterMilliseconds ?? BACK_OFF_MILLISECONDS * 2 ** (attempts - 1));
    asking.signal?.throwIfAborted();
  }
}
