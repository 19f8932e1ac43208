import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { membershipGenesisCodec } from '@careledger/capabilities';
import {
  createExchange,
  createGateway,
  type Gateway,
  mutualTlsAgent,
  readClientRegistry,
} from '@careledger/gateway';
import { decodeGenesis } from '@careledger/ledger';
import { createNode, type LedgerNode, readSigningKey } from '@careledger/node';
import { nodeId, organizationId, toHex } from '@careledger/primitives';
import type { JWK } from 'jose';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { careledger } from '../careledger.ts';
import { openConsortium } from '../consortium/create-consortium.ts';
import { homePaths, readMemberConfig } from '../consortium/member-config.ts';
import { HOSPITAL } from '../consortium/members.ts';
import type { ConsortiumFile } from '../consortium-file.ts';
import { faultOf } from '../errors.ts';
import { serveControl } from '../member/control-socket.ts';
import { handleRequest } from '../member/member-requests.ts';

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));
const NODE = resolve(MAIN, '../../../../node_modules/.bin/node');

let folder: string;
let consortium: ConsortiumFile;
const nodes: LedgerNode[] = [];
const gateways: Gateway[] = [];
const controls: { readonly close: () => Promise<void> }[] = [];

interface Run {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

/** Runs `careledger` as a person would, in a process of its own. */
function spawned(...words: readonly string[]): Promise<Run> {
  return new Promise((done) => {
    execFile(NODE, [MAIN, ...words], { cwd: folder, timeout: 60_000 }, (failure, out, error) => {
      done({ code: failure === null ? 0 : Number(failure.code), out, error });
    });
  });
}

/** Runs a verb in this process: the same program, without the second it takes to start one. */
async function run(...words: readonly string[]): Promise<Run> {
  const written = { out: '', error: '' };
  const out = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    written.out += String(text);
    return true;
  });
  const error = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    written.error += String(text);
    return true;
  });
  const before = process.exitCode;
  process.exitCode = 0;
  try {
    await careledger(words);
    return { code: Number(process.exitCode ?? 0), ...written };
  } finally {
    process.exitCode = before;
    out.mockRestore();
    error.mockRestore();
  }
}

/** The same against the consortium of this test. */
function local(...words: readonly string[]): Promise<Run> {
  return run(...words, '--data', join(folder, '.careledger'));
}

async function freeBasePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((ready) => probe.listen(0, '127.0.0.1', ready));
  const address = probe.address();
  await new Promise((closed) => probe.close(closed));
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return port > 65_000 ? port - 100 : port;
}

async function startNode(home: string): Promise<LedgerNode> {
  const config = readMemberConfig(home);
  const paths = homePaths(home);
  const node = createNode({
    folder: paths.node,
    genesis: new Uint8Array(readFileSync(resolve(home, config.genesisFile))),
    node: nodeId(config.node),
    signer: readSigningKey(paths.validatorKey),
    tls: {
      certificate: readFileSync(paths.nodeCertificate, 'utf8'),
      privateKey: readFileSync(paths.nodePrivateKey, 'utf8'),
      certificateAuthority: readFileSync(paths.certificateAuthority, 'utf8'),
    },
    listen: { apiPort: config.ports.node, peerPort: config.ports.peer },
    peers: config.peers.map(({ node: peer, port }) => ({ node: nodeId(peer), host: 'localhost', port })),
  });
  await node.start();
  return node;
}

async function startGateway(home: string, ledger: LedgerNode): Promise<Gateway> {
  const config = readMemberConfig(home);
  const paths = homePaths(home);
  const tls = {
    certificate: readFileSync(paths.gatewayCertificate, 'utf8'),
    privateKey: readFileSync(paths.gatewayPrivateKey, 'utf8'),
    certificateAuthority: readFileSync(paths.certificateAuthority, 'utf8'),
  };
  const clientKey = JSON.parse(readFileSync(paths.clientKey, 'utf8')) as JWK;
  const trustPath = (): ReturnType<LedgerNode['trustPath']> => ledger.trustPath();
  const started = await createGateway({
    home,
    organization: organizationId(config.organization),
    ledger,
    keystoreSecret: { kind: 'key-file', path: paths.keystoreSecret },
    tls,
    port: config.ports.fhir,
    authorizationKey: JSON.parse(readFileSync(paths.authorizationKey, 'utf8')) as JWK,
    clients: await readClientRegistry(resolve(home, config.clientsFile)),
    trustPath,
    log: { info: () => undefined, error: () => undefined },
    // Bulk exports are journalled by the exchange.
    parts: [(context) => createExchange(context, { tls, trustPath, clientKey, members: [] })],
  });
  await started.start();
  return started;
}

/** The height that every node has reached, once there is one. */
async function untilHeight(height: number): Promise<void> {
  const giveUpAt = Date.now() + 20_000;
  while (
    nodes.some(
      (node) => node.head().header.height < height || node.head().certificate.signatures.length === 0,
    )
  ) {
    if (Date.now() > giveUpAt) throw new Error('the nodes make no progress');
    await new Promise((again) => setTimeout(again, 50));
  }
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'careledger-verbs-'));
  consortium = await openConsortium({
    folder: join(folder, '.careledger'),
    basePort: await freeBasePort(),
    now: Date.now(),
    engine: { id: 'pbft', version: 1 },
    rulePack: 'opt-in-exchange',
  });
  for (const { home } of consortium.organizations) {
    nodes.push(await startNode(join(folder, '.careledger', home)));
  }
  for (const [index, { home: name }] of consortium.organizations.slice(0, 2).entries()) {
    const home = join(folder, '.careledger', name);
    const node = nodes[index];
    if (!node) throw new Error('every member has a node');
    const gateway = await startGateway(home, node);
    gateways.push(gateway);
    controls.push(
      await serveControl({
        home,
        control: async (asked, watch) => handleRequest({ node, gateway }, asked, watch),
        faultOf: (error) => faultOf(error, ''),
      }),
    );
  }
  await untilHeight(0);
}, 120_000);

afterAll(async () => {
  for (const control of controls) await control.close();
  for (const gateway of gateways) await gateway.stop();
  await Promise.all(nodes.map((node) => node.stop()));
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

/** A key of the hospital that is not its administrator's: something to change and to ask about. */
function custodianKey(): string {
  const genesis = decodeGenesis(readFileSync(join(folder, '.careledger', consortium.genesisFile)));
  if (!genesis.ok) throw new Error(genesis.error);
  const { keys } = membershipGenesisCodec.decode(genesis.value.applicationState);
  const found = keys.findLast(
    ({ organization, roles }) => organization === HOSPITAL && roles.includes('custodian'),
  );
  return toHex(found?.publicKey ?? new Uint8Array(0));
}

async function suspendOrReinstate(
  verb: 'suspend' | 'reinstate',
): Promise<{ readonly id: string; readonly height: number }> {
  const body = JSON.stringify({ publicKey: custodianKey() });
  const answer = await local('submit', `membership/${verb}-key`, '--body', body, '--json');
  if (answer.code !== 0) throw new Error(answer.error);
  return JSON.parse(answer.out);
}

describe('careledger', () => {
  it('lists every verb, and takes a wrong command line for one', async () => {
    const help = await spawned('--help');
    expect(help.code).toBe(0);
    const verbs = ['start', 'status', 'submit', 'query', 'prove', 'verify', 'export', 'token'];
    for (const verb of [
      ...verbs,
      'match',
      'import',
      'drift',
      'explain',
      'bulk-export',
      'keys',
      'users',
      'blocks',
      'transactions',
      'history',
      'dispute',
      'watch',
    ]) {
      expect(help.out).toMatch(new RegExp(`^  ${verb} `, 'm'));
    }
    expect((await spawned('nonsense')).code).toBe(2);
    expect((await spawned('verify', 'x')).code).toBe(2);
    const missing = await spawned('status', '--data', 'elsewhere', '--json');
    expect([missing.code, JSON.parse(missing.error).error.code]).toEqual([1, 'consortium/missing']);
  });

  it('DEP-01: submits, reads and proves through the CLI alone', async () => {
    const suspended = await suspendOrReinstate('suspend');
    await untilHeight(suspended.height);
    for (const { name } of consortium.organizations) {
      const answer = await local('query', 'key', custodianKey(), '--organization', name, '--json');
      expect(JSON.parse(answer.out)).toMatchObject({
        value: { organization: HOSPITAL, standing: 'suspended' },
      });
    }
    const answer = await local('query', 'transaction', suspended.id, '--json');
    expect(JSON.parse(answer.out)).toMatchObject({ type: 'membership/suspend-key', code: 0 });
    const reinstated = await suspendOrReinstate('reinstate');
    const earlier = await local(
      'query',
      'key',
      custodianKey(),
      '--height',
      String(suspended.height),
      '--json',
    );
    expect(JSON.parse(earlier.out)).toMatchObject({ value: { standing: 'suspended' } });
    expect(reinstated.height).toBeGreaterThan(suspended.height);
  });

  it('names what is wrong with a submission', async () => {
    const entry = { entryId: '00'.repeat(16), ciphertext: '00'.repeat(96) };
    const cases: readonly (readonly [string, object, string])[] = [
      ['membership/suspend-key', { publicKey: custodianKey(), note: 'x' }, 'cli/message'],
      ['membership/suspend-key', { publicKey: 'zz' }, 'cli/message'],
      ['membership/nothing', {}, 'cli/message-type'],
    ];
    for (const [type, body, code] of cases) {
      const answer = await local('submit', type, '--body', JSON.stringify(body), '--json');
      expect([answer.code, JSON.parse(answer.error).error.code]).toEqual([1, code]);
    }
    // An administrator is no custodian: the ledger refuses it, and the refusal is proven or comes before the order.
    const body = JSON.stringify({ entries: [entry] });
    const answer = await local('submit', 'locator/publish', '--body', body, '--json');
    expect(answer.code).toBe(1);
    expect(JSON.parse(answer.error).error.code).toMatch(
      /^(client\/transaction-refused|locator\/not-custodian)$/,
    );
  });

  it('status shows every node, and fails when one is not reached', async () => {
    const answer = await local('status', '--json');
    const status = JSON.parse(answer.out);
    expect([answer.code, status.agree, status.organizations.length]).toEqual([0, true, 4]);
    const file = join(folder, '.careledger', 'consortium.json');
    const whole = readFileSync(file, 'utf8');
    writeFileSync(file, whole.replace(consortium.organizations[3]?.node ?? '', 'https://localhost:1'));
    const partial = await local('status');
    writeFileSync(file, whole);
    expect(partial.code).toBe(1);
    expect(partial.out).toContain('not reached');
  });

  it('NET-10: what export and prove write, verify checks offline with the genesis hash alone', async () => {
    const { id, height } = await suspendOrReinstate('suspend');
    await suspendOrReinstate('reinstate');
    const files: readonly (readonly [string, readonly string[], string])[] = [
      ['all.bundle', ['export'], 'audit-bundle'],
      ['some.bundle', ['export', '--from', '2', '--to', String(height)], 'audit-bundle'],
      ['one.bundle', ['prove', 'transaction', id], 'audit-bundle'],
      ['key.proof', ['prove', 'key', custodianKey()], 'state-proof'],
      ['absent.proof', ['prove', 'consent', 'ab'.repeat(16)], 'state-proof'],
    ];
    for (const [name, words, kind] of files) {
      const made = await local(...words, '--out', join(folder, name));
      expect(made).toMatchObject({ code: 0, error: '' });
      const good = await run('verify', join(folder, name), '--genesis', consortium.chain, '--json');
      expect([good.code, JSON.parse(good.out)]).toEqual([0, expect.objectContaining({ valid: true, kind })]);
      const bytes = readFileSync(join(folder, name));
      bytes[bytes.length - 100] = (bytes[bytes.length - 100] ?? 0) ^ 1;
      writeFileSync(join(folder, `bad-${name}`), bytes);
      const bad = await run('verify', join(folder, `bad-${name}`), '--genesis', consortium.chain, '--json');
      expect([bad.code, JSON.parse(bad.out)]).toEqual([
        1,
        expect.objectContaining({
          valid: false,
          fault: expect.objectContaining({ code: expect.stringMatching(/\//) }),
        }),
      ]);
      const foreign = await run('verify', join(folder, name), '--genesis', '00'.repeat(32), '--json');
      expect([foreign.code, JSON.parse(foreign.out).fault.code]).toEqual([
        1,
        expect.stringMatching(/genesis/),
      ]);
    }
    const absent = await run('verify', join(folder, 'absent.proof'), '--genesis', consortium.chain);
    expect(absent.out).toContain('proven to have none');
    const again = await local('export', '--out', join(folder, 'all.bundle'), '--json');
    expect([again.code, JSON.parse(again.error).error.code]).toEqual([1, 'cli/file-exists']);
  });

  it('CRY-01: trusts no node that is not of the chain it was told', async () => {
    const [first] = consortium.organizations;
    const words = ['query', 'head', '--node', String(first?.node), '--json'];
    const untrusted = await local(...words);
    expect([untrusted.code, JSON.parse(untrusted.error).error.code]).toEqual([1, 'cli/trust-missing']);
    const ca = join(folder, '.careledger', consortium.caFile);
    expect((await local(...words, '--ca', ca, '--genesis', consortium.chain)).code).toBe(0);
    const other = await local(...words, '--ca', ca, '--genesis', '00'.repeat(32));
    expect(other.code).toBe(1);
  });

  it('OFF-10, OFF-22: imports files, then from another gateway over FHIR, and reports how they come apart', async () => {
    const [hospital, clinic] = consortium.organizations;
    if (!hospital || !clinic) throw new Error('there are members');
    const write = (name: string, lines: readonly object[]): string => {
      writeFileSync(join(folder, name), lines.map((line) => JSON.stringify(line)).join('\n'));
      return join(folder, name);
    };
    const patient = { resourceType: 'Patient', id: 'canary-1', gender: 'female' };
    const observation = {
      ...{ resourceType: 'Observation', id: 'canary-2', status: 'final', code: { text: 'canary-text' } },
      subject: { reference: 'Patient/canary-1' },
    };
    const file = write('chart.ndjson', [patient, observation]);
    const loaded = await local('import', file, '--organization', HOSPITAL, '--json');
    expect([loaded.code, JSON.parse(loaded.out)]).toMatchObject([0, { read: 2, created: 2, refused: 0 }]);

    const token = await local('token', '--organization', HOSPITAL, '--scope', 'system/*.rs');
    const tokenFile = write('token', []);
    writeFileSync(tokenFile, token.out);
    const ca = join(folder, '.careledger', consortium.caFile);
    const source = [hospital.fhir, '--source-token-file', tokenFile, '--source-ca', ca];
    const words = [...source, '--organization', clinic.name, '--json'];
    const fetched = await local('import', ...words);
    expect([fetched.code, fetched.error]).toEqual([0, expect.not.stringContaining('error')]);
    expect(JSON.parse(fetched.out)).toMatchObject({ read: 2, created: 2, refused: 0 });
    expect(JSON.parse((await local('import', ...words)).out)).toMatchObject({ created: 0, updated: 0 });
    expect(await local('drift', ...words)).toMatchObject({ code: 0 });

    write('chart.ndjson', [{ ...patient, gender: 'male' }, observation]);
    await local('import', file, '--organization', HOSPITAL, '--json');
    const out = join(folder, 'drift.ndjson');
    const apart = await local('drift', ...words, '--out', out);
    expect([apart.code, JSON.parse(apart.out)]).toMatchObject([
      1,
      { agree: false, known: 2, counts: { new: 0, changed: 1, missing: 0, 'edited-here': 0 } },
    ]);
    expect(readFileSync(out, 'utf8')).toMatch(
      /^\{"kind":"changed","reference":"Patient\/[0-9a-f-]{36}"\}\n$/,
    );
    expect(statSync(out).mode & 0o777).toBe(0o600);
    for (const text of [apart.out, apart.error, fetched.out, loaded.out])
      expect(text).not.toContain('canary');

    const wrong = await local(
      'import',
      ...words.slice(0, 1),
      '--source-ca',
      ca,
      '--organization',
      clinic.name,
      '--json',
    );
    expect([wrong.code, JSON.parse(wrong.error.trim().split('\n').at(-1) ?? '').error.code]).toEqual([
      1,
      'import/source-denied',
    ]);
    const absent = await local(
      'drift',
      file,
      '--organization',
      String(consortium.organizations[2]?.name),
      '--json',
    );
    expect([absent.code, JSON.parse(absent.error).error.code]).toEqual([1, 'member/not-running']);
  }, 60_000);

  it('LED-28, IOP-12: lists, history, disputes and events of a real node, each proven', async () => {
    const suspended = await suspendOrReinstate('suspend');
    const reinstated = await suspendOrReinstate('reinstate');
    await untilHeight(reinstated.height);
    const lines = async (...words: readonly string[]) => {
      const answer = await local(...words, '--json');
      expect([words[0], answer.error, answer.code]).toEqual([words[0], '', 0]);
      return answer.out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
    };
    const blocks = await lines('blocks', '--type', 'membership/suspend-key');
    expect(blocks.map(({ height }) => height)).toContain(suspended.height);
    const transactions = await lines('transactions', '--type', 'membership/suspend-key');
    expect(transactions.map(({ id }) => id)).toContain(suspended.id);
    const key = `0x${toHex(new TextEncoder().encode('membership/key/'))}${custodianKey()}`;
    const history = await lines('history', key);
    expect(history.map(({ height }) => height).slice(-2)).toEqual([suspended.height, reinstated.height]);
    const at = blocks.find(({ height }) => height === suspended.height)?.time;
    const answers: { answerHash: string; height: number }[][] = [];
    for (const { name } of consortium.organizations) {
      answers.push(await lines('dispute', key, '--at', String(at), '--organization', name));
    }
    expect(new Set(answers.map(([answer]) => answer?.answerHash)).size).toBe(1);
    expect(answers[0]?.[0]).toMatchObject({ height: suspended.height });
    const watched = await lines('watch', '--after', '0', '--limit', String(reinstated.height));
    expect(watched.map(({ height }) => height)).toEqual(
      Array.from({ length: reinstated.height }, (_each, index) => index + 1),
    );
    const span = ['--since', String(at), '--until', String(Date.now())];
    const made = await lines('export', ...span, '--out', join(folder, 'span.bundle'));
    expect(made[0]).toMatchObject({ fromHeight: suspended.height });
    const mixed = await local('export', ...span, '--from', '1', '--out', join(folder, 'x'), '--json');
    expect([mixed.code, JSON.parse(mixed.error).error.code]).toEqual([1, 'cli/range']);
  });

  it('DEP-01, IOP-05: exports records in bulk, with their proofs, for its owner alone', async () => {
    const file = join(folder, 'bulk.json');
    writeFileSync(file, JSON.stringify({ resourceType: 'Patient', id: 'bulk-1', gender: 'other' }));
    expect(await local('import', file, '--organization', HOSPITAL)).toMatchObject({ code: 0 });
    const output = join(folder, 'records');
    const words = ['bulk-export', '--organization', HOSPITAL, '--type', 'Patient', '--json', '--output'];
    // One job more than a caller may have: each is ended behind itself.
    const outputs = [output, ...Array.from({ length: 5 }, (_each, at) => `${output}-${at}`)];
    const reports: { readonly files: readonly { readonly name: string; readonly lines: number }[] }[] = [];
    for (const each of outputs) {
      const answer = await local(...words, each);
      expect([answer.code, answer.error]).toEqual([0, expect.not.stringContaining('"error"')]);
      reports.push(JSON.parse(answer.out));
    }
    const [report] = reports;
    expect(report?.files.map(({ name }) => name)).toEqual(['Patient-0.ndjson', 'proofs-Patient-0.ndjson']);
    expect(new Set(report?.files.map(({ lines }) => lines)).size).toBe(1);
    const records = readFileSync(join(output, 'Patient-0.ndjson'), 'utf8').trim().split('\n');
    expect(records.map((line) => JSON.parse(line).gender)).toContain('other');
    const [proof] = readFileSync(join(output, 'proofs-Patient-0.ndjson'), 'utf8').split('\n');
    expect(JSON.parse(proof ?? '')).toMatchObject({ reference: expect.stringMatching(/^Patient\//) });
    expect(statSync(output).mode & 0o777).toBe(0o700);
    for (const name of readdirSync(output)) expect(statSync(join(output, name)).mode & 0o777).toBe(0o600);
    expect(readdirSync(output).sort()).toEqual([
      'Patient-0.ndjson',
      'manifest.json',
      'proofs-Patient-0.ndjson',
    ]);

    const again = await local(...words, output);
    expect([again.code, JSON.parse(again.error).error.code]).toEqual([1, 'cli/file-exists']);
    const absent = await local(...words, `${output}-x`, '--group', 'nobody');
    expect([absent.code, JSON.parse(absent.error).error.code]).toEqual([1, 'export/refused']);
    expect((await run('bulk-export', '--organization', HOSPITAL)).code).toBe(2);
  }, 60_000);

  it('SEC-15: rotates and backs up the keys of a running member, and restores those of one that stands still', async () => {
    const hospital = ['--organization', HOSPITAL, '--json'];
    const home = (place: number): string =>
      join(folder, '.careledger', consortium.organizations[place]?.home ?? '');
    const rotated = await local('keys', 'rotate', 'organization', ...hospital);
    expect([rotated.code, JSON.parse(rotated.out)]).toMatchObject([0, { rotated: 1, unfinished: 0 }]);
    const unknown = await local('keys', 'rotate', 'Patient/nobody', ...hospital);
    expect([unknown.code, JSON.parse(unknown.error).error.code]).toEqual([1, 'keystore/no-key']);
    expect((await local('keys', 'rotate', 'nobody', ...hospital)).code).toBe(2);

    const secret = readFileSync(homePaths(home(0)).keystoreSecret, 'utf8');
    expect(await local('keys', 'rotate-master', ...hospital)).toMatchObject({ code: 0 });
    expect(readFileSync(homePaths(home(0)).keystoreSecret, 'utf8')).not.toBe(secret);

    const backup = join(folder, 'keys.backup');
    const made = await local('keys', 'back-up', ...hospital, '--out', backup);
    expect([made.code, JSON.parse(made.out).keys]).toEqual([0, expect.any(Number)]);
    expect(statSync(backup).mode & 0o777).toBe(0o600);
    const twice = await local('keys', 'back-up', ...hospital, '--out', backup);
    expect([twice.code, JSON.parse(twice.error).error.code]).toEqual([1, 'cli/file-exists']);
    const running = await local('keys', 'restore', backup, ...hospital);
    expect([running.code, JSON.parse(running.error).error.code]).toEqual([1, 'gateway/in-use']);

    // The third member has no gateway here. Its epoch's key is what opens the hospital's backup in this test.
    const third = ['--organization', String(consortium.organizations[2]?.name), '--json'];
    const standing = await local('keys', 'restore', backup, ...third);
    expect([standing.code, JSON.parse(standing.error).error.code]).toEqual([1, 'keystore/exists']);
    rmSync(homePaths(home(2)).keystore, { recursive: true });
    const gone = await local('keys', 'restore', backup, ...third);
    expect([gone.code, JSON.parse(gone.error).error.code]).toEqual([1, 'keystore/epoch-gone']);
    cpSync(homePaths(home(0)).backupEpochs, homePaths(home(2)).backupEpochs, { recursive: true });
    const restored = await local('keys', 'restore', backup, ...third);
    expect([restored.code, JSON.parse(restored.out)]).toMatchObject([
      0,
      { keys: JSON.parse(made.out).keys, leftOut: 0 },
    ]);
    const still = await local('keys', 'rotate', 'all', ...third);
    expect([still.code, JSON.parse(still.error).error.code]).toEqual([1, 'member/not-running']);
  }, 60_000);

  it('NET-07: users of a member are added, listed, given another password and removed; passwords come by standard input', async () => {
    const hospital = ['--organization', HOSPITAL, '--json'];
    const file = homePaths(join(folder, '.careledger', consortium.organizations[0]?.home ?? '')).users;
    const typed = async (password: string, ...words: readonly string[]): Promise<Run> => {
      const input = vi.spyOn(process, 'stdin', 'get');
      input.mockReturnValue(Object.assign(Readable.from([`${password}\n`]), { isTTY: false }) as never);
      try {
        return await local(...words, ...hospital);
      } finally {
        input.mockRestore();
      }
    };
    const hashOf = (name: string): string | undefined =>
      (
        JSON.parse(readFileSync(file, 'utf8')) as { users: { name: string; passwordHash: string }[] }
      ).users.find((user) => user.name === name)?.passwordHash;
    const before = JSON.parse((await local('users', 'list', ...hospital)).out).users;

    const add = ['users', 'add', 'm.okafor', '--roles', 'provider,auditor'];
    const added = await typed('correct horse battery', ...add);
    expect([added.code, added.error]).toEqual([0, '']);
    const first = hashOf('m.okafor');
    expect(first).toMatch(/^scrypt\$/);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const listed = await local('users', 'list', ...hospital);
    expect(JSON.parse(listed.out).users).toEqual([
      ...before,
      { name: 'm.okafor', roles: ['provider', 'auditor'], disabled: false },
    ]);
    expect(listed.out).not.toContain('scrypt');
    await typed('another one entirely', 'users', 'set-password', 'M.Okafor');
    expect(hashOf('m.okafor')).not.toBe(first);

    const standing = readFileSync(file, 'utf8');
    const refused: readonly (readonly [string, readonly string[], string])[] = [
      ['correct horse battery', add, 'users/taken'],
      ['too short', ['users', 'add', 'x', '--roles', 'payer'], 'users/password'],
      ['', ['users', 'add', 'x', '--roles', 'payer'], 'cli/password'],
      ['correct horse battery', ['users', 'add', 'x', '--roles', 'patient'], 'users/invalid'],
      ['correct horse battery', ['users', 'set-password', 'nobody'], 'users/unknown'],
    ];
    for (const [password, words, code] of refused) {
      const answer = await typed(password, ...words);
      expect([answer.code, JSON.parse(answer.error).error.code]).toEqual([1, code]);
    }
    expect((await local('users', 'add', 'x', '--roles', 'king', ...hospital)).code).toBe(2);
    expect(readFileSync(file, 'utf8')).toBe(standing);

    expect(await local('users', 'remove', 'm.okafor', ...hospital)).toMatchObject({ code: 0 });
    expect(JSON.parse((await local('users', 'list', ...hospital)).out).users).toEqual(before);
    const nobody = await local('users', 'remove', 'm.okafor', ...hospital);
    expect([nobody.code, JSON.parse(nobody.error).error.code]).toEqual([1, 'users/unknown']);
  }, 60_000);

  it('explains an error code', async () => {
    const known = await run('explain', 'member/not-running', '--json');
    expect([known.code, JSON.parse(known.out)]).toMatchObject([0, { code: 'member/not-running' }]);
    expect(await run('explain', 'no/such')).toMatchObject({ code: 1 });
  });

  it('PRIV-20: prints a token with which the FHIR API answers, for a system and for a patient', async () => {
    const agent = mutualTlsAgent({
      certificateAuthority: readFileSync(join(folder, '.careledger', consortium.caFile), 'utf8'),
    });
    const ask = async (token: string): Promise<number> => {
      const answer = await request(`${consortium.organizations[0]?.fhir}/Patient?_count=1`, {
        headers: { authorization: `Bearer ${token}` },
        dispatcher: agent,
      });
      await answer.body.dump();
      return answer.statusCode;
    };
    const system = await local('token', '--organization', HOSPITAL, '--scope', 'system/*.rs');
    expect([system.code, await ask(system.out.trim())]).toEqual([0, 200]);
    const words = [
      'token',
      '--organization',
      HOSPITAL,
      '--scope',
      'patient/*.rs',
      '--patient',
      'p1',
      '--json',
    ];
    const patient = JSON.parse((await local(...words)).out);
    expect(patient).toMatchObject({ scope: 'patient/*.rs', fhir: consortium.organizations[0]?.fhir });
    expect(await ask('nonsense')).toBe(401);
    const refused = await local('token', '--organization', HOSPITAL, '--scope', 'patient/*.rs', '--json');
    expect([refused.code, JSON.parse(refused.error).error.code]).toEqual([1, 'token/refused']);
    await agent.destroy();
  });
});
