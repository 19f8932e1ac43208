import { toHex, utf8 } from '@careledger/primitives';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EMPTY_STATE_ROOT, isEmptySide, loadNode } from './nodes.ts';
import { staleNodes } from './stale.ts';
import { updateStateTree } from './update.ts';

const stored = new Map<string, Uint8Array>();
const node = (hash: Uint8Array): Uint8Array | undefined => stored.get(toHex(hash));

/** Every node of a tree. */
function nodesOf(hash: Uint8Array): ReadonlySet<string> {
  if (isEmptySide(hash)) return new Set();
  const content = loadNode(node, hash);
  if ('leaf' in content) return new Set([toHex(hash)]);
  return new Set([toHex(hash), ...nodesOf(content.inner.left), ...nodesOf(content.inner.right)]);
}

function grow(root: Uint8Array, batch: ReadonlyMap<number, number | undefined>): Uint8Array {
  const changes = [...batch].map(([key, value]) => ({
    key: utf8(`key ${key}`),
    value: value === undefined ? undefined : utf8(`value ${value}`),
  }));
  const updated = updateStateTree({ root, node, changes });
  for (const { hash, bytes } of updated.nodes) stored.set(toHex(hash), bytes);
  return updated.root;
}

const batches = fc.array(
  fc
    .array(fc.tuple(fc.nat(30), fc.option(fc.nat(3), { nil: undefined })), { maxLength: 12 })
    .map((entries) => new Map(entries)),
  { maxLength: 12 },
);

test('what goes with a state is exactly what the next one lacks, whatever was written, removed and written again', () => {
  fc.assert(
    fc.property(batches, (history) => {
      let before = EMPTY_STATE_ROOT;
      for (const batch of history) {
        const after = grow(before, batch);
        const stale = [...staleNodes({ before, after, node })].map(toHex);
        const kept = nodesOf(after);
        const expected = [...nodesOf(before)].filter((name) => !kept.has(name));
        expect(stale.sort()).toEqual(expected.sort());
        before = after;
      }
    }),
    { numRuns: 150 },
  );
});
