import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  acquireLockFirst,
  acquireLocks,
  emptyLockTable,
  type LockTable,
  releaseLocks,
} from './consent-lock.ts';

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

test('OFF-09: a revocation waits for the release under way, not for those queued up behind it', () => {
  let table = emptyLockTable;
  const granted: string[] = [];
  const apply = (step: { readonly next: LockTable; readonly granted: readonly string[] }): void => {
    table = step.next;
    granted.push(...step.granted);
  };
  apply(acquireLocks(table, 'release 1', ['a', 'b']));
  apply(acquireLocks(table, 'release 2', ['b', 'c']));
  for (let number = 3; number < 50; number += 1) apply(acquireLocks(table, `release ${number}`, ['a', 'c']));
  apply(acquireLockFirst(table, 'revocation of c', 'c'));
  expect(granted).toEqual(['release 1', 'revocation of c']);
  apply(acquireLockFirst(table, 'revocation of a', 'a'));
  apply(releaseLocks(table, 'release 1'));
  expect(granted).toEqual(['release 1', 'revocation of c', 'revocation of a']);
  for (let turn = 1; turn < granted.length; turn += 1) apply(releaseLocks(table, granted[turn] ?? ''));
  expect(granted).toHaveLength(51);
  expect(table.queues.size + table.wanted.size).toBe(0);
});
