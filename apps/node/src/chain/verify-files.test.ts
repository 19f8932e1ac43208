import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Block,
  commitBytes,
  encodeBlock,
  headerHash,
  resultsRoot,
  transactionsRoot,
} from '@careledger/ledger';
import type { PublicKey } from '@careledger/primitives';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SegmentStore } from '../store/segments.ts';
import { TestConsortium } from '../testing/test-consortium.ts';
import { verifyBlockFiles } from './verify-files.ts';

let consortium: TestConsortium;
let blocks: readonly Block[];
let place: string;

beforeAll(async () => {
  place = mkdtempSync(join(tmpdir(), 'careledger-copy-'));
  consortium = await TestConsortium.found({ members: 1, engine: { id: 'authority', version: 1 } });
  const node = await consortium.start(0);
  for (let round = 0; round < 4; round += 1) {
    await Promise.all([0, 1, 2].map(() => node.submit(consortium.anchor(0).bytes)));
  }
  const { height } = node.status();
  blocks = Array.from({ length: height }, (_, index) => node.block(index + 1)).filter(
    (block) => block !== undefined,
  );
  await node.stop();
});
afterAll(async () => {
  await consortium.close();
  rmSync(place, { recursive: true, force: true });
});

/** A folder of well-formed records that hold these blocks. */
async function filesOf(name: string, contents: readonly Block[]): Promise<string> {
  const folder = join(place, name);
  const segments = SegmentStore.open({ folder, acknowledgedHeight: 0 });
  for (const [index, block] of contents.entries()) await segments.append(index + 1, encodeBlock(block));
  await segments.close();
  return folder;
}

/** The blocks with the second changed. */
function withSecond(change: (block: Block) => Block): readonly Block[] {
  return blocks.map((block, index) => (index === 1 ? change(block) : block));
}

function signedAnew(block: Block): Block {
  const certificate = { ...block.certificate, headerHash: headerHash(block.header) };
  const { validator } = consortium.member(0);
  const message = commitBytes({ ...certificate, chain: consortium.chain });
  const signatures = [{ publicKey: validator.publicKey as PublicKey, signature: validator.sign(message) }];
  return { ...block, certificate: { ...certificate, signatures } };
}

test('LED-05: an honest copy holds, executed again from genesis, and nothing is written into it', async () => {
  const folder = await filesOf('honest', blocks);
  const [name = ''] = readdirSync(folder);
  const before = readFileSync(join(folder, name));
  expect(await verifyBlockFiles({ folder, genesis: consortium.genesis })).toEqual({
    ok: true,
    height: blocks.length,
    withoutBodies: 0,
    withoutExecution: 0,
  });
  expect(readFileSync(join(folder, name))).toEqual(before);
});

test('LED-20: a deleted block, swapped blocks, a dropped, doubled or reordered transaction and a wrong state root are each named', async () => {
  const [first, second, ...rest] = blocks as readonly [Block, Block, ...Block[]];
  const swapped = [first, ...rest.slice(0, 1), second, ...rest.slice(1)];
  const cases: [string, readonly Block[], string][] = [
    ['deleted', [first, ...rest], 'gap'],
    ['swapped', swapped, 'gap'],
    ['repeated', [first, first, second], 'order'],
    [
      'dropped',
      withSecond((block) => ({ ...block, transactions: block.transactions.slice(1) })),
      'transaction-count',
    ],
    [
      'dropped-with-result',
      withSecond((block) => ({
        ...block,
        transactions: block.transactions.slice(1),
        results: block.results.slice(1),
      })),
      'transactions-root',
    ],
    [
      'reordered',
      withSecond((block) => ({ ...block, transactions: block.transactions.toReversed() })),
      'transactions-root',
    ],
    [
      'unsigned',
      withSecond((block) => ({ ...block, certificate: { ...block.certificate, signatures: [] } })),
      'certificate',
    ],
    [
      'rewritten',
      withSecond((block) => {
        const transactions = block.transactions.slice(1);
        const results = block.results.slice(1);
        const roots = { transactionsRoot: transactionsRoot(transactions), resultsRoot: resultsRoot(results) };
        return signedAnew({ ...block, transactions, results, header: { ...block.header, ...roots } });
      }),
      'stateRoot',
    ],
  ];
  for (const [name, contents, field] of cases) {
    const folder = await filesOf(name, contents);
    const verdict = await verifyBlockFiles({ folder, genesis: consortium.genesis });
    expect(verdict, name).toMatchObject({ ok: false, height: 2, field });
  }
});

test('LED-01: a flipped byte and a cut-off end of a copy are named with height and file, and left as they are', async () => {
  const folder = await filesOf('flipped', blocks);
  const path = join(folder, readdirSync(folder)[0] ?? '');
  const original = readFileSync(path);
  for (let at = 3; at < original.length; at += 211) {
    const damaged = Buffer.from(original);
    damaged[at] = (damaged[at] ?? 0) ^ 4;
    writeFileSync(path, damaged);
    const verdict = await verifyBlockFiles({ folder, genesis: consortium.genesis });
    expect(verdict, `byte ${at}`).toMatchObject({ ok: false, field: 'record', file: path });
    expect(readFileSync(path)).toEqual(damaged);
  }
  writeFileSync(path, original.subarray(0, original.length - 1));
  const cut = await verifyBlockFiles({ folder, genesis: consortium.genesis });
  expect(cut).toMatchObject({ ok: false, height: blocks.length, field: 'record' });
});

test('another genesis document is not believed, and a missing folder is named', async () => {
  const other = await TestConsortium.found({ members: 1, engine: { id: 'authority', version: 1 } });
  const folder = await filesOf('foreign', blocks);
  expect(await verifyBlockFiles({ folder, genesis: other.genesis })).toMatchObject({ ok: false, height: 1 });
  await other.close();
  await expect(
    verifyBlockFiles({ folder: join(place, 'absent'), genesis: consortium.genesis }),
  ).rejects.toMatchObject({
    code: 'store/not-found',
  });
});
