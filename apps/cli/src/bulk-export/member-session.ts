import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { type AccessToken, requestToken } from '@careledger/gateway/token-client';
import { request } from 'undici';
import { type ConsortiumFile, organizationOf } from '../consortium-file.ts';
import { CliError } from '../errors.ts';
import { type HttpsAnswer, headerOf, requestHttps } from '../https-request.ts';
import { operatorTokenRequest } from '../local-operator.ts';

const SCOPE = 'system/*.rs';
/** A token is not used in its last half minute: a request takes time too. */
const TOKEN_LEFT_MS_MIN = 30_000;
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;
const ANSWER_MS_MAX = 60_000;
/** A download that says nothing for so long is dead. */
const SILENCE_MS_MAX = 60_000;
/** Ending the job at the server must not keep a person who pressed Ctrl-C. */
const CANCEL_MS_MAX = 10_000;
const TRIES_MAX = 10;
const WAIT_SECONDS_MAX = 60;

export interface Downloaded {
  readonly lines: number;
  readonly bytes: number;
}

/** One caller at a member's FHIR API, with a token that is renewed in time. */
export interface MemberSession {
  /** FHIR base URL. */
  readonly base: string;
  /** Begins a job: not broken off half-way, when nobody would know which job to end. */
  readonly begin: (url: string, headers: Readonly<Record<string, string>>) => Promise<HttpsAnswer>;
  readonly get: (url: string, headers: Readonly<Record<string, string>>) => Promise<HttpsAnswer>;
  /** Into a new file that its owner alone may read; what is broken off leaves none. */
  readonly download: (url: string, path: string) => Promise<Downloaded>;
  /** Waits as long as the server asks for, or until interrupted. */
  readonly pause: (retryAfter: string | undefined) => Promise<void>;
  /** Done even when interrupted, soon or not at all. */
  readonly cancel: (url: string) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** `Retry-After` in seconds; a date, or nothing, is a second. */
function secondsOf(retryAfter: string | undefined): number {
  const seconds = Number(retryAfter ?? 1);
  return Number.isFinite(seconds) ? Math.min(Math.max(seconds, 1), WAIT_SECONDS_MAX) : 1;
}

/** What the server says went wrong: its outcomes quote no values. */
export function refusal({ status, body }: Pick<HttpsAnswer, 'status' | 'body'>): CliError {
  const help = 'Ask for less, or for what the local operator may see; then run it again.';
  let text = `The member answered ${status}.`;
  try {
    const outcome = JSON.parse(Buffer.from(body).toString('utf8')) as {
      readonly issue?: readonly { readonly details?: { readonly text?: string } }[];
    };
    text = outcome.issue?.[0]?.details?.text ?? text;
  } catch {
    // No outcome: the status says it.
  }
  return new CliError('export/refused', text, help);
}

async function save(content: AsyncIterable<Uint8Array>, path: string): Promise<Downloaded> {
  const part = `${path}.part`;
  const file = createWriteStream(part, { flags: 'wx', mode: 0o600, flush: true });
  const failed = new Promise<never>((_resolve, reject) => file.once('error', reject));
  failed.catch(() => undefined);
  let [lines, bytes] = [0, 0];
  try {
    for await (const chunk of content) {
      bytes += chunk.length;
      for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) lines += 1;
      if (!file.write(chunk)) await Promise.race([new Promise<void>((go) => file.once('drain', go)), failed]);
    }
    await Promise.race([new Promise<void>((closed) => file.end().once('close', closed)), failed]);
    await rename(part, path);
    return { lines, bytes };
  } catch (error) {
    file.destroy();
    await rm(part, { force: true });
    throw error;
  }
}

/** Opens a session as the local operator. `signal` ends whatever is under way. */
export function memberSession(options: {
  readonly folder: string;
  readonly consortium: ConsortiumFile;
  readonly organization: string;
  readonly signal: AbortSignal;
}): MemberSession {
  const { signal } = options;
  const tokenRequest = operatorTokenRequest({ ...options, scope: SCOPE });
  const { agent } = tokenRequest;
  let token: AccessToken | undefined;
  const authorization = async (): Promise<{ readonly authorization: string }> => {
    if (!token || token.expiresAt - Date.now() < TOKEN_LEFT_MS_MIN) token = await requestToken(tokenRequest);
    return { authorization: `Bearer ${token.accessToken}` };
  };
  const pause = async (retryAfter: string | undefined): Promise<void> => {
    await wait(secondsOf(retryAfter) * 1000, undefined, { signal });
  };
  /** Waits and asks again where the server says that this is too often. */
  const ask = async (
    url: string,
    headers: Readonly<Record<string, string>>,
    until: AbortSignal | undefined,
  ): Promise<HttpsAnswer> => {
    for (let tries = 1; ; tries += 1) {
      const answer = await requestHttps(url, {
        ...{ agent, method: 'GET', bytesMax: ANSWER_BYTES_MAX, millisecondsMax: ANSWER_MS_MAX },
        ...(until ? { signal: until } : {}),
        headers: { ...headers, ...(await authorization()) },
      });
      if (answer.status !== 429 || tries === TRIES_MAX) return answer;
      await pause(headerOf(answer, 'retry-after'));
    }
  };
  return {
    base: organizationOf(options.consortium, options.organization).fhir,
    pause,
    begin: (url, headers) => ask(url, headers, undefined),
    get: (url, headers) => ask(url, headers, signal),
    download: async (url, path) => {
      for (let tries = 1; ; tries += 1) {
        const answer = await request(url, {
          ...{ dispatcher: agent, signal, bodyTimeout: SILENCE_MS_MAX },
          headers: await authorization(),
        });
        if (answer.statusCode === 200) return save(answer.body as AsyncIterable<Uint8Array>, path);
        await answer.body.dump();
        if (answer.statusCode !== 429 || tries === TRIES_MAX)
          throw refusal({ status: answer.statusCode, body: new Uint8Array() });
        await pause(headerOf(answer, 'retry-after'));
      }
    },
    cancel: async (url) => {
      await requestHttps(url, {
        ...{ agent, method: 'DELETE', bytesMax: ANSWER_BYTES_MAX, millisecondsMax: CANCEL_MS_MAX },
        headers: await authorization(),
      });
    },
    close: () => agent.destroy(),
  };
}
