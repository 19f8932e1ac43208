import { hkdfSync } from 'node:crypto';
import type { JWK } from 'jose';
import {
  type AdapterPayload,
  type Configuration,
  errors,
  interactionPolicy,
  type KoaContextWithOIDC,
} from 'oidc-provider';
import { peerCertificate } from '../tls/peer-certificate.ts';
import { ACCOUNT_CLAIMS, findAccount } from './accounts.ts';
import { INTERACTION_PATH, OAUTH_PATH, OAUTH_ROUTES } from './addresses.ts';
import { ASSERTION_ALGORITHMS, ID_TOKEN_ALGORITHM, TOKEN_ALGORITHM } from './algorithms.ts';
import type { BackendServices } from './backend-services.ts';
import type { ClientRegistry, RegisteredClient } from './clients.ts';
import * as limits from './limits.ts';
import { errorPage, signedOutPage, signOutPage } from './pages/pages.ts';
import { showPage } from './pages/send-page.ts';
import { SMART_SCOPES } from './smart-configuration.ts';
import type { AuthorizationStore } from './store/authorization-store.ts';
import { OidcAdapter } from './store/oidc-adapter.ts';
import type { UserRegistry } from './users/users.ts';

/** What an app's requests are judged by. */
export interface AppRules {
  /** Judges and cuts down an authorization request. @throws an error of `oidc-provider`. */
  readonly grantScopes: (ctx: KoaContextWithOIDC, client: RegisteredClient) => readonly string[];
  readonly checkAudience: (audience: unknown) => void;
  readonly checkLaunch: (ctx: KoaContextWithOIDC, launch: unknown) => Promise<void>;
  readonly tokenClaims: (subject: string, grantId: string) => Promise<Record<string, unknown>>;
}

export interface ProviderOptions {
  readonly organization: string;
  readonly signingKey: JWK;
  readonly idTokenKey: JWK;
  readonly clients: ClientRegistry;
  readonly users: UserRegistry;
  readonly store: AuthorizationStore;
  readonly audience: string;
  readonly backend: BackendServices;
  readonly apps: AppRules;
}

function authenticationMethod(client: RegisteredClient): 'private_key_jwt' | 'client_secret_basic' | 'none' {
  if (client.kind !== 'app' || client.publicKeys.length > 0) return 'private_key_jwt';
  return client.app?.secretHash === undefined ? 'none' : 'client_secret_basic';
}

function clientMetadata(client: RegisteredClient): AdapterPayload {
  const { app } = client;
  return {
    client_id: client.clientId,
    token_endpoint_auth_method: authenticationMethod(client),
    jwks: { keys: client.publicKeys.map((key) => ({ ...key })) },
    // The library compares with the hash that stands here: see `compareSecretHashes`.
    ...(app?.secretHash === undefined ? {} : { client_secret: app.secretHash }),
    ...(app === undefined ? {} : { client_name: app.title }),
    redirect_uris: [...(app?.redirectUris ?? [])],
    post_logout_redirect_uris: [...(app?.redirectUris ?? [])],
    response_types: client.kind === 'app' ? ['code'] : [],
    grant_types: client.kind === 'app' ? ['authorization_code', 'refresh_token'] : ['client_credentials'],
    tls_client_certificate_bound_access_tokens:
      client.kind === 'organization' || client.certificates.length > 0,
  };
}

class ClientAdapter extends OidcAdapter {
  readonly #clients: ClientRegistry;

  constructor(clients: ClientRegistry, store: AuthorizationStore) {
    super(store, 'Client');
    this.#clients = clients;
  }

  override async find(id: string): Promise<AdapterPayload | undefined> {
    const client = await this.#clients.find(id);
    return client && clientMetadata(client);
  }
}

/** Secrets of this server that no file of their own is needed for. */
export function derivedSecret(signingKey: JWK, purpose: string): string {
  const key = hkdfSync('sha256', String(signingKey.d), '', `careledger/authorization/${purpose}/v1`, 32);
  return Buffer.from(key).toString('base64url');
}

function signInPolicy(): interactionPolicy.DefaultPolicy {
  const { Check, base } = interactionPolicy;
  const policy = base();
  policy.get('login')?.checks.add(
    new Check('session_over', 'the session is over or its user is not in force', ({ oidc }) => {
      const { session, account } = oidc;
      if (!session?.accountId) return Check.NO_NEED_TO_PROMPT;
      const isOver = !account || (session.past(limits.SESSION_SECONDS) && !oidc.result?.login);
      return isOver ? Check.REQUEST_PROMPT : Check.NO_NEED_TO_PROMPT;
    }),
  );
  return policy;
}

const now = (): number => Math.floor(Date.now() / 1000);
const atLeastOne = (seconds: number): number => Math.max(1, Math.floor(seconds));

/** How long what the library makes holds. A refresh token ends with its grant, a session a working day after sign-in. */
const LIFETIMES: Configuration['ttl'] = {
  AccessToken: limits.ACCESS_TOKEN_SECONDS,
  AuthorizationCode: limits.CODE_SECONDS,
  ClientCredentials: limits.ACCESS_TOKEN_SECONDS,
  Grant: limits.GRANT_SECONDS,
  IdToken: limits.ID_TOKEN_SECONDS,
  Interaction: limits.INTERACTION_SECONDS,
  RefreshToken: (ctx) => atLeastOne((ctx.oidc.entities.Grant?.exp ?? 0) - now()),
  Session: (_ctx, session) => atLeastOne((session.loginTs ?? now()) + limits.SESSION_SECONDS - now()),
};

function cookieSettings(options: ProviderOptions): Configuration['cookies'] {
  // Cookies do not know ports: two members on one machine must not overwrite each other's.
  const name = (what: string): string => `__Secure-careledger-${options.organization}-${what}`;
  const common = { httpOnly: true, secure: true, signed: true, sameSite: 'lax', overwrite: true } as const;
  return {
    keys: [derivedSecret(options.signingKey, 'cookies')],
    names: { session: name('session'), interaction: name('interaction'), resume: name('resume') },
    long: { ...common, path: OAUTH_PATH },
    short: common,
  };
}

function resourceServerInfo(options: ProviderOptions) {
  return async (ctx: KoaContextWithOIDC, resource: string) => {
    if (resource !== options.audience) throw new errors.InvalidTarget();
    const client = await options.clients.find(String(ctx.oidc.client?.clientId));
    if (!client) throw new errors.InvalidClient('the client is not in force');
    const isApp = client.kind === 'app';
    const granted = isApp ? options.apps.grantScopes(ctx, client) : options.backend.grantScopes(ctx);
    // The library takes what stands here for the resource's own: the words of SMART and OpenID are not.
    const scope = granted.filter((text) => text.includes('.')).join(' ');
    const common = { scope, audience: options.audience };
    // A person's token can be taken back at once: it stands in the store. A service's stands for itself.
    if (isApp) return { ...common, accessTokenFormat: 'opaque' as const };
    return { ...common, accessTokenFormat: 'jwt' as const, jwt: { sign: { alg: TOKEN_ALGORITHM } } } as const;
  };
}

function features(options: ProviderOptions): Configuration['features'] {
  return {
    devInteractions: { enabled: false },
    userinfo: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: {
      enabled: true,
      // The app itself, or a service of this organization that serves resources.
      allowedPolicy: async (_ctx, client, token) => {
        const isService = (await options.clients.find(client.clientId))?.kind === 'system';
        return isService || token.clientId === client.clientId;
      },
    },
    revocation: {
      enabled: true,
      allowedPolicy: async (_ctx, client, token) => token.clientId === client.clientId,
    },
    rpInitiatedLogout: {
      enabled: true,
      logoutSource: async (ctx, form) => showPage(ctx, 200, signOutPage(form)),
      postLogoutSuccessSource: async (ctx) => showPage(ctx, 200, signedOutPage()),
    },
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
      useGrantedResource: () => true,
      getResourceServerInfo: resourceServerInfo(options),
    },
  };
}

/** The settings of `oidc-provider` for SMART App Launch 2 and SMART Backend Services, and nothing more. */
export function providerConfiguration(options: ProviderOptions): Configuration {
  const { store, clients, users, audience, apps, backend } = options;
  return {
    adapter: (model) =>
      model === 'Client' ? new ClientAdapter(clients, store) : new OidcAdapter(store, model),
    clientAuthMethods: ['private_key_jwt', 'client_secret_basic', 'none'],
    enabledJWA: {
      clientAuthSigningAlgValues: [...ASSERTION_ALGORITHMS],
      idTokenSigningAlgValues: [ID_TOKEN_ALGORITHM],
    },
    clientDefaults: { id_token_signed_response_alg: ID_TOKEN_ALGORITHM },
    jwks: {
      keys: [
        { ...options.signingKey, alg: TOKEN_ALGORITHM, use: 'sig' } as never,
        { ...options.idTokenKey, alg: ID_TOKEN_ALGORITHM, use: 'sig' } as never,
      ],
    },
    clockTolerance: limits.CLOCK_SKEW_SECONDS,
    responseTypes: ['code'],
    scopes: [...SMART_SCOPES],
    claims: ACCOUNT_CLAIMS,
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    routes: { ...OAUTH_ROUTES },
    cookies: cookieSettings(options),
    ttl: LIFETIMES,
    extraParams: {
      aud: (_ctx, value) => apps.checkAudience(value),
      launch: (ctx, value) => apps.checkLaunch(ctx, value),
    },
    findAccount: (_ctx, subject) => findAccount(users, audience, subject),
    // Every launch asks anew: another patient is another question.
    loadExistingGrant: async (ctx) => {
      const grantId = ctx.oidc.result?.consent?.grantId;
      return grantId === undefined ? undefined : ctx.oidc.provider.Grant.find(grantId);
    },
    rotateRefreshToken: true,
    issueRefreshToken: async (_ctx, client, source) =>
      client.grantTypeAllowed('refresh_token') &&
      (source.scopes.has('offline_access') || source.scopes.has('online_access')),
    expiresWithSession: async (_ctx, source) => !source.scopes.has('offline_access'),
    clientBasedCORS: () => true,
    interactions: {
      policy: signInPolicy(),
      url: (_ctx, interaction) => `${INTERACTION_PATH}/${interaction.uid}`,
    },
    renderError: async (ctx, out) => showPage(ctx, Number(ctx.status), errorPage(out)),
    assertJwtClientAuthClaimsAndHeader: (ctx, claims) => backend.checkAssertion(ctx, claims),
    extraTokenClaims: async (ctx, token) => {
      if (token.kind === 'ClientCredentials') return backend.tokenClaims(ctx);
      return apps.tokenClaims(String(token.accountId), String(token.grantId));
    },
    features: features(options),
  };
}
