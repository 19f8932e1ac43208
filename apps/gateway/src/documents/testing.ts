import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Agent } from 'undici';
import {
  clientRegistry,
  generatePrivateJwk,
  LOCAL_OPERATOR,
  mutualTlsAgent,
  OPERATOR_SCOPES,
  publicJwkOf,
  requestToken,
  tokenEndpointOf,
} from '../authorization/index.ts';
import type { MemoryLedger } from '../exchange/testing/memory-ledger.ts';
import { HOSPITAL, testLedger } from '../fhir/testing.ts';
import { createGateway, type Gateway } from '../gateway.ts';
import { GATEWAY_KEYS, openFileKeystore } from '../keystore/index.ts';
import { createTestAuthority, freePort } from '../tls/testing.ts';

/** A gateway over HTTPS in a temporary home, on a ledger that really executes. */
export interface TestGateway {
  readonly home: string;
  readonly ledger: MemoryLedger;
  readonly agent: Agent;
  readonly base: string;
  gateway: Gateway;
  readonly logged: string[];
  readonly token: (scope: string, extensions?: object) => Promise<string>;
  readonly open: () => Promise<Gateway>;
  readonly close: () => Promise<void>;
}

const secretOf = (home: string) => ({ kind: 'key-file', path: join(home, 'keys', 'keystore.key') }) as const;

async function firstLedger(home: string): Promise<MemoryLedger> {
  const folder = join(home, 'gateway', 'keystore');
  const keystore = await openFileKeystore({ folder, secret: secretOf(home) });
  await keystore.ensure(GATEWAY_KEYS);
  const ledger = testLedger(keystore);
  await keystore.close();
  return ledger;
}

export async function openTestGateway(): Promise<TestGateway> {
  const home = await mkdtemp(join(tmpdir(), 'careledger-member-'));
  const ledger = await firstLedger(home);
  const authority = await createTestAuthority('Test consortium');
  const tls = await authority.issue(HOSPITAL);
  const agent = mutualTlsAgent({ certificateAuthority: authority.pem });
  const operator = await generatePrivateJwk('ES384');
  const authorizationKey = await generatePrivateJwk('ES256');
  const port = await freePort();
  const origin = `https://localhost:${port}`;
  const logged: string[] = [];
  const log = (fields: object, message: string): number =>
    logged.push(JSON.stringify({ ...fields, message }));
  const client = {
    clientId: LOCAL_OPERATOR,
    kind: 'operator',
    organization: HOSPITAL,
    publicKeys: [publicJwkOf(operator)],
    scopes: OPERATOR_SCOPES,
    certificates: [],
  } as const;
  const open = (): Promise<Gateway> =>
    createGateway({
      ...{ home, ledger, tls, port, authorizationKey, organization: HOSPITAL },
      keystoreSecret: secretOf(home),
      clients: clientRegistry([client]),
      log: { info: log, error: log },
    });
  const token = async (scope: string, extensions: object = {}): Promise<string> => {
    const tokenEndpoint = tokenEndpointOf(origin);
    const asked = { clientId: LOCAL_OPERATOR, privateKey: operator, tokenEndpoint, scope, agent, extensions };
    return (await requestToken(asked)).accessToken;
  };
  const world: TestGateway = {
    ...{ home, ledger, agent, base: `${origin}/fhir/R4`, logged, token, open },
    gateway: await open(),
    close: async () => {
      await agent.destroy();
      await world.gateway.stop();
      ledger.stop();
      await rm(home, { recursive: true, force: true });
    },
  };
  await world.gateway.start();
  return world;
}
