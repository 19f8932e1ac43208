import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JWK } from 'jose';
import { type Agent, request } from 'undici';
import { HOSPITAL, observationText, PATIENT, testLedger } from '../fhir/testing.ts';
import { createGateway, type Gateway } from '../gateway.ts';
import { GATEWAY_KEYS, openFileKeystore } from '../keystore/index.ts';
import { createTestAuthority, freePort } from '../tls/testing.ts';
import {
  clientRegistry,
  generatePrivateJwk,
  hashPassword,
  LOCAL_OPERATOR,
  mutualTlsAgent,
  OPERATOR_SCOPES,
  publicJwkOf,
  type RegisteredClient,
  requestToken,
  tokenEndpointOf,
} from './index.ts';

export const PASSWORD = 'correct horse battery staple';
/** Where the test's apps take answers. Nothing needs to listen there: redirects are read, not followed. */
export const APP_REDIRECT = 'http://127.0.0.1:18800/app';
export const APP_SCOPES = [
  ...['openid', 'fhirUser', 'profile', 'launch', 'launch/patient', 'launch/encounter'],
  ...['online_access', 'offline_access', 'patient/*.cruds', 'user/*.cruds', 'system/*.cruds'],
];

/** A member's gateway with people, apps and two patients. */
export interface SignInWorld {
  readonly home: string;
  readonly origin: string;
  readonly fhir: string;
  readonly agent: Agent;
  readonly clients: Map<string, RegisteredClient>;
  readonly appKey: JWK;
  readonly clock: { offset: number };
  /** Patient ids: the one who may sign in, and another. */
  readonly patients: readonly [string, string];
  readonly logged: readonly string[];
  readonly operatorToken: (scope: string, extensions?: object) => Promise<string>;
  readonly writeUsers: (change?: (users: TestUser[]) => TestUser[]) => Promise<void>;
  readonly restart: () => Promise<void>;
  readonly close: () => Promise<void>;
}

export interface TestUser {
  readonly name: string;
  readonly subject: string;
  readonly roles: readonly string[];
  readonly passwordHash: string;
  readonly patient?: string;
  readonly fhirUser?: string;
  readonly disabled?: boolean;
}

function appOf(options: { readonly clientId: string } & Partial<RegisteredClient>): RegisteredClient {
  const { clientId } = options;
  return {
    kind: 'app',
    organization: HOSPITAL,
    publicKeys: [],
    scopes: APP_SCOPES,
    certificates: [],
    ...options,
    app: { title: `App ${clientId}`, redirectUris: [APP_REDIRECT], origins: [], ...options.app },
  };
}

async function clientsOf(operator: JWK, appKey: JWK): Promise<Map<string, RegisteredClient>> {
  const secretHash = createHash('sha256').update('app-secret').digest('base64url');
  const app = { title: 'App with a secret', redirectUris: [APP_REDIRECT], origins: [] };
  const clients: readonly RegisteredClient[] = [
    {
      clientId: LOCAL_OPERATOR,
      kind: 'operator',
      organization: HOSPITAL,
      publicKeys: [publicJwkOf(operator)],
      scopes: OPERATOR_SCOPES,
      certificates: [],
    },
    appOf({
      clientId: 'growth-chart',
      app: { ...app, title: 'Growth chart', origins: ['http://127.0.0.1:18800'] },
    }),
    appOf({ clientId: 'signed-app', publicKeys: [publicJwkOf(appKey)] }),
    appOf({ clientId: 'secret-app', app: { ...app, secretHash } }),
  ];
  return new Map(clients.map((client) => [client.clientId, client]));
}

const SECOND_PATIENT = {
  resourceType: 'Patient',
  name: [{ family: 'Zweig', given: ['Otto'] }],
  birthDate: '1949-02-03',
};

/** Founds and starts it. */
export async function startSignInWorld(): Promise<SignInWorld> {
  const home = await mkdtemp(join(tmpdir(), 'careledger-sign-in-'));
  const secret = { kind: 'key-file', path: join(home, 'keys', 'keystore.key') } as const;
  const keystore = await openFileKeystore({ folder: join(home, 'gateway', 'keystore'), secret });
  await keystore.ensure(GATEWAY_KEYS);
  const ledger = testLedger(keystore);
  await keystore.close();
  const authority = await createTestAuthority('Test consortium');
  const tls = await authority.issue(HOSPITAL);
  const agent = mutualTlsAgent({ certificateAuthority: authority.pem });
  const operator = await generatePrivateJwk('ES384');
  const appKey = await generatePrivateJwk('ES384');
  const authorizationKey = await generatePrivateJwk('ES256');
  const clients = await clientsOf(operator, appKey);
  const port = await freePort();
  const origin = `https://localhost:${port}`;
  const clock = { offset: 0 };
  const logged: string[] = [];
  const log = (fields: object, message: string): number =>
    logged.push(JSON.stringify({ ...fields, message }));
  const open = async (): Promise<Gateway> => {
    const gateway = await createGateway({
      ...{ home, ledger, tls, port, authorizationKey, keystoreSecret: secret, organization: HOSPITAL },
      clients: {
        find: (clientId) => clients.get(clientId),
        isOrigin: (asked) => clientRegistry([...clients.values()]).isOrigin?.(asked) ?? false,
      },
      now: () => Date.now() + clock.offset,
      log: { info: log, error: log },
    });
    await gateway.start();
    return gateway;
  };
  let gateway = await open();
  const operatorToken = async (scope: string, extensions: object = {}): Promise<string> => {
    const asked = { clientId: LOCAL_OPERATOR, privateKey: operator, tokenEndpoint: tokenEndpointOf(origin) };
    return (await requestToken({ ...asked, scope, agent, extensions })).accessToken;
  };
  const fhir = `${origin}/fhir/R4`;
  const create = async (type: string, body: string): Promise<string> => {
    const answer = await request(`${fhir}/${type}`, {
      method: 'POST',
      dispatcher: agent,
      headers: {
        authorization: `Bearer ${await operatorToken('system/*.cruds')}`,
        'content-type': 'application/fhir+json',
      },
      body,
    });
    return ((await answer.body.json()) as { readonly id: string }).id;
  };
  const patients = [
    await create('Patient', JSON.stringify(PATIENT)),
    await create('Patient', JSON.stringify(SECOND_PATIENT)),
  ] as const;
  for (const id of patients) await create('Observation', observationText(id));
  const passwordHash = await hashPassword(PASSWORD);
  const users: TestUser[] = [
    {
      name: 'doctor',
      subject: 'subject-doctor-1',
      roles: ['provider'],
      passwordHash,
      fhirUser: 'Practitioner/d1',
    },
    { name: 'auditor', subject: 'subject-auditor-1', roles: ['auditor'], passwordHash },
    { name: 'patient', subject: 'subject-patient-1', roles: ['patient'], passwordHash, patient: patients[0] },
  ];
  const writeUsers: SignInWorld['writeUsers'] = async (change = (same) => same) => {
    const text = JSON.stringify({ users: change(users) });
    await writeFile(join(home, 'gateway', 'authorization', 'users.json'), text);
  };
  await writeUsers();
  return {
    ...{ home, origin, fhir, agent, clients, appKey, clock, patients, logged, operatorToken, writeUsers },
    restart: async () => {
      await gateway.stop();
      gateway = await open();
    },
    close: async () => {
      await agent.destroy();
      await gateway.stop();
      ledger.stop();
      await rm(home, { recursive: true, force: true });
    },
  };
}

export interface Page {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** One browser without scripts: it keeps cookies, follows this server's redirects, and stops at the app's. */
export class Visitor {
  readonly #world: SignInWorld;
  readonly #cookies = new Map<string, { readonly value: string; readonly path: string }>();
  /** The last page's address. */
  at = '';

  constructor(world: SignInWorld) {
    this.#world = world;
  }

  cookieNames(): readonly string[] {
    return [...this.#cookies.keys()];
  }

  /** @returns The page, or the redirect to the app with status 303. */
  async open(url: string): Promise<Page> {
    return this.#send(url, 'GET');
  }

  /** Sends the last page's form. */
  async send(
    page: Page,
    fields: Readonly<Record<string, string | readonly string[]>>,
    origin = this.#world.origin,
  ) {
    const form = new URLSearchParams({ token: /name="token" value="([^"]+)"/.exec(page.text)?.[1] ?? '' });
    for (const [name, value] of Object.entries(fields)) {
      for (const one of [value].flat()) form.append(name, one);
    }
    return this.#send(this.at, 'POST', { body: form.toString(), origin });
  }

  async #send(
    url: string,
    method: 'GET' | 'POST',
    sent?: { readonly body: string; readonly origin: string },
  ): Promise<Page> {
    const { pathname } = new URL(url);
    const cookie = [...this.#cookies]
      .filter(([, { path }]) => pathname.startsWith(path))
      .map(([name, { value }]) => `${name}=${value}`)
      .join('; ');
    const answer = await request(url, {
      method,
      dispatcher: this.#world.agent,
      headers: {
        cookie,
        ...(sent ? { 'content-type': 'application/x-www-form-urlencoded', origin: sent.origin } : {}),
      },
      ...(sent ? { body: sent.body } : {}),
    });
    for (const text of [answer.headers['set-cookie'] ?? []].flat()) this.#keep(text);
    const page = { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() };
    const location =
      page.headers.location === undefined ? undefined : new URL(String(page.headers.location), url);
    if (location?.origin === this.#world.origin) return this.open(location.href);
    if (!location) this.at = url;
    return page;
  }

  #keep(text: string): void {
    const [pair = '', ...attributes] = text.split('; ');
    const at = pair.indexOf('=');
    const path = attributes.find((attribute) => attribute.startsWith('path='))?.slice(5) ?? '/';
    if (/expires=Thu, 01 Jan 1970/i.test(text)) this.#cookies.delete(pair.slice(0, at));
    else this.#cookies.set(pair.slice(0, at), { value: pair.slice(at + 1), path });
  }
}

/** One app's attempt to get a token. */
export interface AppRequest {
  readonly url: string;
  readonly verifier: string;
  readonly state: string;
}

/** The address that an app sends its user to. A field of `undefined` is left out. */
export function appRequest(
  world: SignInWorld,
  fields: Readonly<Record<string, string | undefined>> = {},
): AppRequest {
  const verifier = randomBytes(32).toString('base64url');
  const state = randomBytes(8).toString('base64url');
  const all: Record<string, string | undefined> = {
    response_type: 'code',
    client_id: 'growth-chart',
    redirect_uri: APP_REDIRECT,
    scope: 'launch/patient patient/*.rs openid fhirUser offline_access',
    state,
    aud: world.fhir,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    ...fields,
  };
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(all)) if (value !== undefined) query.set(name, value);
  return { url: `${world.origin}/oauth/authorize?${query}`, verifier, state };
}

/** The scopes on a consent page, as its boxes name them. */
export function offeredScopes(page: Page): readonly string[] {
  const boxes = page.text.matchAll(/name="scope" value="([^"]+)"/g);
  return [...boxes].map(([, text = '']) => text.replaceAll('&amp;', '&').replaceAll('&#39;', "'"));
}

/** What the app finds in the address that its user comes back with. */
export function answerIn(page: Page): Readonly<Record<string, string>> {
  const { location } = page.headers;
  if (location === undefined) throw new Error(`the app got no answer: ${page.status} ${page.text}`);
  const { searchParams, hash } = new URL(String(location));
  return Object.fromEntries(hash === '' ? searchParams : new URLSearchParams(hash.slice(1)));
}

export interface TokenAnswer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: a test looks at single fields of any answer.
  readonly json: any;
}

/** Posts a form to one of the server's endpoints. */
export async function postForm(
  world: SignInWorld,
  path: string,
  form: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
): Promise<TokenAnswer> {
  const answer = await request(`${world.origin}/oauth/${path}`, {
    method: 'POST',
    dispatcher: world.agent,
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    body: new URLSearchParams(form).toString(),
  });
  const text = await answer.body.text();
  return { status: answer.statusCode, json: text.startsWith('{') ? JSON.parse(text) : text };
}

/** Exchanges a code as the public app does. */
export function exchangeCode(
  world: SignInWorld,
  asked: AppRequest,
  code: string,
  more: Record<string, string> = {},
) {
  return postForm(world, 'token', {
    grant_type: 'authorization_code',
    client_id: 'growth-chart',
    redirect_uri: APP_REDIRECT,
    code,
    code_verifier: asked.verifier,
    ...more,
  });
}

/** Signs in and allows everything on the pages, choosing a patient where one is asked for. */
export async function approve(
  visitor: Visitor,
  asked: AppRequest,
  options: { readonly name: string; readonly patient?: string },
): Promise<Page> {
  let page = await visitor.open(asked.url);
  if (page.text.includes('name="password"')) {
    page = await visitor.send(page, { action: 'sign-in', name: options.name, password: PASSWORD });
  }
  if (page.text.includes('name="family"') && options.patient !== undefined) {
    page = await visitor.send(page, { action: 'choose-patient', patient: options.patient });
  }
  if (!page.text.includes('value="approve"')) return page;
  const patient = /name="patient" value="([^"]+)"/.exec(page.text)?.[1];
  const chosen = patient === undefined ? {} : { patient };
  return visitor.send(page, { action: 'approve', scope: offeredScopes(page), ...chosen });
}

/** Reads from the FHIR API. */
export async function readFhir(world: SignInWorld, token: string, path: string): Promise<TokenAnswer> {
  const answer = await request(`${world.fhir}/${path}`, {
    dispatcher: world.agent,
    headers: { authorization: `Bearer ${token}` },
  });
  return { status: answer.statusCode, json: await answer.body.json() };
}
