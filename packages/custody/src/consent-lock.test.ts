import fc from 'fast-check';
import { expect, test } from 'vitest';
import { acquireLocks, emptyLockTable, type LockTable, releaseLocks } from './consent-lock.ts';

test('a lock has one holder, and everybody gets a turn in the order of asking', () => {
  const keysArbitrary = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(
      fc.array(keysArbitrary, { maxLength: 12 }),
      fc.infiniteStream(fc.boolean()),
      (asked, coin) => {
        let table: LockTable = emptyLockTable;
        const holding = new Map<string, readonly string[]>();
        let ended = 0;
        const grant = (holders: readonly string[]): void => {
          for (const holder of holders) {
            const keys = asked[Number(holder)] ?? [];
            for (const others of holding.values())
              expect(keys.some((key) => others.includes(key))).toBe(false);
            holding.set(holder, keys);
          }
        };
        const release = (): void => {
          const [holder] = holding.keys();
          if (holder === undefined) return;
          holding.delete(holder);
          ended += 1;
          const step = releaseLocks(table, holder);
          table = step.next;
          grant(step.granted);
        };
        for (const [index, keys] of asked.entries()) {
          const step = acquireLocks(table, String(index), keys);
          table = step.next;
          grant(step.granted);
          if (coin.next().value) release();
        }
        while (holding.size > 0) release();
        expect(ended).toBe(asked.length);
        expect(table.queues.size + table.wanted.size).toBe(0);
      },
    ),
    { numRuns: 300 },
  );
});
