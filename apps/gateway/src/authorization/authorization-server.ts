import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { OrganizationId } from '@careledger/primitives';
import type { JWK } from 'jose';
import { type KoaContextWithOIDC, Provider } from 'oidc-provider';
import {
  fhirBaseOf,
  LAUNCH_PATH,
  OAUTH_PATH,
  OAUTH_ROUTES,
  STYLE_PATH,
  tokenEndpointOf,
} from './addresses.ts';
import { BOUND_CLAIM, completeTokenAnswer, createAppRules } from './app-rules.ts';
import { type Authenticate, createAuthenticator, type UserToken } from './authenticate.ts';
import { createBackendServices } from './backend-services.ts';
import type { ClientRegistry } from './clients.ts';
import { answerOrigin } from './cors.ts';
import { createExternalIssuer, type ExternalIssuer, readIssuers } from './external/external-issuer.ts';
import { InteractionPages, isInteractionPath, type PatientDirectory } from './interactions.ts';
import { generatePrivateJwk, readOrCreatePrivateJwk } from './keys.ts';
import { createLaunchEndpoint } from './launch/launch-endpoint.ts';
import { STYLE } from './pages/style.ts';
import { derivedSecret, providerConfiguration } from './provider-configuration.ts';
import { type SmartConfiguration, smartConfiguration } from './smart-configuration.ts';
import { AuthorizationStore, secretHash } from './store/authorization-store.ts';
import { fileUserRegistry, type UserRegistry, userRegistry } from './users/users.ts';

export interface AuthorizationServerOptions {
  /** This gateway's own organization. */
  readonly organization: OrganizationId;
  /** `https://localhost:7400`, without a slash at its end. */
  readonly origin: string;
  /** Private ES256 key with a `kid`: signs access tokens. */
  readonly signingKey: JWK;
  readonly clients: ClientRegistry;
  /**
   * Where `users.json` and `issuers.json` are read and sessions are kept. Without a folder nobody signs in unless `users`
   * says who, and all is forgotten at the end.
   */
  readonly folder?: string;
  /** Who may sign in; by default the users of `users.json` in the folder. */
  readonly users?: UserRegistry;
  /** Whom the patient picker finds; nobody by default. */
  readonly patients?: PatientDirectory;
  /** Milliseconds; the system clock by default. */
  readonly now?: () => number;
  /** Hears of faults that a browser only sees as "the request failed". Log its kind, never its message. */
  readonly onFault?: (error: unknown) => void;
  /** Other OpenID providers; by default those of `issuers.json` in the folder. */
  readonly externals?: readonly ExternalIssuer[];
}

export interface AuthorizationServer {
  readonly issuer: string;
  readonly tokenEndpoint: string;
  /** The one audience of every token: the FHIR base URL. */
  readonly audience: string;
  readonly clients: ClientRegistry;
  /** Serves what stands under `/oauth`; `request.url` is the whole path. */
  readonly handle: (request: IncomingMessage, response: ServerResponse) => void;
  /** Bearer token and client certificate in, caller out. */
  readonly authenticate: Authenticate;
  readonly smartConfiguration: SmartConfiguration;
  readonly close: () => Promise<void>;
}

type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

const NOBODY: PatientDirectory = { search: async () => [], read: async () => undefined };
const at = (route: keyof typeof OAUTH_ROUTES): string => `${OAUTH_PATH}${OAUTH_ROUTES[route]}`;
const RESUME = new RegExp(`^${at('authorization')}/[A-Za-z0-9_-]{1,64}$`);
/** What of the library is reachable, by its whole address. */
const PLAIN: ReadonlySet<string> = new Set([
  ...[at('token'), at('jwks'), at('introspection'), at('revocation')],
  `${OAUTH_PATH}/.well-known/openid-configuration`,
  `${at('end_session')}/confirm`,
]);
/** And what takes a query. */
const WITH_QUERY: ReadonlySet<string> = new Set([
  at('authorization'),
  at('end_session'),
  `${at('end_session')}/success`,
]);
/** What a browser's script may call. */
const FOR_SCRIPTS: ReadonlySet<string> = new Set([at('token'), at('introspection'), at('revocation')]);

/** Is this path the authorization server's? */
export function isAuthorizationPath(path: string): boolean {
  return path === OAUTH_PATH || path.startsWith(`${OAUTH_PATH}/`);
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify(body));
}

function sendStyle(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/css; charset=utf-8', 'x-content-type-options': 'nosniff' });
  response.end(STYLE);
}

/**
 * The library would drop `offline_access` unless consent is asked for by name; here it is asked for always, except by
 * `prompt=none`, which then fails as it must.
 */
function askingConsent(url: string): string {
  const [path = '', query = ''] = url.split('?', 2);
  if (path !== at('authorization')) return url;
  const parameters = new URLSearchParams(query);
  const prompts = parameters.getAll('prompt').flatMap((prompt) => prompt.split(' '));
  if (prompts.includes('none') || prompts.includes('consent')) return url;
  parameters.set('prompt', [...prompts, 'consent'].join(' '));
  return `${path}?${parameters}`;
}

async function findUserToken(provider: Provider, value: string): Promise<UserToken | undefined> {
  const token = await provider.AccessToken.find(value);
  if (!token?.clientId || !token.accountId) return undefined;
  const patient = token.extra?.patient;
  const thumbprint = token['x5t#S256'];
  return {
    clientId: token.clientId,
    subject: token.accountId,
    scope: token.scope ?? '',
    ...(typeof patient === 'string' ? { patient } : {}),
    isBound: token.extra?.[BOUND_CLAIM] === true,
    ...(typeof thumbprint === 'string' ? { thumbprint } : {}),
  };
}

async function openExternals(
  options: AuthorizationServerOptions,
  audience: string,
): Promise<readonly ExternalIssuer[]> {
  const { folder, organization } = options;
  if (folder === undefined) return [];
  const configurations = await readIssuers(join(folder, 'issuers.json'));
  const now = options.now ?? Date.now;
  return configurations.map((configuration) =>
    createExternalIssuer({ configuration, organization, audience, now }),
  );
}

/** What needs a file, opened or found in memory. */
async function openParts(options: AuthorizationServerOptions, audience: string) {
  const { folder } = options;
  return {
    store: await AuthorizationStore.open(folder, options.now ?? Date.now),
    idTokenKey: await (folder === undefined
      ? generatePrivateJwk('RS256')
      : readOrCreatePrivateJwk(join(folder, 'id-token.jwk'), 'RS256')),
    users:
      options.users ??
      (folder === undefined ? userRegistry([]) : fileUserRegistry(join(folder, 'users.json'))),
    externals: options.externals ?? (await openExternals(options, audience)),
  };
}

/**
 * The member's authorization server: SMART App Launch 2 for people and SMART Backend Services for machines, through
 * `oidc-provider`, with UDAP's `hl7-b2b` claims and certificate-bound tokens (RFC 8705).
 *
 * @throws Error when a file in the folder cannot be used.
 */
export async function createAuthorizationServer(
  options: AuthorizationServerOptions,
): Promise<AuthorizationServer> {
  const { organization, origin, clients, signingKey } = options;
  const now = options.now ?? Date.now;
  const issuer = `${origin}${OAUTH_PATH}`;
  const audience = fhirBaseOf(origin);
  const tokenEndpoint = tokenEndpointOf(origin);
  const patients = options.patients ?? NOBODY;
  const { store, idTokenKey, users, externals } = await openParts(options, audience);
  const backend = createBackendServices({ clients, tokenEndpoint, now });
  const apps = createAppRules({ store, audience });
  const provider = new Provider(
    issuer,
    providerConfiguration({
      ...{ organization, signingKey, idTokenKey, clients, users, store, audience, backend, apps },
    }),
  );
  provider.Client.prototype.compareClientSecret = compareSecretHashes;
  provider.use(async (ctx, next) => {
    await next();
    const answered = ctx as KoaContextWithOIDC;
    if (answered.oidc?.route === 'token') await completeTokenAnswer(store, answered);
  });
  const authenticate = createAuthenticator({
    ...{ issuer, audience, signingKey, clients, organization, users, externals, now },
    findUserToken: (token) => findUserToken(provider, token),
  });
  const pages = new InteractionPages({
    ...{ provider, organization, origin, audience, clients, users, store, patients },
    secret: derivedSecret(signingKey, 'forms'),
  });
  const launch = createLaunchEndpoint({ authenticate, store, patients, audience });
  const handle = createHandler({ clients, provider, pages, launch });
  provider.on('server_error', (_ctx, error) => options.onFault?.(error));
  return {
    ...{ issuer, tokenEndpoint, audience, clients, authenticate },
    handle: (request, response) => {
      handle(request, response).catch((error: unknown) => {
        options.onFault?.(error);
        fail(response);
      });
    },
    smartConfiguration: smartConfiguration({ issuer, origin, tokenEndpoint }),
    close: async () => {
      await store.close();
      for (const external of externals) await external.close();
    },
  };
}

/** What the library holds as an app's secret is its hash: nobody reads the secret out of a registration. */
function compareSecretHashes(this: { readonly clientSecret?: string }, secret: string): boolean {
  const kept = Buffer.from(this.clientSecret ?? '');
  const given = Buffer.from(secretHash(secret));
  return kept.length === given.length && timingSafeEqual(kept, given);
}

function fail(response: ServerResponse): void {
  if (response.headersSent) response.destroy();
  else sendJson(response, 500, { error: 'server_error', error_description: 'the request failed' });
}

function createHandler(parts: {
  readonly clients: ClientRegistry;
  readonly provider: Provider;
  readonly pages: InteractionPages;
  readonly launch: Handler;
}): Handler {
  const callback = parts.provider.callback();
  return async (request: IncomingMessage & { originalUrl?: string }, response) => {
    const url = request.url ?? '';
    const path = url.split('?', 1)[0] ?? '';
    if (url === STYLE_PATH) return sendStyle(response);
    if (isInteractionPath(url)) return parts.pages.handle(request, response);
    if (url === LAUNCH_PATH && request.method === 'POST') return parts.launch(request, response);
    const isPublished = PLAIN.has(url) || WITH_QUERY.has(path) || RESUME.test(url);
    if (!isPublished) {
      return sendJson(response, 404, { error: 'not_found', error_description: 'no such endpoint' });
    }
    if (FOR_SCRIPTS.has(url) && (await answerOrigin(parts.clients, request, response))) return;
    // The library finds its mount point by comparing the two.
    request.originalUrl = askingConsent(url);
    request.url = request.originalUrl.slice(OAUTH_PATH.length);
    await callback(request, response);
  };
}
