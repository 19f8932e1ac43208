import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decodeReceipt, verifyReceipt } from '@careledger/ledger';
import { fromBase64Url, utf8, verifySignature } from '@careledger/primitives';
import type { JWK } from 'jose';
import { type Agent, request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  clientRegistry,
  generatePrivateJwk,
  LOCAL_OPERATOR,
  mutualTlsAgent,
  OPERATOR_SCOPES,
  publicJwkOf,
  requestToken,
  tokenEndpointOf,
} from './authorization/index.ts';
import type { MemoryLedger } from './exchange/testing/memory-ledger.ts';
import { filesBelow, HOSPITAL, observationText, PATIENT, testLedger } from './fhir/testing.ts';
import { createGateway, type Gateway } from './gateway.ts';
import { importResources } from './import/index.ts';
import { GATEWAY_KEYS, openFileKeystore } from './keystore/index.ts';
import type { TlsIdentity } from './tls/index.ts';
import { createTestAuthority, freePort, type TestAuthority } from './tls/testing.ts';

let home: string;
let ledger: MemoryLedger;
let authority: TestAuthority;
let tls: TlsIdentity;
let agent: Agent;
let gateway: Gateway;
let operator: JWK;
let authorizationKey: JWK;
let port: number;
const logged: string[] = [];

const secret = () => ({ kind: 'key-file', path: join(home, 'keys', 'keystore.key') }) as const;

async function open(): Promise<Gateway> {
  const log = (fields: object, message: string): number =>
    logged.push(JSON.stringify({ ...fields, message }));
  const opened = await createGateway({
    ...{ home, ledger, tls, port, authorizationKey },
    organization: HOSPITAL,
    keystoreSecret: secret(),
    clients: clientRegistry([
      {
        clientId: LOCAL_OPERATOR,
        kind: 'operator',
        organization: HOSPITAL,
        publicKeys: [publicJwkOf(operator)],
        scopes: OPERATOR_SCOPES,
        certificates: [],
      },
    ]),
    log: { info: log, error: log },
  });
  await opened.start();
  return opened;
}

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'careledger-member-'));
  const keystore = await openFileKeystore({ folder: join(home, 'gateway', 'keystore'), secret: secret() });
  await keystore.ensure(GATEWAY_KEYS);
  ledger = testLedger(keystore);
  await keystore.close();
  authority = await createTestAuthority('Test consortium');
  tls = await authority.issue(HOSPITAL);
  agent = mutualTlsAgent({ certificateAuthority: authority.pem });
  [operator, authorizationKey] = await Promise.all([
    generatePrivateJwk('ES384'),
    generatePrivateJwk('ES256'),
  ]);
  port = await freePort();
  gateway = await open();
});
afterAll(async () => {
  await agent.destroy();
  await gateway.stop();
  ledger.stop();
  await rm(home, { recursive: true, force: true });
});

async function token(scope: string, extensions: object = {}): Promise<string> {
  const origin = `https://localhost:${port}`;
  const asked = {
    clientId: LOCAL_OPERATOR,
    privateKey: operator,
    tokenEndpoint: tokenEndpointOf(origin),
    scope,
  };
  return (await requestToken({ ...asked, agent, extensions })).accessToken;
}

async function call(
  method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
  path: string,
  options: { readonly bearer?: string; readonly body?: string; readonly type?: string } = {},
) {
  const { bearer, body, type = 'application/fhir+json' } = options;
  const response = await request(`https://localhost:${port}${path}`, {
    method,
    dispatcher: agent,
    headers: {
      ...(body === undefined ? {} : { 'content-type': type }),
      ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
    },
    ...(body === undefined ? {} : { body }),
  });
  const bytes = new Uint8Array(await response.body.arrayBuffer());
  return {
    status: response.statusCode,
    headers: response.headers,
    bytes,
    text: Buffer.from(bytes).toString(),
  };
}

describe('a member’s gateway over HTTPS', () => {
  it.each([
    ['/fhir/R4/Patient?_format=xml', 406],
    ['/fhir/R4/Patient?_format=application/fhir+json', 200],
    ['/fhir/R4/Observation/%00%ff', 400],
  ])('%s is answered in FHIR’s own words with %i', async (path, status) => {
    const answer = await call('GET', path, { bearer: await token('system/*.rs') });
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.text).resourceType).toBe(status === 200 ? 'Bundle' : 'OperationOutcome');
  });

  it('LED-16: a record is created, read as it was written, anchored, and its receipt verified offline', async () => {
    const bearer = await token('system/*.cruds');
    const patient = await call('POST', '/fhir/R4/Patient', { bearer, body: JSON.stringify(PATIENT) });
    expect(patient.status).toBe(201);
    const { id } = JSON.parse(patient.text);
    const created = await call('POST', '/fhir/R4/Observation', { bearer, body: observationText(id) });
    const location = new URL(String(created.headers.location));
    expect(location.pathname).toMatch(/^\/fhir\/R4\/Observation\/.*\/_history\/1$/);
    const read = await call('GET', location.pathname, { bearer });
    expect(read.text).toBe(created.text);
    expect(read.text).toContain('"value":1.10');
    await gateway.context.outbox.settled();
    const path = `/v1/records/Observation/${JSON.parse(created.text).id}/versions/1/receipt`;
    const answer = await call('GET', path, { bearer });
    const receipt = decodeReceipt(answer.bytes);
    const salt = fromBase64Url(String(answer.headers['careledger-salt']));
    if (!receipt.ok || !salt) throw new Error(`no receipt: ${answer.status}`);
    const opening = { salt, record: utf8(read.text) };
    const { chain: expectedChain } = ledger;
    const verified = verifyReceipt({ receipt: receipt.value, expectedChain, verifySignature, opening });
    expect(verified).toMatchObject({ ok: true, value: { opened: true } });
    expect(JSON.parse((await call('GET', '/healthz')).text)).toMatchObject({
      status: 'ok',
      outbox: { waiting: 0 },
    });
  });

  it('search by POST, and what stands in a query, come through the transport', async () => {
    const bearer = await token('user/*.rs', { user: 'practitioner-3' });
    const form = 'application/x-www-form-urlencoded';
    const posted = await call('POST', '/fhir/R4/Patient/_search', {
      bearer,
      body: 'family=zvon',
      type: form,
    });
    expect(JSON.parse(posted.text).total).toBe(1);
    const got = await call('GET', '/fhir/R4/Patient?family=zvon&birthdate=1971', { bearer });
    expect(JSON.parse(got.text).total).toBe(1);
  });

  it('/metrics counts requests by route alone, for the organization’s own systems', async () => {
    const bearer = await token('system/*.rs');
    await call('GET', '/fhir/R4/Patient?family=zvonimir-secret', { bearer });
    const answer = await call('GET', '/metrics', { bearer });
    expect(answer.status).toBe(200);
    expect(answer.text).toMatch(
      /careledger_gateway_requests_total\{route="\/fhir\/R4\/\*",method="GET",status="2xx"\} \d+/,
    );
    expect(answer.text).toMatch(/^careledger_outbox_waiting_versions \d+$/m);
    expect(answer.text).not.toContain('zvonimir');
    const user = await token('user/*.rs', { user: 'practitioner-3' });
    expect((await call('GET', '/metrics', { bearer: user })).status).toBe(403);
    expect((await call('GET', '/metrics')).status).toBe(401);
  });

  it('without a token nothing but what everybody may know', async () => {
    for (const path of ['/fhir/R4/Patient', '/v1/records/Patient/1/versions/1/receipt', '/fhir/R4']) {
      expect((await call('GET', path)).status).toBe(401);
    }
    const statement = JSON.parse((await call('GET', '/fhir/R4/metadata')).text);
    expect(statement.resourceType).toBe('CapabilityStatement');
  });

  it('/metadata lists what is registered and nothing else', async () => {
    const statement = JSON.parse((await call('GET', '/fhir/R4/metadata')).text);
    const [rest] = statement.rest;
    const observation = rest.resource.find(({ type }: { type: string }) => type === 'Observation');
    const codes = observation.interaction.map(({ code }: { code: string }) => code).sort();
    expect(codes).toEqual([
      ...[
        'create',
        'delete',
        'history-instance',
        'history-type',
        'patch',
        'read',
        'search-type',
        'update',
        'vread',
      ],
    ]);
    const system = rest.interaction.map(({ code }: { code: string }) => code);
    expect(system).toEqual(['batch', 'transaction', 'search-system', 'history-system']);
    const parameters = observation.searchParam.map(({ name }: { name: string }) => name);
    expect(parameters).toEqual(expect.arrayContaining(['_id', 'code', 'date', 'patient']));
    expect(parameters).toContain('value-quantity');
    expect(parameters).not.toContain('_text');
    const patient = rest.resource.find(({ type }: { type: string }) => type === 'Patient');
    const operations = patient.operation.map(({ name }: { name: string }) => name);
    expect(operations).toEqual(expect.arrayContaining(['everything', 'provenance', 'summary']));
  });

  it('IOP-03: HEAD tells what GET would; other formats than JSON are refused as an OperationOutcome', async () => {
    const bearer = await token('system/*.cruds');
    const { id } = JSON.parse(
      (await call('POST', '/fhir/R4/Patient', { bearer, body: JSON.stringify(PATIENT) })).text,
    );
    const get = await call('GET', `/fhir/R4/Patient/${id}`, { bearer });
    const head = await call('HEAD', `/fhir/R4/Patient/${id}`, { bearer });
    expect([head.status, head.text, head.headers.etag]).toEqual([200, '', get.headers.etag]);
    expect(head.headers['content-length']).toBe(String(Buffer.byteLength(get.text)));
    expect((await call('HEAD', '/fhir/R4/Patient?_count=1', { bearer })).status).toBe(200);
    const xml = await call('GET', `/fhir/R4/Patient/${id}?_format=xml`, { bearer });
    expect([xml.status, JSON.parse(xml.text).resourceType]).toEqual([406, 'OperationOutcome']);
    const encoded = await call('GET', `/fhir/R4/Patient/${id}/%24meta`, { bearer });
    expect(encoded.status).toBe(200);
  });

  it.each([
    ['1,000 levels of JSON', `{"resourceType":"Patient","x":${'['.repeat(1_000)}${']'.repeat(1_000)}}`, 400],
    ['17 MB', `{"resourceType":"Patient","x":"${'a'.repeat(17 * 1024 * 1024)}"}`, 413],
  ])('a body of %s is refused on creates, patches and bundles alike', async (_name, body, status) => {
    const bearer = await token('system/*.cruds');
    for (const [method, path] of [
      ['POST', 'Patient'],
      ['PATCH', 'Patient/1'],
      ['POST', ''],
    ] as const) {
      const answer = await call(method, `/fhir/R4/${path}`.replace(/\/$/, ''), { bearer, body });
      expect([path, answer.status, JSON.parse(answer.text).resourceType]).toEqual([
        path,
        status,
        'OperationOutcome',
      ]);
    }
  });

  it('PRIV-20: a patient’s token reads the patient’s own records by FHIR', async () => {
    const system = await token('system/*.cruds');
    const { id } = JSON.parse(
      (await call('POST', '/fhir/R4/Patient', { bearer: system, body: JSON.stringify(PATIENT) })).text,
    );
    const bearer = await token('patient/*.rs', { patient: id });
    expect((await call('GET', `/fhir/R4/Patient/${id}`, { bearer })).status).toBe(200);
    expect(JSON.parse((await call('GET', '/fhir/R4/Patient', { bearer })).text).total).toBe(1);
    expect((await call('DELETE', `/fhir/R4/Patient/${id}`, { bearer })).status).toBe(403);
  });

  it('a restart keeps everything', async () => {
    const bearer = await token('system/*.rs');
    const before = await call('GET', '/fhir/R4/Patient', { bearer });
    await gateway.stop();
    gateway = await open();
    const after = await call('GET', '/fhir/R4/Patient', { bearer: await token('system/*.rs') });
    expect(JSON.parse(after.text).total).toBe(JSON.parse(before.text).total);
    expect((await gateway.verifyVault()).faults).toEqual([]);
  });
});

describe('import of existing data', () => {
  const SYNTHEA = fileURLToPath(new URL('../../../../shared/data/synthea', import.meta.url));
  const options = () => ({ path: join(home, 'import'), source: 'test', target: gateway.importTarget() });

  it('invalid data is stored flagged, a second run changes nothing, a changed record becomes a new version', async () => {
    await mkdir(join(home, 'import'), { recursive: true });
    const urn = 'urn:uuid:0b57a0c1-0000-4000-8000-000000000001';
    const bundle = (status: string): string =>
      JSON.stringify({
        resourceType: 'Bundle',
        type: 'collection',
        entry: [
          {
            fullUrl: 'urn:uuid:0b57a0c1-0000-4000-8000-000000000002',
            resource: { ...JSON.parse(observationText('x')), status, subject: { reference: urn } },
          },
          { fullUrl: urn, resource: PATIENT },
        ],
      });
    const file = join(home, 'import', 'one.json');
    await writeFile(file, bundle('finished'));
    expect(await importResources(options())).toMatchObject({ created: 2, flagged: 1, refused: 0 });
    expect(await importResources(options())).toMatchObject({ created: 0, updated: 0, unchanged: 2 });
    const flagged = await gateway.context.vault.reader
      .selectFrom('version')
      .select(['validation', 'validator', 'type'])
      .where('validation', '=', 'flagged')
      .execute();
    expect(flagged).toMatchObject([
      { type: 'Observation', validator: expect.stringContaining('careledger-r4/') },
    ]);
    await writeFile(file, bundle('final'));
    expect(await importResources(options())).toMatchObject({ created: 0, updated: 1, unchanged: 1 });
    await gateway.context.outbox.settled();
    expect((await gateway.verifyVault()).faults).toEqual([]);
  });

  it.skipIf(!existsSync(SYNTHEA))('Synthea’s patients come in whole, references and all', async () => {
    const [first = ''] = (await readdir(SYNTHEA)).filter((name) => name.endsWith('.json')).sort();
    const path = join(SYNTHEA, first);
    const report = await importResources({ path, source: 'synthea', target: gateway.importTarget() });
    expect(report.refused).toBe(0);
    expect(report.created).toBe(report.distinct);
    const bearer = await token('system/*.rs');
    const patients = JSON.parse(
      (await call('GET', '/fhir/R4/Patient?identifier:missing=false&_count=200', { bearer })).text,
    );
    expect(patients.total).toBeGreaterThan(0);
  });
});

it('OFF-04: nothing of a record in any log, key or journal file of the member’s home, in clear', async () => {
  const canaries = ['Zvonimirovich', 'Quentina', '84736251', '1971-03-29'];
  const files = await filesBelow(home);
  for (const canary of canaries) {
    expect(logged.join('\n').includes(canary), `${canary} in a log`).toBe(false);
    for (const { path, bytes } of files) {
      if (path.startsWith(join(home, 'import'))) continue;
      expect(bytes.includes(canary), `${canary} in ${path}`).toBe(false);
    }
  }
});
