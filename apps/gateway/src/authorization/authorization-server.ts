import type { IncomingMessage, ServerResponse } from 'node:http';
import type { OrganizationId } from '@careledger/primitives';
import type { JWK } from 'jose';
import { errors, type KoaContextWithOIDC, Provider } from 'oidc-provider';
import { type PeerCertificate, peerCertificate } from '../tls/peer-certificate.ts';
import { fhirBaseOf, OAUTH_PATH, tokenEndpointOf } from './addresses.ts';
import { type AssertionExtensions, B2B_EXTENSION, readExtensions } from './assertion-claims.ts';
import { type Authenticate, createAuthenticator } from './authenticate.ts';
import type { ClientRegistry, RegisteredClient } from './clients.ts';
import { providerConfiguration } from './provider-configuration.ts';
import { createReplayWindow } from './replay-window.ts';
import { grantScopes, parseScope } from './scopes.ts';
import { type SmartConfiguration, smartConfiguration } from './smart-configuration.ts';

/** How long an access token holds, in seconds (SMART Backend Services: at most five minutes). */
export const ACCESS_TOKEN_SECONDS = 300;
/** The furthest ahead an assertion may expire, in seconds (SMART Backend Services: five minutes). */
export const ASSERTION_SECONDS_MAX = 300;
/** The largest difference between two members' clocks, in seconds. */
export const CLOCK_SKEW_SECONDS = 1;

export interface AuthorizationServerOptions {
  /** This gateway's own organization. */
  readonly organization: OrganizationId;
  /** `https://localhost:7400`, without a slash at its end. */
  readonly origin: string;
  /** Private ES256 key with a `kid`: signs access tokens. */
  readonly signingKey: JWK;
  readonly clients: ClientRegistry;
  /** Milliseconds; the system clock by default. */
  readonly now?: () => number;
}

export interface AuthorizationServer {
  readonly issuer: string;
  readonly tokenEndpoint: string;
  /** The one audience of every token: the FHIR base URL. */
  readonly audience: string;
  /** Serves what stands under `/oauth`; `request.url` is the whole path. */
  readonly handle: (request: IncomingMessage, response: ServerResponse) => void;
  /** Bearer token and client certificate in, caller out. */
  readonly authenticate: Authenticate;
  readonly smartConfiguration: SmartConfiguration;
}

/** Nothing else of the provider is reachable: the launch flows come with SMART App Launch. */
const PUBLISHED = new Set([`${OAUTH_PATH}/token`, `${OAUTH_PATH}/jwks`]);

/** Is this path the authorization server's? */
export function isAuthorizationPath(path: string): boolean {
  return path === OAUTH_PATH || path.startsWith(`${OAUTH_PATH}/`);
}

/** What one token request has shown so far, kept beside its HTTP request. */
interface ProvenRequest {
  readonly client: RegisteredClient;
  readonly extensions: AssertionExtensions;
}

function refuseClient(detail: string): never {
  throw new errors.InvalidClientAuth(detail);
}

function requireCertificate(client: RegisteredClient, certificate: PeerCertificate): void {
  if (client.kind !== 'organization' && client.certificates.length === 0) return;
  if (certificate.status !== 'trusted') refuseClient('a client certificate of the consortium is needed');
  if (!client.certificates.includes(certificate.thumbprint)) {
    refuseClient('the client certificate is not one in force for this client');
  }
}

function requireExtensions(client: RegisteredClient, value: unknown): AssertionExtensions {
  const extensions = readExtensions(value);
  if (typeof extensions === 'string') throw new errors.InvalidRequest(extensions);
  const { b2b } = extensions;
  if (client.kind === 'organization' && !b2b) {
    throw new errors.InvalidRequest(
      'an organization says who asks and why: the hl7-b2b extension is missing',
    );
  }
  if (b2b && b2b.organization_id !== client.organization) {
    throw new errors.InvalidRequest('hl7-b2b.organization_id is not the organization of this client');
  }
  const speaksForOthers = extensions.patient !== undefined || extensions.user !== undefined;
  if (speaksForOthers && client.kind !== 'operator') {
    throw new errors.InvalidRequest('this client may not ask for a token of a patient or a user');
  }
  return extensions;
}

/** The scopes of one token: those asked for, within the registration, all of one context. */
function scopesFor(proven: ProvenRequest, asked: string): readonly string[] {
  const granted = grantScopes(asked.split(' ').filter(Boolean), proven.client.scopes);
  const contexts = new Set(granted.map((scope) => parseScope(scope)?.context));
  if (granted.length === 0) throw new errors.InvalidScope('none of the scopes can be granted', asked);
  if (contexts.size > 1) throw new errors.InvalidScope('a token has scopes of one context', asked);
  if (contexts.has('patient') !== (proven.extensions.patient !== undefined)) {
    throw new errors.InvalidRequest('patient scopes and a patient belong together');
  }
  return granted;
}

/**
 * The member's authorization server: SMART Backend Services (client_credentials with a signed JWT assertion) through
 * `oidc-provider`, with UDAP's `hl7-b2b` claims and certificate-bound tokens (RFC 8705).
 */
export function createAuthorizationServer(options: AuthorizationServerOptions): AuthorizationServer {
  const now = options.now ?? Date.now;
  const issuer = `${options.origin}${OAUTH_PATH}`;
  const audience = fhirBaseOf(options.origin);
  const tokenEndpoint = tokenEndpointOf(options.origin);
  const replays = createReplayWindow();
  const startedAt = Math.floor(now() / 1000);
  const proven = new WeakMap<IncomingMessage, ProvenRequest>();

  const provenOf = (ctx: KoaContextWithOIDC): ProvenRequest =>
    proven.get(ctx.req) ?? refuseClient('the client is not authenticated');

  const checkAssertion = async (ctx: KoaContextWithOIDC, claims: Record<string, unknown>): Promise<void> => {
    const client = await options.clients.find(String(claims.iss));
    if (!client) return refuseClient('client not found');
    const { aud, exp, iat, jti, iss, sub } = claims;
    if (sub !== iss) refuseClient('sub is not iss');
    // The library would also take an endpoint named by the Host header: another member's assertion, passed on.
    if (aud !== tokenEndpoint) refuseClient('the audience is not this token endpoint');
    const seconds = Math.floor(now() / 1000);
    if (typeof exp !== 'number' || exp > seconds + ASSERTION_SECONDS_MAX + CLOCK_SKEW_SECONDS) {
      refuseClient('the assertion expires too far ahead');
    }
    // What was accepted before a restart is not in the window: nothing older than this process is taken.
    if (typeof iat !== 'number' || iat < startedAt - CLOCK_SKEW_SECONDS)
      refuseClient('iat is missing or too old');
    requireCertificate(client, peerCertificate(ctx.req));
    const extensions = requireExtensions(client, claims.extensions);
    const expiresAt = (exp + CLOCK_SKEW_SECONDS) * 1000;
    if (!replays.admit(JSON.stringify([iss, jti]), expiresAt, now())) {
      refuseClient('the assertion was used before');
    }
    proven.set(ctx.req, { client, extensions });
  };

  const provider = new Provider(
    issuer,
    providerConfiguration({
      ...options,
      audience,
      accessTokenSeconds: ACCESS_TOKEN_SECONDS,
      clockSkewSeconds: CLOCK_SKEW_SECONDS,
      checkAssertion,
      grantScopes: (ctx) => {
        const granted = scopesFor(provenOf(ctx), String(ctx.oidc.params?.scope ?? ''));
        if (ctx.oidc.params) ctx.oidc.params.scope = granted.join(' ');
        return granted;
      },
      extraClaims: (ctx) => tokenClaims(provenOf(ctx).extensions),
    }),
  );
  const callback = provider.callback();

  return {
    issuer,
    tokenEndpoint,
    audience,
    handle: (request, response) => handlePublished(request, response, callback),
    authenticate: createAuthenticator({
      issuer,
      audience,
      signingKey: options.signingKey,
      clients: options.clients,
      organization: options.organization,
      now,
    }),
    smartConfiguration: smartConfiguration({ issuer, tokenEndpoint }),
  };
}

function tokenClaims(extensions: AssertionExtensions): Record<string, unknown> {
  return {
    ...(extensions.b2b ? { extensions: { [B2B_EXTENSION]: extensions.b2b } } : {}),
    ...(extensions.patient === undefined ? {} : { patient: extensions.patient }),
    ...(extensions.user === undefined ? {} : { user: extensions.user }),
  };
}

function handlePublished(
  request: IncomingMessage & { originalUrl?: string },
  response: ServerResponse,
  callback: (request: IncomingMessage, response: ServerResponse) => unknown,
): void {
  const url = request.url ?? '';
  if (!PUBLISHED.has(url)) {
    response.writeHead(404, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ error: 'not_found', error_description: 'no such endpoint' }));
    return;
  }
  // The library finds its mount point by comparing the two.
  request.originalUrl = url;
  request.url = url.slice(OAUTH_PATH.length);
  callback(request, response);
}
