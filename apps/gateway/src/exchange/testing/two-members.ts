import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type OrganizationId,
  organizationId,
  type PublicKey,
  type Signer,
  signerFromSeed,
} from '@careledger/primitives';
import type { JWK } from 'jose';
import { type Agent, request } from 'undici';
import {
  clientRegistry,
  fhirBaseOf,
  generatePrivateJwk,
  LOCAL_OPERATOR,
  mutualTlsAgent,
  OPERATOR_SCOPES,
  ORGANIZATION_SCOPES,
  publicJwkOf,
  type RegisteredClient,
  requestToken,
  tokenEndpointOf,
} from '../../authorization/index.ts';
import { createGateway, type Gateway } from '../../gateway.ts';
import {
  DISCLOSURE_SIGNING_KEY,
  GATEWAY_KEYS,
  LEDGER_SIGNING_KEY,
  openFileKeystore,
  SEALED_ENTRIES_KEY,
} from '../../keystore/index.ts';
import { certificateThumbprint, type TlsIdentity } from '../../tls/index.ts';
import { createTestAuthority, freePort } from '../../tls/testing.ts';
import { type Exchange, openExchange, partOf } from '../exchange.ts';
import { createMemoryLedger, type MemoryLedger } from './memory-ledger.ts';

export const HOSPITAL = organizationId('general-hospital');
export const CLINIC = organizationId('city-clinic');

/** A request to one member's gateway, as a person or an application makes it. */
export interface Ask {
  readonly method?: 'GET' | 'POST' | 'PUT';
  /** Below the FHIR base. */
  readonly path: string;
  /** SMART scopes; with `patient` or `user`, whom the token speaks for. */
  readonly scope: string;
  readonly patient?: string;
  readonly user?: string;
  readonly body?: object | string;
  readonly contentType?: string;
}

export interface Answer {
  readonly status: number;
  readonly bytes: Uint8Array;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test looks at single fields of any resource.
  readonly json: any;
}

/** One organization: home, keys, gateway with its exchange, on a port of its own. */
export interface Member {
  readonly organization: OrganizationId;
  readonly home: string;
  readonly origin: string;
  readonly tls: TlsIdentity;
  readonly clientKey: JWK;
  readonly ledgerSigner: Signer;
  readonly agent: Agent;
  gateway: Gateway;
  exchange: Exchange;
  readonly ask: (asked: Ask) => Promise<Answer>;
  /** Stops the gateway and opens it again over the same home. */
  readonly restart: () => Promise<void>;
}

export interface TwoMembers {
  readonly ledger: MemoryLedger;
  readonly hospital: Member;
  readonly clinic: Member;
  /** The gateways' clock runs this much ahead of the machine's, in milliseconds. */
  readonly clock: { offset: number };
  /** Every line that either gateway logged. */
  readonly logged: string[];
  readonly close: () => Promise<void>;
}

interface Prepared {
  readonly organization: OrganizationId;
  readonly home: string;
  readonly port: number;
  readonly tls: TlsIdentity;
  readonly clientKey: JWK;
  readonly operatorKey: JWK;
  readonly authorizationKey: JWK;
  readonly encryptionKey: Uint8Array;
  readonly ledgerSigner: Signer;
  readonly publicKeys: readonly PublicKey[];
}

const secretOf = (home: string) => ({ kind: 'key-file', path: join(home, 'keystore.key') }) as const;

async function prepare(organization: OrganizationId, tls: TlsIdentity): Promise<Prepared> {
  const home = await mkdtemp(join(tmpdir(), `careledger-${organization}-`));
  const keystore = await openFileKeystore({
    folder: join(home, 'gateway', 'keystore'),
    secret: secretOf(home),
  });
  await keystore.ensure(GATEWAY_KEYS);
  const ledgerSigner = keystore.signer(LEDGER_SIGNING_KEY);
  const disclosureSigner = keystore.signer(DISCLOSURE_SIGNING_KEY);
  const { publicKey: encryptionKey } = keystore.sealedBox(SEALED_ENTRIES_KEY);
  await keystore.close();
  return {
    organization,
    home,
    port: await freePort(),
    tls,
    clientKey: await generatePrivateJwk('ES384'),
    operatorKey: await generatePrivateJwk('ES384'),
    authorizationKey: await generatePrivateJwk('ES256'),
    encryptionKey,
    ledgerSigner,
    publicKeys: [ledgerSigner.publicKey as PublicKey, disclosureSigner.publicKey as PublicKey],
  };
}

function foundLedger(members: readonly Prepared[]): MemoryLedger {
  return createMemoryLedger({
    organizations: members.map(({ organization, encryptionKey }) => ({
      organization,
      entityType: 'provider',
      encryptionKey,
    })),
    keys: members.flatMap(({ organization, publicKeys }) => [
      {
        publicKey: signerFromSeed(randomBytes(32)).publicKey as PublicKey,
        organization,
        roles: ['administrator'] as const,
      },
      ...publicKeys.map((publicKey) => ({ publicKey, organization, roles: ['custodian'] as const })),
    ]),
  });
}

function clientsOf(own: Prepared, other: Prepared): readonly RegisteredClient[] {
  return [
    {
      clientId: other.organization,
      kind: 'organization',
      organization: other.organization,
      publicKeys: [publicJwkOf(other.clientKey)],
      scopes: ORGANIZATION_SCOPES,
      certificates: [certificateThumbprint(other.tls.certificate)],
    },
    {
      clientId: LOCAL_OPERATOR,
      kind: 'operator',
      organization: own.organization,
      publicKeys: [publicJwkOf(own.operatorKey)],
      scopes: OPERATOR_SCOPES,
      certificates: [],
    },
  ];
}

interface World {
  readonly ledger: MemoryLedger;
  readonly clock: { offset: number };
  readonly logged: string[];
}

async function openMember(world: World, own: Prepared, other: Prepared): Promise<Member> {
  const origin = `https://localhost:${own.port}`;
  const agent = mutualTlsAgent(own.tls);
  const addresses = new Map(
    [own, other].map(({ organization, port }) => [
      String(organization),
      {
        fhirBase: fhirBaseOf(`https://localhost:${port}`),
        tokenEndpoint: tokenEndpointOf(`https://localhost:${port}`),
      },
    ]),
  );
  const log = (fields: object, message: string): number =>
    world.logged.push(JSON.stringify({ ...fields, message }));
  const open = async (): Promise<{ readonly gateway: Gateway; readonly exchange: Exchange }> => {
    let exchange: Exchange | undefined;
    const gateway = await createGateway({
      home: own.home,
      organization: own.organization,
      ledger: world.ledger,
      keystoreSecret: secretOf(own.home),
      tls: own.tls,
      port: own.port,
      authorizationKey: own.authorizationKey,
      clients: clientRegistry(clientsOf(own, other)),
      log: { info: log, error: log },
      now: () => Date.now() + world.clock.offset,
      parts: [
        async (context) => {
          const opened = await openExchange(context, {
            addressOf: (organization) => addresses.get(organization),
            clientKey: own.clientKey,
            agent,
          });
          exchange = opened;
          return partOf(opened);
        },
      ],
    });
    await gateway.start();
    if (!exchange) throw new Error('the exchange was not opened');
    return { gateway, exchange };
  };
  const member: Member = {
    organization: own.organization,
    home: own.home,
    origin,
    tls: own.tls,
    clientKey: own.clientKey,
    ledgerSigner: own.ledgerSigner,
    agent,
    ...(await open()),
    ask: (asked) => ask({ origin, agent, operatorKey: own.operatorKey }, asked),
    restart: async () => {
      await member.gateway.stop();
      Object.assign(member, await open());
    },
  };
  return member;
}

async function ask(
  member: { readonly origin: string; readonly agent: Agent; readonly operatorKey: JWK },
  asked: Ask,
): Promise<Answer> {
  const { origin, agent } = member;
  const { patient, user } = asked;
  const { accessToken } = await requestToken({
    clientId: LOCAL_OPERATOR,
    privateKey: member.operatorKey,
    tokenEndpoint: tokenEndpointOf(origin),
    scope: asked.scope,
    agent,
    extensions: { ...(patient === undefined ? {} : { patient }), ...(user === undefined ? {} : { user }) },
  });
  const { body } = asked;
  const response = await request(`${fhirBaseOf(origin)}/${asked.path}`, {
    method: asked.method ?? (body === undefined ? 'GET' : 'POST'),
    dispatcher: agent,
    headers: {
      authorization: `Bearer ${accessToken}`,
      ...(body === undefined ? {} : { 'content-type': asked.contentType ?? 'application/fhir+json' }),
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  return answerOf(response.statusCode, new Uint8Array(await response.body.arrayBuffer()));
}

export function answerOf(status: number, bytes: Uint8Array): Answer {
  const text = Buffer.from(bytes).toString('utf8');
  return { status, bytes, text, json: text.startsWith('{') ? JSON.parse(text) : undefined };
}

/** A hospital and a clinic over real TLS on loopback, on one ledger that really executes. */
export async function openTwoMembers(): Promise<TwoMembers> {
  const authority = await createTestAuthority('Test consortium');
  const hospital = await prepare(HOSPITAL, await authority.issue(HOSPITAL));
  const clinic = await prepare(CLINIC, await authority.issue(CLINIC));
  const world: World = { ledger: foundLedger([hospital, clinic]), clock: { offset: 0 }, logged: [] };
  const members = [await openMember(world, hospital, clinic), await openMember(world, clinic, hospital)];
  const [custodian, recipient] = members as [Member, Member];
  return {
    ...world,
    hospital: custodian,
    clinic: recipient,
    close: async () => {
      for (const { gateway, agent, home } of members) {
        await agent.destroy();
        await gateway.stop();
        await rm(home, { recursive: true, force: true });
      }
      world.ledger.stop();
    },
  };
}
