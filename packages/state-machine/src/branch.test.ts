import { compareBytes, toHex } from '@careledger/primitives';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Branch } from './branch.ts';
import { MemoryStore } from './memory-store.ts';

const key = fc
  .array(fc.constantFrom(0, 1, 47, 128, 255), { maxLength: 3 })
  .map((bytes) => Uint8Array.from(bytes));
const write = fc.record({
  key,
  value: fc.option(fc.uint8Array({ minLength: 1, maxLength: 2 }), { nil: undefined }),
});
const writes = fc.array(write, { maxLength: 12 });

test('a branch reads, scans and lists as if its changes had been made in the store, and leaves the store alone', () => {
  fc.assert(
    fc.property(writes, writes, writes, key, fc.nat(8), (first, second, third, prefix, countMax) => {
      const store = new MemoryStore();
      store.write(first);
      const model = new Map<string, readonly [Uint8Array, Uint8Array]>();
      for (const change of [...first, ...second, ...third]) {
        if (change.value) model.set(toHex(change.key), [change.key, change.value]);
        else model.delete(toHex(change.key));
      }
      const before = [...store.scan(new Uint8Array(0), 100)];
      const lower = new Branch(store);
      lower.write(second);
      const upper = new Branch(lower);
      upper.write(third);
      const expected = [...model.values()]
        .filter(([name]) => compareBytes(name.subarray(0, prefix.length), prefix) === 0)
        .sort(([left], [right]) => compareBytes(left, right))
        .slice(0, countMax);
      expect([...upper.scan(prefix, countMax)]).toEqual(expected);
      expect(upper.get(prefix)).toEqual(model.get(toHex(prefix))?.[1]);
      expect([...store.scan(new Uint8Array(0), 100)]).toEqual(before);
    }),
    { numRuns: 200 },
  );
});
