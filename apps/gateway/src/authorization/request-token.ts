import { randomUUID } from 'node:crypto';
import { importJWK, type JWK, SignJWT } from 'jose';
import { Agent, request } from 'undici';
import { clientTlsOptions, type TlsIdentity } from '../tls/tls-options.ts';
import { type AssertionExtensions, B2B_EXTENSION, OPERATOR_EXTENSION } from './assertion-claims.ts';
import { TokenRequestError } from './errors.ts';

/** How long a freshly made assertion holds, in seconds. */
export const ASSERTION_SECONDS = 60;
/** How long a token endpoint may take, in milliseconds. */
export const TOKEN_REQUEST_MS = 5_000;
/** The longest answer of a token endpoint that is read. */
export const TOKEN_ANSWER_BYTES_MAX = 64 * 1024;

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

export interface AssertionOptions {
  readonly clientId: string;
  /** Private ES384 or RS384 key with `kid` and `alg`. */
  readonly privateKey: JWK;
  /** The audience of the assertion and where the request goes. */
  readonly tokenEndpoint: string;
  readonly extensions?: AssertionExtensions;
  /** Milliseconds; the system clock by default. */
  readonly now?: () => number;
}

export interface TokenRequest extends AssertionOptions {
  /** SMART scopes, separated by spaces. */
  readonly scope: string;
  /** Connects with the client certificate, where the client has one: {@link mutualTlsAgent}. */
  readonly agent: Agent;
}

export interface AccessToken {
  readonly accessToken: string;
  /** What was granted, which may be less than asked. */
  readonly scope: string;
  /** Milliseconds since 1970-01-01T00:00:00Z. */
  readonly expiresAt: number;
}

/** A connection pool that speaks TLS 1.3 to other members, with this member's certificate where one is given. */
export function mutualTlsAgent(
  identity: Pick<TlsIdentity, 'certificateAuthority'> &
    Partial<Pick<TlsIdentity, 'certificate' | 'privateKey'>>,
): Agent {
  return new Agent({ connect: clientTlsOptions(identity), connectTimeout: TOKEN_REQUEST_MS });
}

/** Signs a client assertion (RFC 7523) that holds for a minute and can be used once. */
export async function signAssertion(options: AssertionOptions): Promise<string> {
  const seconds = Math.floor((options.now ?? Date.now)() / 1000);
  const { b2b, patient, user } = options.extensions ?? {};
  const operator = {
    ...(patient === undefined ? {} : { patient }),
    ...(user === undefined ? {} : { user }),
  };
  const extensions = {
    ...(b2b ? { [B2B_EXTENSION]: b2b } : {}),
    ...(Object.keys(operator).length === 0 ? {} : { [OPERATOR_EXTENSION]: operator }),
  };
  const algorithm = options.privateKey.alg ?? 'ES384';
  return new SignJWT(Object.keys(extensions).length === 0 ? {} : { extensions })
    .setProtectedHeader({
      alg: algorithm,
      typ: 'JWT',
      ...(options.privateKey.kid === undefined ? {} : { kid: options.privateKey.kid }),
    })
    .setIssuer(options.clientId)
    .setSubject(options.clientId)
    .setAudience(options.tokenEndpoint)
    .setJti(randomUUID())
    .setIssuedAt(seconds)
    .setExpirationTime(seconds + ASSERTION_SECONDS)
    .sign(await importJWK(options.privateKey, algorithm));
}

/**
 * Fetches an access token from a member's gateway.
 *
 * @throws {@link TokenRequestError} `token/refused` with the server's OAuth error, or `token/unreachable`.
 */
export async function requestToken(options: TokenRequest): Promise<AccessToken> {
  const assertion = await signAssertion(options);
  const body = new URLSearchParams({
    grant_type: 'client_credentials',
    scope: options.scope,
    client_assertion_type: ASSERTION_TYPE,
    client_assertion: assertion,
  });
  const answer = await post(options, body.toString());
  const { access_token: accessToken, expires_in: seconds, scope } = answer.json;
  if (answer.status === 200 && typeof accessToken === 'string' && typeof seconds === 'number') {
    const now = (options.now ?? Date.now)();
    return { accessToken, scope: typeof scope === 'string' ? scope : '', expiresAt: now + seconds * 1000 };
  }
  const { error, error_description: description } = answer.json;
  throw new TokenRequestError({
    code: 'token/refused',
    message: `The token endpoint refused the request: ${typeof description === 'string' ? description : `status ${answer.status}`}.`,
    help: 'Check that the client, its key and its certificate are in force there, and the scopes it may ask for.',
    ...(typeof error === 'string' ? { oauthError: error } : {}),
  });
}

async function post(
  options: TokenRequest,
  body: string,
): Promise<{ readonly status: number; readonly json: Readonly<Record<string, unknown>> }> {
  try {
    const response = await request(options.tokenEndpoint, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
      body,
      dispatcher: options.agent,
      signal: AbortSignal.timeout(TOKEN_REQUEST_MS),
    });
    let text = '';
    for await (const chunk of response.body) {
      text += String(chunk);
      if (text.length > TOKEN_ANSWER_BYTES_MAX) throw new Error('the answer is too long');
    }
    return { status: response.statusCode, json: JSON.parse(text) as Readonly<Record<string, unknown>> };
  } catch (cause) {
    throw new TokenRequestError({
      code: 'token/unreachable',
      message: 'The token endpoint gave no usable answer.',
      help: 'Check that the member is running, and the certificates of both sides.',
      cause,
    });
  }
}
