import type { IncomingMessage } from 'node:http';
import { errors, type KoaContextWithOIDC } from 'oidc-provider';
import { type PeerCertificate, peerCertificate } from '../tls/peer-certificate.ts';
import { type AssertionExtensions, B2B_EXTENSION, readExtensions } from './assertion-claims.ts';
import type { ClientRegistry, RegisteredClient } from './clients.ts';
import { ASSERTION_SECONDS_MAX, CLOCK_SKEW_SECONDS } from './limits.ts';
import { createReplayWindow } from './replay-window.ts';
import { grantScopes, parseScope } from './scopes.ts';

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

function tokenClaims(extensions: AssertionExtensions): Record<string, unknown> {
  return {
    ...(extensions.b2b ? { extensions: { [B2B_EXTENSION]: extensions.b2b } } : {}),
    ...(extensions.patient === undefined ? {} : { patient: extensions.patient }),
    ...(extensions.user === undefined ? {} : { user: extensions.user }),
  };
}

export interface BackendServicesOptions {
  readonly clients: ClientRegistry;
  readonly tokenEndpoint: string;
  /** Milliseconds. */
  readonly now: () => number;
}

/** What the library asks about a client that signs its requests. */
export interface BackendServices {
  /** Judges an assertion whose signature holds. @throws an error of `oidc-provider`. */
  readonly checkAssertion: (ctx: KoaContextWithOIDC, claims: Record<string, unknown>) => Promise<void>;
  /** The scopes of a `client_credentials` token. */
  readonly grantScopes: (ctx: KoaContextWithOIDC) => readonly string[];
  readonly tokenClaims: (ctx: KoaContextWithOIDC) => Record<string, unknown>;
}

/** SMART Backend Services with UDAP's `hl7-b2b` claims: what an assertion must hold and what its token carries. */
export function createBackendServices(options: BackendServicesOptions): BackendServices {
  const { now, tokenEndpoint } = options;
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

  return {
    checkAssertion,
    grantScopes: (ctx) => {
      const granted = scopesFor(provenOf(ctx), String(ctx.oidc.params?.scope ?? ''));
      if (ctx.oidc.params) ctx.oidc.params.scope = granted.join(' ');
      return granted;
    },
    tokenClaims: (ctx) => tokenClaims(provenOf(ctx).extensions),
  };
}
