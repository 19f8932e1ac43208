import { organizationId } from '@careledger/primitives';
import type { FastifyInstance } from 'fastify';
import type { JWK } from 'jose';
import { type Agent, request } from 'undici';
import {
  type AuthorizationServer,
  createAuthorizationServer,
  generatePrivateJwk,
  LOCAL_OPERATOR,
  mutualTlsAgent,
  OPERATOR_SCOPES,
  ORGANIZATION_SCOPES,
  publicJwkOf,
  type RegisteredClient,
  requestToken,
} from '../authorization/index.ts';
import { certificateThumbprint, type TlsIdentity } from '../tls/index.ts';
import { createTestAuthority, freePort, type TestAuthority } from '../tls/testing.ts';
import { type GatewayServer, type GatewayServerOptions, startGatewayServer } from './gateway-server.ts';

/** A gateway on loopback with one client of each kind, for tests of this app. */
export interface TestGateway {
  readonly origin: string;
  readonly server: GatewayServer;
  readonly authorization: AuthorizationServer;
  readonly authority: TestAuthority;
  readonly signingKey: JWK;
  /** `city-clinic`'s certificate, and a connection pool that shows it. */
  readonly clinic: TlsIdentity;
  readonly clinicAgent: Agent;
  /** Shows no certificate. */
  readonly plainAgent: Agent;
  readonly keys: Readonly<Record<'clinic' | 'system' | 'operator', JWK>>;
  /** The registry's content: change it to suspend a client. */
  readonly clients: Map<string, RegisteredClient>;
  /** Every line that the server logged. */
  readonly logged: string[];
  readonly clock: { offset: number };
  readonly clinicToken: (scope?: string) => Promise<string>;
  readonly call: (options: TestCall) => Promise<TestAnswer>;
  readonly close: () => Promise<void>;
}

export interface TestCall {
  readonly path: string;
  readonly method?: 'GET' | 'POST' | 'PUT';
  readonly token?: string;
  readonly agent?: Agent;
  readonly body?: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface TestAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

export const TREATMENT = {
  b2b: {
    version: '1',
    organization_id: 'city-clinic',
    purpose_of_use: ['TREAT'],
    subject_id: 'practitioner-7',
  },
} as const;

function registered(options: {
  readonly clientId: string;
  readonly kind: RegisteredClient['kind'];
  readonly organization: string;
  readonly key: JWK;
  readonly scopes: readonly string[];
  readonly certificates?: readonly string[];
}): RegisteredClient {
  return {
    clientId: options.clientId,
    kind: options.kind,
    organization: organizationId(options.organization),
    publicKeys: [publicJwkOf(options.key)],
    scopes: options.scopes,
    certificates: options.certificates ?? [],
  };
}

async function testClients(clinic: TlsIdentity) {
  const [clinicKey, systemKey, operatorKey] = await Promise.all([
    generatePrivateJwk('ES384'),
    generatePrivateJwk('ES384'),
    generatePrivateJwk('ES384'),
  ]);
  const clients = [
    registered({
      clientId: 'city-clinic',
      kind: 'organization',
      organization: 'city-clinic',
      key: clinicKey,
      scopes: ORGANIZATION_SCOPES,
      certificates: [certificateThumbprint(clinic.certificate)],
    }),
    registered({
      clientId: 'laboratory',
      kind: 'system',
      organization: 'general-hospital',
      key: systemKey,
      scopes: ['system/Observation.cruds'],
    }),
    registered({
      clientId: LOCAL_OPERATOR,
      kind: 'operator',
      organization: 'general-hospital',
      key: operatorKey,
      scopes: OPERATOR_SCOPES,
    }),
  ];
  return {
    keys: { clinic: clinicKey, system: systemKey, operator: operatorKey },
    clients: new Map(clients.map((client) => [client.clientId, client])),
  };
}

/** Starts `general-hospital`'s gateway with the routes of the test. */
export async function startTestGateway(
  registerRoutes: (app: FastifyInstance) => void | Promise<void>,
  options: Pick<GatewayServerOptions, 'rateLimits'> = {},
): Promise<TestGateway> {
  const authority = await createTestAuthority('Test consortium');
  const tls = await authority.issue('general-hospital');
  const clinic = await authority.issue('city-clinic');
  const { keys, clients } = await testClients(clinic);
  const signingKey = await generatePrivateJwk('ES256');
  const port = await freePort();
  const origin = `https://localhost:${port}`;
  const clock = { offset: 0 };
  const logged: string[] = [];
  const log = (fields: object, message: string): number =>
    logged.push(JSON.stringify({ ...fields, message }));
  const authorization = await createAuthorizationServer({
    organization: organizationId('general-hospital'),
    origin,
    signingKey,
    clients: { find: (clientId) => clients.get(clientId) },
    now: () => Date.now() + clock.offset,
  });
  const server = await startGatewayServer({
    tls,
    port,
    authorization,
    log: { info: log, error: log },
    registerRoutes,
    ...options,
  });
  const clinicAgent = mutualTlsAgent(clinic);
  const plainAgent = mutualTlsAgent({ certificateAuthority: authority.pem });
  return {
    origin,
    server,
    authorization,
    authority,
    signingKey,
    clinic,
    clinicAgent,
    plainAgent,
    keys,
    clients,
    logged,
    clock,
    clinicToken: async (scope = 'system/*.rs') => {
      const { accessToken } = await requestToken({
        clientId: 'city-clinic',
        privateKey: keys.clinic,
        tokenEndpoint: authorization.tokenEndpoint,
        scope,
        agent: clinicAgent,
        extensions: TREATMENT,
      });
      return accessToken;
    },
    call: (options) => callGateway(origin, { agent: clinicAgent, ...options }),
    close: async () => {
      await Promise.all([clinicAgent.destroy(), plainAgent.destroy()]);
      await server.close();
      await authorization.close();
    },
  };
}

async function callGateway(
  origin: string,
  options: TestCall & { readonly agent: Agent },
): Promise<TestAnswer> {
  const response = await request(`${origin}${options.path}`, {
    method: options.method ?? (options.body === undefined ? 'GET' : 'POST'),
    headers: {
      ...options.headers,
      ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
    },
    dispatcher: options.agent,
    ...(options.body === undefined ? {} : { body: options.body }),
  });
  return { status: response.statusCode, headers: response.headers, text: await response.body.text() };
}
