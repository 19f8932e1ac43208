import { utf8 } from '@careledger/primitives';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Mempool, type PendingTransaction } from './mempool.ts';

function transaction(id: string, size = 10, expiresAt = 1_000): PendingTransaction {
  return { id, bytes: new Uint8Array(size), expiresAt };
}

function ids(transactions: readonly PendingTransaction[]): readonly string[] {
  return transactions.map(({ id }) => id);
}

test('LED-10: transactions are reaped in the order of their arrival, and stay until a block holds them', () => {
  const mempool = new Mempool();
  for (const id of ['c', 'a', 'b']) expect(mempool.add(transaction(id), 0)).toBeUndefined();
  expect(ids(mempool.reap(1_000))).toEqual(['c', 'a', 'b']);
  expect(ids(mempool.reap(1_000))).toEqual(['c', 'a', 'b']);
  mempool.remove(['a', 'unknown']);
  expect(ids(mempool.reap(1_000))).toEqual(['c', 'b']);
  expect(mempool.has('a')).toBe(false);
  expect(mempool.bytes).toBe(20);
});

test('a transaction that is here already is refused as known', () => {
  const mempool = new Mempool();
  mempool.add(transaction('a'), 0);
  expect(mempool.add(transaction('a'), 0)).toBe('mempool/known');
  expect(mempool.count).toBe(1);
});

test('a full mempool refuses the newcomer and keeps what it took', () => {
  const byCount = new Mempool({ countMax: 2 });
  byCount.add(transaction('a'), 0);
  byCount.add(transaction('b'), 0);
  expect(byCount.add(transaction('c'), 0)).toBe('mempool/full');
  const byBytes = new Mempool({ bytesMax: 25 });
  byBytes.add(transaction('a'), 0);
  byBytes.add(transaction('b'), 0);
  expect(byBytes.add(transaction('c'), 0)).toBe('mempool/full');
  expect(ids(byBytes.reap(1_000))).toEqual(['a', 'b']);
  byBytes.remove(['a']);
  expect(byBytes.add(transaction('c'), 0)).toBeUndefined();
});

test('a transaction that is too large or expired is refused', () => {
  const mempool = new Mempool({ transactionBytesMax: 9 });
  expect(mempool.add(transaction('a', 10), 0)).toBe('mempool/transaction-too-large');
  expect(mempool.add(transaction('b', 9, 99), 100)).toBe('mempool/expired');
  expect(mempool.add(transaction('b', 9, 100), 100)).toBeUndefined();
});

test('what expires is dropped and handed back, so that whoever waits is told', () => {
  const mempool = new Mempool();
  mempool.add(transaction('a', 10, 100), 0);
  mempool.add(transaction('b', 10, 200), 0);
  expect(mempool.expire(100)).toEqual([]);
  expect(ids(mempool.expire(101))).toEqual(['a']);
  expect(mempool.count).toBe(1);
  expect(mempool.bytes).toBe(10);
});

test('LED-11: a batch holds the oldest transactions that fit into its bytes, and never reorders to fit more', () => {
  const mempool = new Mempool();
  mempool.add(transaction('a', 60), 0);
  mempool.add(transaction('b', 50), 0);
  mempool.add(transaction('c', 10), 0);
  expect(ids(mempool.reap(100))).toEqual(['a']);
  expect(ids(mempool.reap(110))).toEqual(['a', 'b']);
  expect(ids(mempool.reap(59))).toEqual([]);
});

test('any history keeps the limits, the order and the count of bytes', () => {
  const action = fc.oneof(
    fc.record({ add: fc.nat(30), size: fc.nat(50), expiresAt: fc.nat(100) }),
    fc.record({ remove: fc.nat(30) }),
    fc.record({ expire: fc.nat(100) }),
  );
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
      const mempool = new Mempool({ countMax: 10, bytesMax: 200 });
      const order: string[] = [];
      for (const step of actions) {
        if ('add' in step) {
          const added = {
            ...transaction(`${step.add}`, step.size, step.expiresAt),
            bytes: utf8('x'.repeat(step.size)),
          };
          if (mempool.add(added, 0) === undefined) order.push(added.id);
        } else if ('remove' in step) mempool.remove([`${step.remove}`]);
        else mempool.expire(step.expire);
        const all = mempool.reap(Number.MAX_SAFE_INTEGER);
        expect(mempool.count).toBe(all.length);
        expect(mempool.count).toBeLessThanOrEqual(10);
        expect(mempool.bytes).toBe(all.reduce((sum, { bytes }) => sum + bytes.length, 0));
        expect(mempool.bytes).toBeLessThanOrEqual(200);
        const places = all.map(({ id }) => order.lastIndexOf(id));
        expect(places).toEqual([...places].sort((left, right) => left - right));
      }
    }),
    { numRuns: 200 },
  );
});
