import type { OrganizationId } from '@careledger/primitives';
import { createLocalJWKSet, decodeJwt, errors, type JWK, type JWTPayload, jwtVerify } from 'jose';
import type { Caller, Scope } from '../caller.ts';
import type { PeerCertificate } from '../tls/peer-certificate.ts';
import { TOKEN_ALGORITHM } from './algorithms.ts';
import { B2B_EXTENSION, type Hl7B2b, readB2b } from './assertion-claims.ts';
import type { ClientRegistry, RegisteredClient } from './clients.ts';
import { AuthorizationError } from './errors.ts';
import type { ExternalIssuer } from './external/external-issuer.ts';
import { type Interaction, isAllowedWithoutRestriction } from './scopes.ts';
import { resourceScopes, userCaller } from './user-caller.ts';
import type { UserRegistry } from './users/users.ts';
import { VerifiedTokens } from './verified-tokens.ts';

/** The two things of a request that say who asks. */
export interface Credentials {
  /** The `Authorization` header as it came. */
  readonly authorization: string | undefined;
  readonly certificate: PeerCertificate;
}

/**
 * Finds out who asks.
 *
 * @throws {@link AuthorizationError} (401): `token/missing`, `token/expired`, `token/audience`, `token/issuer`,
 * `token/invalid`, `token/certificate`, `token/client-not-in-force`, `token/user-not-in-force`.
 */
export type Authenticate = (credentials: Credentials) => Promise<Caller>;

/** What is stored behind an app's access token. */
export interface UserToken {
  readonly clientId: string;
  /** The user's subject id. */
  readonly subject: string;
  readonly scope: string;
  readonly patient?: string;
  /** Its grant binds the app to this patient, whichever scopes the token has. */
  readonly isBound?: boolean;
  /** `x5t#S256` of the certificate that it is bound to. */
  readonly thumbprint?: string;
}

export interface AuthenticatorOptions {
  readonly issuer: string;
  readonly audience: string;
  /** The access tokens' key; only its public half is used here. */
  readonly signingKey: JWK;
  readonly clients: ClientRegistry;
  readonly organization: OrganizationId;
  readonly users: UserRegistry;
  /** Finds an app's token, unless it has expired, was revoked or its session has ended. */
  readonly findUserToken: (token: string) => Promise<UserToken | undefined>;
  /** Other OpenID providers whose tokens are good here. */
  readonly externals: readonly ExternalIssuer[];
  /** Milliseconds. */
  readonly now: () => number;
}

/** The longest `Authorization` header that is looked at. */
export const AUTHORIZATION_HEADER_BYTES_MAX = 8 * 1024;

/** A service's token is a JWT, an app's a random text. */
const BEARER = /^Bearer ([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)?)$/i;
const HELP = 'Ask the token endpoint named in [base]/.well-known/smart-configuration for a token.';

function refuse(code: string, message: string, cause?: unknown): never {
  throw new AuthorizationError({ code, status: 401, message, help: HELP, cause });
}

function refuseInvalid(error: unknown): never {
  if (error instanceof errors.JWTExpired) refuse('token/expired', 'The access token has expired.', error);
  if (error instanceof errors.JWTClaimValidationFailed && error.claim === 'aud') {
    refuse('token/audience', 'The access token is for another server.', error);
  }
  if (error instanceof errors.JWTClaimValidationFailed && error.claim === 'iss') {
    refuse('token/issuer', 'The access token is from another issuer.', error);
  }
  refuse('token/invalid', 'The access token is not valid.', error);
}

function tokenOf(credentials: Credentials): string {
  const header = credentials.authorization;
  if (header === undefined || header === '') refuse('token/missing', 'The request carries no access token.');
  if (header.length > AUTHORIZATION_HEADER_BYTES_MAX)
    refuse('token/invalid', 'The access token is too long.');
  return (
    BEARER.exec(header)?.[1] ?? refuse('token/invalid', 'The Authorization header is not a bearer token.')
  );
}

/** RFC 8705, section 3: the certificate behind the request is the one that the token was issued to. */
function checkBinding(payload: JWTPayload, client: RegisteredClient, certificate: PeerCertificate): void {
  const confirmation = payload.cnf as { readonly 'x5t#S256'?: unknown } | undefined;
  const bound = confirmation?.['x5t#S256'];
  if (bound === undefined && client.kind !== 'organization') return;
  if (certificate.status !== 'trusted' || certificate.thumbprint !== bound) {
    refuse('token/certificate', 'The access token is bound to another client certificate.');
  }
  if (!client.certificates.includes(certificate.thumbprint)) {
    refuse('token/certificate', 'The client certificate is no longer in force.');
  }
}

function scopesOf(payload: JWTPayload): readonly Scope[] {
  return resourceScopes(typeof payload.scope === 'string' ? payload.scope : '');
}

function b2bOf(payload: JWTPayload): Hl7B2b | undefined {
  const extensions = payload.extensions as Readonly<Record<string, unknown>> | undefined;
  if (extensions?.[B2B_EXTENSION] === undefined) return undefined;
  const b2b = readB2b(extensions[B2B_EXTENSION]);
  return typeof b2b === 'string' ? refuse('token/invalid', 'The access token is not valid.') : b2b;
}

function kindOf(client: RegisteredClient, scopes: readonly Scope[]): Caller['kind'] {
  if (client.kind === 'app') refuse('token/invalid', 'The access token is not of the kind that an app gets.');
  if (client.kind !== 'operator') return client.kind;
  return scopes[0]?.context ?? 'system';
}

function callerOf(payload: JWTPayload, client: RegisteredClient): Caller {
  const scopes = scopesOf(payload);
  const b2b = b2bOf(payload);
  const kind = kindOf(client, scopes);
  if (kind === 'organization' && !b2b) refuse('token/invalid', 'The access token says no purpose.');
  if (kind === 'patient' && typeof payload.patient !== 'string') {
    refuse('token/invalid', 'The access token names no patient.');
  }
  const purpose = b2b?.purpose_of_use[0];
  const consentId = b2b?.consent_reference?.[0];
  return {
    kind,
    organization: client.organization,
    subject: typeof payload.user === 'string' ? payload.user : client.clientId,
    scopes,
    ...(kind === 'patient' && typeof payload.patient === 'string' ? { patientId: payload.patient } : {}),
    ...(purpose === undefined ? {} : { purpose }),
    ...(b2b?.subject_id === undefined ? {} : { requestingUser: b2b.subject_id }),
    ...(consentId === undefined ? {} : { consentId }),
  };
}

/** Is the token of a kind that this issuer's key did not sign? Read before any check: it only chooses the key. */
function externalOf(token: string, externals: readonly ExternalIssuer[]): ExternalIssuer | undefined {
  if (externals.length === 0) return undefined;
  try {
    const { iss } = decodeJwt(token);
    return externals.find((external) => external.issuer === iss);
  } catch {
    return undefined;
  }
}

async function verifiedPayload(
  token: string,
  keys: ReturnType<typeof createLocalJWKSet>,
  options: AuthenticatorOptions,
): Promise<JWTPayload> {
  const { payload } = await jwtVerify(token, keys, {
    issuer: options.issuer,
    audience: options.audience,
    algorithms: [TOKEN_ALGORITHM],
    typ: 'at+jwt',
    requiredClaims: ['exp', 'iat', 'client_id', 'scope'],
    currentDate: new Date(options.now()),
  }).catch(refuseInvalid);
  return payload;
}

/** Only what the token itself says is remembered: whether its client is in force is asked each time. */
async function serviceCaller(
  token: string,
  verified: VerifiedTokens,
  options: AuthenticatorOptions,
  certificate: PeerCertificate,
): Promise<Caller> {
  const payload = await verified.payloadOf(token);
  const client = await options.clients.find(String(payload.client_id));
  if (!client) return refuse('token/client-not-in-force', 'The client of this token is not in force here.');
  checkBinding(payload, client, certificate);
  return callerOf(payload, client);
}

async function appCaller(
  token: string,
  options: AuthenticatorOptions,
  certificate: PeerCertificate,
): Promise<Caller> {
  const found = await options.findUserToken(token);
  if (!found) return refuse('token/invalid', 'The access token has expired, was taken back or is none.');
  const client = await options.clients.find(found.clientId);
  if (client?.kind !== 'app') {
    return refuse('token/client-not-in-force', 'The client of this token is not in force here.');
  }
  if (found.thumbprint !== undefined) {
    checkBinding({ cnf: { 'x5t#S256': found.thumbprint } }, client, certificate);
  }
  const user = await options.users.findBySubject(found.subject);
  const { scope, patient, isBound = false } = found;
  const caller =
    user &&
    userCaller({
      ...{ user, scope, isBound, organization: options.organization, clientScopes: client.scopes },
      ...(patient === undefined ? {} : { patient }),
    });
  return caller ?? refuse('token/user-not-in-force', 'The user of this token is not in force here.');
}

/** Makes the check that stands before every route. */
export function createAuthenticator(options: AuthenticatorOptions): Authenticate {
  const { kty, crv, x, y, kid } = options.signingKey;
  const publicKey = { kty, crv, x, y, kid, alg: TOKEN_ALGORITHM } as JWK;
  const keys = createLocalJWKSet({ keys: [publicKey] });

  const verified = new VerifiedTokens(options.now, (token) => verifiedPayload(token, keys, options));

  return async (credentials) => {
    const token = tokenOf(credentials);
    if (!token.includes('.')) return appCaller(token, options, credentials.certificate);
    const external = externalOf(token, options.externals);
    if (!external) return serviceCaller(token, verified, options, credentials.certificate);
    const caller = await external.authenticate(token).catch(refuseInvalid);
    return caller ?? refuse('token/user-not-in-force', 'The user of this token has no role here.');
  };
}

/**
 * States what a route outside the FHIR API needs. A scope restricted to some records does not suffice: such a route
 * does not judge single records.
 *
 * @throws {@link AuthorizationError} `scope/too-narrow` (403) when the caller's scopes do not cover it.
 */
export function requireAllowed(caller: Caller, type: string, interaction: Interaction): void {
  if (isAllowedWithoutRestriction(caller, type, interaction)) return;
  throw new AuthorizationError({
    code: 'scope/too-narrow',
    status: 403,
    message: `The token's scopes do not allow ${interaction} on ${type}.`,
    help: 'Ask for a token with a wider scope, such as system/Observation.rs.',
  });
}
