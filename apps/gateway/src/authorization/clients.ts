import { readFile } from 'node:fs/promises';
import { type OrganizationId, organizationId } from '@careledger/primitives';
import type { JWK } from 'jose';

/**
 * - `organization`: another member's gateway; its tokens are bound to its certificate.
 * - `system`: a back-end service of this member.
 * - `app`: a SMART app, in which a person signs in. Public without keys and secret, else confidential.
 * - `operator`: the local consortium's own tool. Development-grade: it may speak for any user or patient here.
 */
export type ClientKind = 'organization' | 'system' | 'app' | 'operator';

/** The client id under which the local consortium's tool is known. No real network registers it. */
export const LOCAL_OPERATOR = 'local-operator';

/** One client as this gateway knows it. */
export interface RegisteredClient {
  /** For a member's gateway: its organization id. */
  readonly clientId: string;
  readonly kind: ClientKind;
  readonly organization: OrganizationId;
  /** Public keys for its assertions, with `kid` and `alg`: ES384 or RS384. */
  readonly publicKeys: readonly JWK[];
  /** The most it may be granted, as SMART scopes. */
  readonly scopes: readonly string[];
  /** Thumbprints (`x5t#S256`) of its certificates in force. An organization without one gets no token. */
  readonly certificates: readonly string[];
  /** What makes it an app. */
  readonly app?: AppRegistration;
}

/** A SMART app's registration. */
export interface AppRegistration {
  /** What the consent page calls it. */
  readonly title: string;
  /** Compared character by character. */
  readonly redirectUris: readonly string[];
  /** Where a browser's script may call this gateway from: `https://app.example`. */
  readonly origins: readonly string[];
  /** Base64url SHA-256 of its secret, where it has one (at least 32 random bytes). */
  readonly secretHash?: string;
}

/** Who may ask for tokens. Asked anew at every request: a suspended member is out at once. */
export interface ClientRegistry {
  readonly find: (clientId: string) => RegisteredClient | undefined | Promise<RegisteredClient | undefined>;
  /** Is this a registered app's browser origin? None is where this is left out. */
  readonly isOrigin?: (origin: string) => boolean | Promise<boolean>;
}

/** What another member's gateway may ask for unless its registration says otherwise: reading and searching. */
export const ORGANIZATION_SCOPES: readonly string[] = ['system/*.rs'];

/** What the local consortium's tool may ask for: everything, in every context. */
export const OPERATOR_SCOPES: readonly string[] = ['patient/*.cruds', 'user/*.cruds', 'system/*.cruds'];

/** A registry over a fixed list. */
export function clientRegistry(clients: readonly RegisteredClient[]): ClientRegistry {
  const byId = new Map(clients.map((client) => [client.clientId, client]));
  const origins = new Set(clients.flatMap((client) => client.app?.origins ?? []));
  return { find: (clientId) => byId.get(clientId), isOrigin: (origin) => origins.has(origin) };
}

/** The first registry that knows the client answers: membership state before a local file, say. */
export function firstOf(...registries: readonly ClientRegistry[]): ClientRegistry {
  return {
    find: async (clientId) => {
      for (const registry of registries) {
        const client = await registry.find(clientId);
        if (client) return client;
      }
      return undefined;
    },
    isOrigin: async (origin) => {
      for (const registry of registries) if (await registry.isOrigin?.(origin)) return true;
      return false;
    },
  };
}

/**
 * Reads the clients of a consortium file: `{"clients": [RegisteredClient, ...]}`.
 *
 * @throws Error naming the file and the client when an entry is incomplete.
 */
export async function readClientRegistry(file: string): Promise<ClientRegistry> {
  const parsed: unknown = JSON.parse(await readFile(file, 'utf8'));
  const entries = isObject(parsed) && Array.isArray(parsed.clients) ? parsed.clients : [];
  return clientRegistry(entries.map((entry, index) => readClient(entry, `${file}: client ${index}`)));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === 'string') : [];
}

function readClient(entry: unknown, place: string): RegisteredClient {
  if (!isObject(entry) || typeof entry.clientId !== 'string' || typeof entry.organization !== 'string') {
    throw new Error(`${place} has no clientId or organization`);
  }
  const kind = (['organization', 'system', 'app', 'operator'] as const).find((word) => word === entry.kind);
  if (!kind || !Array.isArray(entry.publicKeys)) throw new Error(`${place} has no kind or publicKeys`);
  if (entry.jwks_uri !== undefined)
    throw new Error(`${place}: keys are registered by value, not by jwks_uri`);
  return {
    clientId: entry.clientId,
    kind,
    organization: organizationId(entry.organization),
    publicKeys: entry.publicKeys.filter(isObject) as readonly JWK[],
    scopes: texts(entry.scopes),
    certificates: texts(entry.certificates),
    ...(kind === 'app' ? { app: readApp(entry.app, place) } : {}),
  };
}

const SECRET_HASH = /^[A-Za-z0-9_-]{43}$/;

/** `https`, or `http` on this very machine, without a fragment, a wildcard or credentials. */
function isRedirectUri(text: string): boolean {
  const url = URL.parse(text);
  if (url?.hash !== '' || url.username !== '' || text.includes('*')) return false;
  return url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.has(url.hostname));
}

const LOOPBACK: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);

function readApp(value: unknown, place: string): AppRegistration {
  if (!isObject(value) || typeof value.title !== 'string') throw new Error(`${place} has no app.title`);
  const redirectUris = texts(value.redirectUris);
  if (redirectUris.length === 0 || !redirectUris.every(isRedirectUri)) {
    throw new Error(`${place}: app.redirectUris is empty or holds an address that is not exact and https`);
  }
  const origins = texts(value.origins);
  if (!origins.every((origin) => URL.parse(origin)?.origin === origin)) {
    throw new Error(`${place}: app.origins holds something else than an origin`);
  }
  const { title, secretHash } = value;
  if (secretHash === undefined) return { title, redirectUris, origins };
  if (typeof secretHash !== 'string' || !SECRET_HASH.test(secretHash)) {
    throw new Error(`${place}: app.secretHash is not a base64url SHA-256`);
  }
  return { title, redirectUris, origins, secretHash };
}
