import { randomBytes } from 'node:crypto';
import type { JWK } from 'jose';
import type { Adapter, AdapterPayload, Configuration, KoaContextWithOIDC } from 'oidc-provider';
import { errors } from 'oidc-provider';
import { peerCertificate } from '../tls/peer-certificate.ts';
import type { ClientRegistry, RegisteredClient } from './clients.ts';

/** Signature algorithms of client assertions (SMART App Launch 2, asymmetric client authentication). */
export const ASSERTION_ALGORITHMS = ['ES384', 'RS384'] as const;
/** The signature algorithm of access tokens. */
export const TOKEN_ALGORITHM = 'ES256';

export interface ProviderOptions {
  readonly signingKey: JWK;
  readonly clients: ClientRegistry;
  readonly audience: string;
  readonly accessTokenSeconds: number;
  readonly clockSkewSeconds: number;
  /** Judges an assertion whose signature holds. @throws an error of `oidc-provider`. */
  readonly checkAssertion: (ctx: KoaContextWithOIDC, claims: Record<string, unknown>) => Promise<void>;
  readonly grantScopes: (ctx: KoaContextWithOIDC) => readonly string[];
  readonly extraClaims: (ctx: KoaContextWithOIDC) => Record<string, unknown>;
}

function clientMetadata(client: RegisteredClient): AdapterPayload {
  return {
    client_id: client.clientId,
    token_endpoint_auth_method: 'private_key_jwt',
    jwks: { keys: client.publicKeys.map((key) => ({ ...key })) },
    redirect_uris: [],
    response_types: [],
    grant_types: ['client_credentials'],
    tls_client_certificate_bound_access_tokens:
      client.kind === 'organization' || client.certificates.length > 0,
  };
}

/** Clients come from the registry; nothing else is stored: tokens are self-contained and replays watched elsewhere. */
function adapterOver(clients: ClientRegistry): (model: string) => Adapter {
  const nothing = async (): Promise<undefined> => undefined;
  return (model) => ({
    find: async (id) => {
      if (model !== 'Client') return undefined;
      const client = await clients.find(id);
      return client ? clientMetadata(client) : undefined;
    },
    upsert: nothing,
    findByUserCode: nothing,
    findByUid: nothing,
    consume: nothing,
    destroy: nothing,
    revokeByGrantId: nothing,
  });
}

/** The settings of `oidc-provider` for SMART Backend Services and nothing more. */
export function providerConfiguration(options: ProviderOptions): Configuration {
  return {
    adapter: adapterOver(options.clients),
    clientAuthMethods: ['private_key_jwt'],
    enabledJWA: { clientAuthSigningAlgValues: [...ASSERTION_ALGORITHMS], idTokenSigningAlgValues: ['ES256'] },
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    jwks: { keys: [{ ...options.signingKey, alg: TOKEN_ALGORITHM, use: 'sig' } as never] },
    clockTolerance: options.clockSkewSeconds,
    responseTypes: [],
    scopes: [],
    cookies: { keys: [randomBytes(32).toString('base64url')] },
    ttl: { ClientCredentials: options.accessTokenSeconds },
    assertJwtClientAuthClaimsAndHeader: (ctx, claims) => options.checkAssertion(ctx, claims),
    extraTokenClaims: (ctx) => options.extraClaims(ctx),
    features: {
      devInteractions: { enabled: false },
      userinfo: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      clientCredentials: { enabled: true },
      mTLS: {
        enabled: true,
        certificateBoundAccessTokens: true,
        getCertificate: (ctx) => {
          const certificate = peerCertificate(ctx.req);
          return certificate.status === 'trusted' ? certificate.pem : undefined;
        },
      },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => options.audience,
        getResourceServerInfo: (ctx, resource) => {
          if (resource !== options.audience) throw new errors.InvalidTarget();
          return {
            scope: options.grantScopes(ctx).join(' '),
            audience: options.audience,
            accessTokenFormat: 'jwt',
            accessTokenTTL: options.accessTokenSeconds,
            jwt: { sign: { alg: TOKEN_ALGORITHM } },
          };
        },
      },
    },
  };
}
