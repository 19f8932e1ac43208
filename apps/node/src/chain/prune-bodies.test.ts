import { randomBytes } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { organizationKey } from '@careledger/capabilities';
import {
  TrustedChain,
  verifyConsistency,
  verifyStateEvidence,
  verifyTransactionEvidence,
} from '@careledger/ledger';
import { toHex } from '@careledger/primitives';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { createNode } from '../create-node.ts';
import { signerOfSeed } from '../keys.ts';
import type { LedgerNode } from '../ledger-node.ts';
import { type Closing, closeAll, openLedger } from '../open-node.ts';
import { pruneNodeFolder } from '../prune-node-folder.ts';
import { verifyWithSodium } from '../signatures/verify-batch.ts';
import { SegmentStore } from '../store/segments.ts';
import { type AgedLedger, fillAgedLedger } from '../testing/aged-ledger.ts';
import { apiCaller, operatorTokenOf } from '../testing/api-caller.ts';
import { standing, TestConsortium, until } from '../testing/test-consortium.ts';
import { EvidenceDesk } from './evidence.ts';
import { pruneBodies } from './prune-bodies.ts';
import { verifyBlockFiles } from './verify-files.ts';

const BLOCKS = 30;
/** A block a minute: the last eleven or twelve stand in the replay window. */
const BLOCK_MS = 60_000;
const HOUR_MS = 3_600_000;
const SEGMENT_BYTES = 8_192;

let consortium: TestConsortium;
let aged: AgedLedger;
/** Block files of the whole chain, in several segments, as they were before anything was pruned. */
let original: string;
const folders: string[] = [];

beforeAll(async () => {
  consortium = await TestConsortium.found({
    members: 1,
    engine: { id: 'authority', version: 1 },
    time: Date.now() - HOUR_MS,
  });
  const rotation = { height: 4, signer: signerOfSeed(new Uint8Array(randomBytes(32))) };
  aged = await fillAgedLedger(consortium, { blocks: BLOCKS, blockMs: BLOCK_MS, rotation });
  original = consortium.member(0).folder;
  await intoSeveralFiles(join(original, 'segments'));
  return async () => {
    await consortium.close();
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  };
}, 30_000);

let running: LedgerNode | undefined;
afterEach(async () => {
  await running?.stop();
  running = undefined;
});

async function intoSeveralFiles(folder: string): Promise<void> {
  const one = SegmentStore.open({ folder, acknowledgedHeight: 0 });
  const several = `${folder}-several`;
  const many = SegmentStore.open({
    folder: several,
    acknowledgedHeight: 0,
    segmentBytesMax: SEGMENT_BYTES,
  });
  for (let height = 1; height <= one.lastHeight; height += 1) {
    await many.append(height, one.read(height) ?? new Uint8Array(0));
  }
  await one.close();
  await many.close();
  rmSync(folder, { recursive: true });
  renameSync(several, folder);
}

/** A copy of the node's folder, with its index or without. */
function copy(withIndex = true): string {
  const folder = mkdtempSync(join(tmpdir(), 'careledger-prune-'));
  folders.push(folder);
  cpSync(original, folder, { recursive: true });
  if (!withIndex) rmSync(join(folder, 'state'), { recursive: true });
  return folder;
}

const dropIndex = (folder: string): void => rmSync(join(folder, 'state'), { recursive: true, force: true });
const blockFiles = (folder: string): string => join(folder, 'segments');
const verify = (folder: string) =>
  verifyBlockFiles({ folder: blockFiles(folder), genesis: consortium.genesis });

async function start(folder: string, changes: { readonly bodiesKept?: number } = {}): Promise<LedgerNode> {
  running = createNode(consortium.optionsOf(0, { folder, signer: aged.validator, ...changes }));
  await running.start();
  return running;
}

/** Opens a folder, asks something of its ledger, closes it. */
async function withLedger<Value>(
  folder: string,
  ask: (desk: EvidenceDesk, ledger: Awaited<ReturnType<typeof openLedger>>) => Value | Promise<Value>,
): Promise<Value> {
  const closing: Closing = [];
  try {
    const ledger = await openLedger({ folder, genesis: consortium.genesis }, closing);
    const { node, validator: signer } = consortium.member(0);
    return await ask(new EvidenceDesk(ledger.chain, consortium.genesis, { node, signer }), ledger);
  } finally {
    await closeAll(closing);
  }
}

function expectProofs(desk: EvidenceDesk, prunedBelow: number): void {
  const trust = desk.trustPath();
  const trusted = TrustedChain.fromPath({
    path: trust,
    expectedChain: consortium.chain,
    verifySignature: verifyWithSodium,
  });
  if (!trusted.ok) throw new Error(trusted.error.detail);
  for (let height = 1; height <= BLOCKS; height += 1) {
    expect(trusted.value.verifyHeader(desk.certified(height), verifyWithSodium).ok, `height ${height}`).toBe(
      true,
    );
    const claim = {
      first: height,
      second: BLOCKS,
      firstRoot: desk.header(height).historyRoot,
      secondRoot: desk.header(BLOCKS).historyRoot,
      proof: desk.proveConsistency(height, BLOCKS),
    };
    expect(verifyConsistency(claim).ok).toBe(true);
    if (height < prunedBelow) {
      expect(() => desk.block(height)).toThrow(expect.objectContaining({ code: 'ledger/pruned' }));
      continue;
    }
    const evidence = desk.proveTransaction({ height, index: 0 });
    const proven = verifyTransactionEvidence({
      evidence,
      trusted: trusted.value,
      verifySignature: verifyWithSodium,
    });
    expect(proven.ok && proven.value.accepted).toBe(true);
  }
  const key = organizationKey(consortium.member(0).organization);
  const evidence = desk.proveState(key);
  expect(
    verifyStateEvidence({ evidence, key, trusted: trusted.value, verifySignature: verifyWithSodium }).ok,
  ).toBe(true);
}

test('LED-34: bodies are pruned below a height, bytes before and after are told, and what is kept still verifies', async () => {
  const folder = copy();
  expect(await verify(folder)).toEqual({ ok: true, height: BLOCKS, withoutBodies: 0, withoutExecution: 0 });
  const report = await pruneNodeFolder(folder, { genesis: consortium.genesis, below: 15 });
  expect(report).toMatchObject({ prunedBelow: 15, snapshotHeight: BLOCKS });
  expect(report.segmentBytesAfter).toBeLessThan(report.segmentBytesBefore);
  expect(report.snapshotBytes).toBeGreaterThan(0);
  expect(await verify(folder)).toEqual({
    ok: true,
    height: BLOCKS,
    withoutBodies: 14,
    withoutExecution: BLOCKS,
  });
  await withLedger(folder, (desk) => expectProofs(desk, 15));
  dropIndex(folder);
  await withLedger(folder, (desk) => expectProofs(desk, 15));
});

test('LED-34: blocks whose transactions could be shown again keep their bodies, whatever was asked for', async () => {
  const folder = copy();
  const { prunedBelow } = await pruneNodeFolder(folder, { genesis: consortium.genesis, below: BLOCKS + 1 });
  // Ten minutes, and the rest of the minute in which a block stands.
  expect(BLOCKS - prunedBelow).toBeGreaterThanOrEqual(10);
  expect(BLOCKS - prunedBelow).toBeLessThanOrEqual(12);
  const again = await pruneNodeFolder(folder, { genesis: consortium.genesis, below: BLOCKS + 1 });
  expect(again).toMatchObject({ prunedBelow });
  expect(again.segmentBytesAfter).toBe(again.segmentBytesBefore);
});

test('LED-34: a pruned node whose index is lost starts from the snapshot, goes on, and prunes again', async () => {
  const folder = copy();
  await pruneNodeFolder(folder, { genesis: consortium.genesis, below: 10 });
  const before = await withLedger(folder, (_, { chain }) => chain.tip.header);
  dropIndex(folder);
  const node = await start(folder);
  expect(node.status()).toMatchObject({ height: BLOCKS, storage: { prunedBelow: 10 } });
  expect(node.status().stateRoot).toEqual(before.stateRoot);
  const final = await node.submit(consortium.anchor(0).bytes);
  expect(final.result.code).toBe(0);
  expect(await node.verifyStore()).toEqual({ ok: true, height: BLOCKS + 1, withoutBodies: 9 });
  // All blocks of the past lie behind the window of a block of today.
  const report = await node.pruneBodies({ below: 20 });
  expect(report).toMatchObject({ prunedBelow: 20, snapshotHeight: BLOCKS + 1 });
  expect(readdirSync(blockFiles(folder)).filter((name) => name.endsWith('.snapshot'))).toHaveLength(1);
  const later = await node.submit(consortium.anchor(0).bytes);
  const stood = standing(node);
  await node.stop();
  expect(await verify(folder)).toMatchObject({ ok: true, withoutBodies: 19, withoutExecution: BLOCKS + 1 });
  dropIndex(folder);
  await node.start();
  expect(standing(node)).toBe(stood);
  expect(node.find(later.id)?.height).toBe(later.height);
});

test('LED-34: a node told how many bodies to keep prunes the rest by itself', async () => {
  const folder = copy();
  const node = await start(folder, { bodiesKept: 6 });
  // File by file: it is done when only the window is left.
  await until(() => BLOCKS - node.status().storage.prunedBelow <= 12);
  const { prunedBelow } = node.status().storage;
  expect(BLOCKS - prunedBelow).toBeGreaterThanOrEqual(10);
  expect(() => node.block(prunedBelow - 1)).toThrow(expect.objectContaining({ code: 'ledger/pruned' }));
  expect(node.block(prunedBelow)?.transactions).toHaveLength(1);
});

test('LED-34: the API answers 410 ledger/pruned for a body, and lists the header with its certificate', async () => {
  const folder = copy();
  await pruneNodeFolder(folder, { genesis: consortium.genesis, below: 10 });
  const node = await start(folder);
  const { api } = await node.start();
  const chainId = toHex(consortium.chain);
  const ask = apiCaller(api.url, consortium.ca.certificate, {
    authorization: `Bearer ${operatorTokenOf(folder)}`,
  });
  const call = (path: string) => ask(`/v1/chains/${chainId}${path}`);
  expect(await call('/blocks/9')).toMatchObject({ status: 410, json: { code: 'ledger/pruned' } });
  expect((await call('/blocks/10')).status).toBe(200);
  expect((await call('/blocks?from=9&to=10')).json.blocks).toMatchObject([
    { header: { height: 9 }, isPruned: true },
    { header: { height: 10 }, transactions: 1 },
  ]);
  expect((await call(`/events?after=${chainId.slice(0, 16)}-3`)).json.code).toBe('ledger/pruned');
  expect((await call('/status')).json.storage).toMatchObject({ prunedBelow: 10 });
  const id = toHex(aged.ids[3] ?? new Uint8Array(0));
  expect((await call(`/transactions/${id}`)).json.code).toBe('ledger/pruned');
});

test('LED-34: a crash before any step of pruning leaves a folder that starts and verifies, with its index or without', async () => {
  const steps: string[] = [];
  const prune = (folder: string, beforeStep: (step: string) => void): Promise<unknown> =>
    withLedger(folder, (_, { chain }) =>
      pruneBodies(chain, { genesis: consortium.genesis, below: 15, beforeStep }),
    );
  const whole = copy();
  await prune(whole, (step) => steps.push(step));
  // Two files of the snapshot, and two segments at least: each is written, then renamed.
  expect(steps.length).toBeGreaterThanOrEqual(8);
  for (let crash = 0; crash < steps.length; crash += 1) {
    const folder = copy();
    let step = 0;
    const dying = prune(folder, () => {
      if (step === crash) throw new Error('the power fails');
      step += 1;
    });
    await expect(dying).rejects.toThrow('the power fails');
    writeFileSync(join(blockFiles(folder), `${'1'.padStart(16, '0')}.segment.new`), 'half a record');
    if (crash % 2 === 0) dropIndex(folder);
    const prunedBelow = await withLedger(folder, (_, { chain }) => {
      expect(chain.height).toBe(BLOCKS);
      return chain.store.prunedBelow;
    });
    expect(readdirSync(blockFiles(folder)).filter((name) => name.endsWith('.new'))).toEqual([]);
    expect(await verify(folder), steps[crash]).toMatchObject({ ok: true, withoutBodies: prunedBelow - 1 });
    if (crash % 3 > 0) continue;
    await prune(folder, () => undefined);
    expect(await verify(folder)).toMatchObject({ ok: true, withoutBodies: 14 });
  }
}, 30_000);

test('LED-34, LED-01: a changed byte in a pruned record is named with its height, in a snapshot with its file', async () => {
  const folder = copy();
  await pruneNodeFolder(folder, { genesis: consortium.genesis, below: 15 });
  const [name = ''] = readdirSync(blockFiles(folder)).filter((one) => one.endsWith('.segment'));
  const path = join(blockFiles(folder), name);
  const good = readFileSync(path);
  const starts: number[] = [];
  for (let at = 0; at < good.length; at += 44 + good.readUInt32BE(at)) starts.push(at);
  for (let at = 50; at < good.length; at += 331) {
    const bad = Buffer.from(good);
    bad[at] = (bad[at] ?? 0) ^ 8;
    writeFileSync(path, bad);
    const height = starts.findLastIndex((begin) => begin <= at) + 1;
    expect(await verify(folder), `byte ${at}`).toMatchObject({
      ok: false,
      height,
      field: 'record',
      file: path,
    });
  }
  writeFileSync(path, good);
  const snapshot = join(blockFiles(folder), `${String(BLOCKS).padStart(16, '0')}.snapshot`);
  const state = readFileSync(snapshot);
  state[state.length >> 1] = (state[state.length >> 1] ?? 0) ^ 1;
  writeFileSync(snapshot, state);
  expect(await verify(folder)).toMatchObject({ ok: false, field: 'snapshot', file: snapshot });
  dropIndex(folder);
  await expect(withLedger(folder, () => undefined)).rejects.toMatchObject({ code: 'store/snapshot-missing' });
});

test('LED-34, LED-20: a well-formed pruned record of another certificate, or behind a whole block, is named by its height', async () => {
  const folder = copy();
  await pruneNodeFolder(folder, { genesis: consortium.genesis, below: 15 });
  const from = SegmentStore.open({ folder: blockFiles(folder), acknowledgedHeight: 0, isReadOnly: true });
  const records = Array.from({ length: BLOCKS }, (_, at) => from.read(at + 1) ?? new Uint8Array(0));
  await from.close();
  const written = async (contents: readonly Uint8Array[]): Promise<string> => {
    const other = copy(false);
    rmSync(blockFiles(other), { recursive: true });
    const segments = SegmentStore.open({ folder: blockFiles(other), acknowledgedHeight: 0 });
    for (const [index, bytes] of contents.entries()) await segments.append(index + 1, bytes);
    await segments.close();
    for (const name of readdirSync(blockFiles(folder)))
      if (!name.endsWith('.segment')) cpSync(join(blockFiles(folder), name), join(blockFiles(other), name));
    return other;
  };
  const swapped = await written(records.toSpliced(6, 2, records[7] as Uint8Array, records[6] as Uint8Array));
  expect(await verify(swapped)).toMatchObject({ ok: false, height: 7 });
  const forged = Buffer.from(records[6] as Uint8Array);
  // The last byte is of the certificate's signature.
  forged[forged.length - 1] = (forged[forged.length - 1] ?? 0) ^ 1;
  expect(await verify(await written(records.toSpliced(6, 1, forged)))).toMatchObject({
    ok: false,
    height: 7,
  });
  const whole = SegmentStore.open({ folder: blockFiles(original), acknowledgedHeight: 0, isReadOnly: true });
  const fifth = whole.read(5) as Uint8Array;
  await whole.close();
  expect(await verify(await written(records.toSpliced(4, 1, fifth)))).toMatchObject({
    ok: false,
    height: 6,
    field: 'body',
  });
});

test('LED-34, NET-17: a node that lacks pruned blocks is told so by its peers and takes them from one that keeps them', async () => {
  const four = await TestConsortium.found({ time: Date.now() - HOUR_MS });
  try {
    await fillAgedLedger(four, { blocks: 20, blockMs: BLOCK_MS });
    for (const place of [1, 2]) cpSync(four.member(0).folder, four.member(place).folder, { recursive: true });
    for (const place of [0, 1])
      await pruneNodeFolder(four.member(place).folder, { genesis: four.genesis, below: 6 });
    const path = join(four.member(3).folder, '..', 'fresh.log');
    await four.start(0);
    await four.start(1);
    const fresh = await four.start(3, { log: { path, level: 'warn' } });
    const told = 'a peer no longer keeps the blocks that this node lacks: the next one is asked';
    await until(() => existsSync(path) && readFileSync(path, 'utf8').includes(told));
    expect(fresh.status().height).toBe(0);
    await four.start(2);
    await until(() => fresh.status().height >= 20);
    expect(await fresh.verifyStore()).toMatchObject({ ok: true, withoutBodies: 0 });
  } finally {
    await four.close();
  }
}, 30_000);
