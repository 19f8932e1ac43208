import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { organizationKey } from '@careledger/capabilities';
import type { TransactionId } from '@careledger/primitives';
import { afterEach, expect, test } from 'vitest';
import { createNode } from './create-node.ts';
import type { LedgerNode } from './ledger-node.ts';
import { agreement, standing, TestConsortium, until } from './testing/test-consortium.ts';

/** How many blocks a stopped node misses. */
const MISSED_BLOCKS = Number(process.env.CARELEDGER_MISSED_BLOCKS ?? 25);

let consortium: TestConsortium;
afterEach(() => consortium.close());

async function submitSome(nodes: readonly LedgerNode[], count: number): Promise<readonly TransactionId[]> {
  const final = await Promise.all(
    Array.from({ length: count }, (_, number) => {
      const node = nodes[number % nodes.length];
      if (!node) throw new RangeError('no node');
      return node.submit(consortium.anchor(number % consortium.members.length).bytes);
    }),
  );
  return final.map(({ id }) => id);
}

/** One block after the other. */
async function sealBlocks(node: LedgerNode, count: number): Promise<readonly TransactionId[]> {
  const ids: TransactionId[] = [];
  for (let number = 0; number < count; number += 1)
    ids.push((await node.submit(consortium.anchor(0).bytes)).id);
  return ids;
}

function tailOf(folder: string): string {
  const place = join(folder, 'segments');
  return join(place, readdirSync(place).sort().at(-1) ?? '');
}

/** One member alone is the smallest network. */
async function single(): Promise<LedgerNode> {
  consortium = await TestConsortium.found({ members: 1, engine: { id: 'authority', version: 1 } });
  return consortium.start(0);
}

test('CON-10: one signer is the smallest network', async () => {
  const node = await single();
  const [id] = await sealBlocks(node, 1);
  expect(id && node.find(id)?.height).toBe(1);
});

test('LED-05: with the index deleted the node replays its blocks to the same height, hash and state root', async () => {
  const node = await single();
  const ids = await sealBlocks(node, 20);
  const before = standing(node);
  await node.stop();
  rmSync(join(consortium.member(0).folder, 'state'), { recursive: true });
  await node.start();
  expect(standing(node)).toBe(before);
  for (const id of ids) expect(node.find(id)?.result.code).toBe(0);
  const [again] = await sealBlocks(node, 1);
  expect(again && node.find(again)).toBeDefined();
});

test('LED-05: an index of garbage, cut off, empty, or left half open by a crash is rebuilt from the blocks', async () => {
  const node = await single();
  await sealBlocks(node, 5);
  const before = standing(node);
  const { folder } = consortium.member(0);
  const file = join(folder, 'state', 'data.mdb');
  const faults = [
    () => writeFileSync(file, Buffer.alloc(64 * 1024, 0x5a)),
    () => truncateSync(file, readFileSync(file).length - 4096),
    () => truncateSync(file, 100),
    () => writeFileSync(file, ''),
    () => writeFileSync(join(folder, 'opening-index'), ''),
  ];
  for (const fault of faults) {
    await node.stop();
    fault();
    await node.start();
    expect(standing(node)).toBe(before);
    expect(existsSync(join(folder, 'opening-index'))).toBe(false);
  }
});

test('LED-05: a flipped byte in a state value or tree node of the index is never served, and gone after a restart', async () => {
  const node = await single();
  await sealBlocks(node, 2);
  const { folder, organization } = consortium.member(0);
  const key = organizationKey(organization);
  const value = node.get(key);
  if (!value) throw new Error('a member has a record');
  const before = standing(node);
  await node.stop();
  const file = join(folder, 'state', 'data.mdb');
  const pages = readFileSync(file);
  let flips = 0;
  for (let at = pages.indexOf(value); at >= 0; at = pages.indexOf(value, at + 1)) {
    pages[at + 9] = (pages[at + 9] ?? 0) ^ 1;
    flips += 1;
  }
  expect(flips).toBeGreaterThan(0);
  writeFileSync(file, pages);
  // Either the start meets it and rebuilds, or the first read does and the node stops.
  await node.start();
  try {
    expect(node.get(key)).toEqual(value);
  } catch (fault) {
    expect(fault).toMatchObject({ code: 'store/index-fault' });
    await until(() => node.status().halted !== undefined);
  }
  await node.stop();
  await node.start();
  expect(node.get(key)).toEqual(value);
  expect(standing(node)).toBe(before);
});

test('a restart keeps everything, remembers replays and goes on', async () => {
  consortium = await TestConsortium.found({ members: 1, engine: { id: 'authority', version: 1 } });
  const path = join(consortium.member(0).folder, '..', 'logs', 'node.log');
  const node = await consortium.start(0, { log: { path, level: 'info' } });
  const transaction = consortium.anchor(0);
  const final = await node.submit(transaction.bytes);
  await node.stop();
  const lines = readFileSync(path, 'utf8').trim().split('\n');
  expect(lines.map((line) => JSON.parse(line).msg)).toContain('the node serves');
  await node.start();
  expect(node.find(final.id)?.height).toBe(final.height);
  await expect(node.submit(transaction.bytes)).rejects.toMatchObject({ code: 'transaction/replayed' });
  const [next] = await sealBlocks(node, 1);
  expect(next && node.find(next)?.height).toBe(final.height + 1);
});

test('LED-01: a flipped byte in a stored block is named with its height, not served, and found by verifyStore', async () => {
  const node = await single();
  await sealBlocks(node, 6);
  const path = tailOf(consortium.member(0).folder);
  const original = readFileSync(path);
  const lengths: number[] = [];
  for (let at = 0; at < original.length; at += 44 + original.readUInt32BE(at)) lengths.push(at);
  for (let at = 7; at < original.length; at += 97) {
    const height = lengths.findLastIndex((start) => start <= at) + 1;
    const damaged = Buffer.from(original);
    damaged[at] = (damaged[at] ?? 0) ^ 0x10;
    writeFileSync(path, damaged);
    expect(() => node.block(height), `byte ${at}`).toThrow(`the block record at height ${height} in ${path}`);
    expect(await node.verifyStore()).toMatchObject({ ok: false, height, field: 'record', file: path });
  }
  writeFileSync(path, original);
  expect(await node.verifyStore()).toEqual({ ok: true, height: 6, withoutBodies: 0 });
});

test('LED-01, LED-20: a record that was replaced by another well-formed one is named by its field', async () => {
  const node = await single();
  await sealBlocks(node, 3);
  await node.stop();
  const other = await TestConsortium.found({ members: 1, engine: { id: 'authority', version: 1 } });
  const foreign = await other.start(0);
  for (let count = 0; count < 3; count += 1) await foreign.submit(other.anchor(0).bytes);
  await foreign.stop();
  const stolen = readFileSync(tailOf(other.member(0).folder));
  await other.close();
  await node.start();
  writeFileSync(tailOf(consortium.member(0).folder), stolen);
  expect(await node.verifyStore()).toMatchObject({ ok: false, height: 1 });
});

test('a last block torn before it was acknowledged is cut off; an acknowledged one stops the start', async () => {
  const node = await single();
  await sealBlocks(node, 3);
  await node.stop();
  const { folder } = consortium.member(0);
  const path = tailOf(folder);
  const original = readFileSync(path);
  truncateSync(path, original.length - 5);
  await expect(node.start()).rejects.toMatchObject({ code: 'store/damaged' });
  expect(readFileSync(path).length).toBe(original.length - 5);
  // Without the index nobody acknowledged it as far as this folder knows.
  rmSync(join(folder, 'state'), { recursive: true });
  await node.start();
  expect(node.status().height).toBe(2);
});

test('a data folder of another chain, of another version or in use is refused with a clear error', async () => {
  const node = await single();
  const second = createNode(consortium.optionsOf(0));
  await expect(second.start()).rejects.toMatchObject({ code: 'store/in-use' });
  await node.stop();
  const other = await TestConsortium.found({ members: 1 });
  const foreign = createNode({ ...consortium.optionsOf(0), genesis: other.genesis });
  await expect(foreign.start()).rejects.toMatchObject({ code: 'store/other-chain' });
  await other.close();
  const format = join(consortium.member(0).folder, 'format');
  writeFileSync(format, readFileSync(format, 'utf8').replace(' 1 ', ' 99 '));
  await expect(node.start()).rejects.toMatchObject({ code: 'store/other-version' });
});

test('a port in use is refused with its number', async () => {
  const node = await single();
  const { api } = await node.start();
  const other = await TestConsortium.found({ members: 1 });
  const second = createNode(other.optionsOf(0, { listen: { apiPort: api.port, peerPort: 0 } }));
  await expect(second.start()).rejects.toMatchObject({
    code: 'node/port-in-use',
    message: `the API port ${api.port} is in use`,
  });
  await other.close();
});

test(`NET-17: a node that missed ${MISSED_BLOCKS} blocks catches up block by block and agrees`, async () => {
  consortium = await TestConsortium.found();
  const nodes = await consortium.startAll();
  const [first, , , last] = nodes;
  if (!first || !last) throw new RangeError('four nodes');
  await sealBlocks(first, 1);
  await consortium.stop(last);
  const missed = await sealBlocks(first, MISSED_BLOCKS);
  const began = Date.now();
  await consortium.restart(last, 3);
  await until(() => missed.every((id) => last.find(id) !== undefined), 20_000 + MISSED_BLOCKS * 50);
  console.log(`NET-17: caught up ${MISSED_BLOCKS} blocks in ${Date.now() - began} ms, start included`);
  await agreement(nodes);
  expect(await last.verifyStore()).toMatchObject({ ok: true });
}, 120_000);

test('NET-15: each node in turn is stopped under load; the others go on and nothing final is lost', async () => {
  consortium = await TestConsortium.found();
  const nodes = await consortium.startAll();
  const ids: TransactionId[] = [];
  for (const [place, stopped] of nodes.entries()) {
    const others = nodes.filter((node) => node !== stopped);
    const load = submitSome(others, 12);
    await consortium.stop(stopped);
    ids.push(...(await load), ...(await submitSome(others, 6)));
    await consortium.restart(stopped, place);
  }
  await until(() => nodes.every((node) => ids.every((id) => node.find(id) !== undefined)), 20_000);
  await agreement(nodes);
  expect(new Set(ids.map((id) => nodes[0]?.find(id)?.result.code))).toEqual(new Set([0]));
}, 60_000);

/** A node in a process of its own, for SIGKILL. */
function startProcess(
  place: number,
  peers: readonly object[],
): Promise<{ child: ChildProcess; peer: object }> {
  const options = consortium.optionsOf(place);
  const seed = Buffer.from(consortium.member(place).validatorSeed).toString('hex');
  const configuration = {
    ...options,
    signer: undefined,
    seed,
    genesis: Buffer.from(options.genesis).toString('hex'),
    peers,
  };
  const script = new URL('./testing/node-process.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [script], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(JSON.stringify(configuration));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    createInterface({ input: child.stdout }).once('line', (line) =>
      resolve({ child, peer: JSON.parse(line) }),
    );
  });
}

test('NET-15, NET-17: a node killed by SIGKILL under load loses nothing acknowledged, catches up and agrees', async () => {
  consortium = await TestConsortium.found();
  const three = [await consortium.start(0), await consortium.start(1), await consortium.start(2)];
  const known = await consortium.addresses();
  const { child, peer } = await startProcess(3, known);
  for (const node of three)
    node.addPeers([{ node: consortium.member(3).node, ...(peer as { host: string; port: number }) }]);
  await until(() => three.every((node) => node.status().peers.every(({ connected }) => connected)));
  const load = submitSome(three, 60);
  await until(() => (three[0]?.status().height ?? 0) > 0);
  child.kill('SIGKILL');
  const ids = await load;
  await submitSome(three, 9);
  const again = await consortium.start(3);
  await until(() => ids.every((id) => again.find(id) !== undefined), 20_000);
  await agreement([...three, again]);
  expect(await again.verifyStore()).toMatchObject({ ok: true });
}, 60_000);
