import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import { Agent, request } from 'undici';

/** How long an issuer's keys are used before they are asked for again, in milliseconds. */
export const KEYS_FRESH_MS = 10 * 60 * 1000;
/** How long after asking an unknown key id does not make us ask again: or anybody could. */
export const KEYS_COOL_DOWN_MS = 30 * 1000;
/** How long an issuer may take to answer. */
export const ISSUER_ANSWER_MS_MAX = 3_000;
/** The longest answer of an issuer that is read. */
export const ISSUER_ANSWER_BYTES_MAX = 256 * 1024;

export interface KeySourceOptions {
  readonly issuer: string;
  /** PEM; the system's authorities by default. */
  readonly certificateAuthority?: string;
  /** Milliseconds. */
  readonly now: () => number;
}

/** The public keys of another OpenID provider, found by discovery and kept for a while. */
export interface KeySource {
  readonly key: JWTVerifyGetKey;
  readonly close: () => Promise<void>;
}

type Json = Readonly<Record<string, unknown>>;

/**
 * Fetches a small JSON object. Redirects are not followed: the issuer's own host answers, or nobody.
 *
 * @throws Error when it is none, too long, too late or elsewhere.
 */
async function fetchObject(url: URL, agent: Agent): Promise<Json> {
  const answer = await request(url, {
    dispatcher: agent,
    headers: { accept: 'application/json' },
    signal: AbortSignal.timeout(ISSUER_ANSWER_MS_MAX),
  });
  let text = '';
  for await (const chunk of answer.body) {
    text += String(chunk);
    if (text.length > ISSUER_ANSWER_BYTES_MAX) throw new Error('the answer is too long');
  }
  const parsed: unknown = answer.statusCode === 200 ? JSON.parse(text) : undefined;
  if (typeof parsed !== 'object' || parsed === null) throw new Error('the answer is not an object');
  return parsed as Json;
}

/**
 * Where the issuer says its keys are.
 *
 * @throws Error when the document is another issuer's, or points to another host: a key list elsewhere is not believed.
 */
async function discover(issuer: string, agent: Agent): Promise<URL> {
  const address = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const found = await fetchObject(new URL(address), agent);
  const keys = URL.parse(String(found.jwks_uri));
  if (found.issuer !== issuer || keys?.origin !== new URL(issuer).origin) {
    throw new Error('the discovery document is not this issuer’s');
  }
  return keys;
}

/** Opens the keys of an issuer. Nothing is asked before the first token comes. */
export function openKeySource(options: KeySourceOptions): KeySource {
  const { issuer, certificateAuthority: ca, now } = options;
  const agent = new Agent({ connect: ca === undefined ? {} : { ca }, connectTimeout: ISSUER_ANSWER_MS_MAX });
  let keys: ReturnType<typeof createLocalJWKSet> | undefined;
  let askedAt = Number.NEGATIVE_INFINITY;
  let asking: Promise<void> | undefined;

  const ask = async (): Promise<void> => {
    const url = await discover(issuer, agent);
    keys = createLocalJWKSet((await fetchObject(url, agent)) as unknown as JSONWebKeySet);
  };
  const refresh = (): Promise<void> => {
    asking ??= ask().finally(() => {
      askedAt = now();
      asking = undefined;
    });
    return asking;
  };

  return {
    key: async (header, token) => {
      const age = now() - askedAt;
      // An issuer that does not answer leaves us with the keys that it had.
      if (!keys || age > KEYS_FRESH_MS) {
        if (age > KEYS_COOL_DOWN_MS) await refresh().catch(() => undefined);
      }
      if (!keys) throw new errors.JWKSNoMatchingKey('the issuer’s keys could not be fetched');
      try {
        return await keys(header, token);
      } catch (error) {
        const isUnknown = error instanceof errors.JWKSNoMatchingKey;
        if (!isUnknown || now() - askedAt <= KEYS_COOL_DOWN_MS) throw error;
        await refresh();
        return keys(header, token);
      }
    },
    close: () => agent.close(),
  };
}
