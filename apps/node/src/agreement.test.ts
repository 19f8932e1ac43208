import { toHex } from '@careledger/primitives';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { LedgerNode } from './ledger-node.ts';
import { agreement, TestConsortium, until } from './testing/test-consortium.ts';

let consortium: TestConsortium;
let nodes: readonly LedgerNode[];

beforeAll(async () => {
  consortium = await TestConsortium.found();
  nodes = await consortium.startAll();
  await until(() => nodes.every((node) => node.status().peers.every(({ connected }) => connected)));
});
afterAll(() => consortium.close());

function nodeAt(place: number): LedgerNode {
  const node = nodes[place];
  if (!node) throw new RangeError('no such node');
  return node;
}

test('LED-03, NET-01, NET-02: transactions submitted at every node end in one chain, with one hash and one state root on all', async () => {
  const began = Date.now();
  const submitted = Array.from({ length: 40 }, (_, number) => {
    const place = number % nodes.length;
    return nodeAt(place).submit(consortium.anchor((number * 3) % 4).bytes);
  });
  const final = await Promise.all(submitted);
  expect(final.every(({ result }) => result.code === 0)).toBe(true);
  const stands = await agreement(nodes);
  console.log('agreed on', stands, Date.now() - began, 'ms');
  for (const { id, height, index } of final) {
    for (const node of nodes) {
      const found = node.find(id);
      expect(found && [found.height, found.index]).toEqual([height, index]);
    }
  }
  expect(toHex(nodeAt(0).head().headerHash)).toHaveLength(64);
});
