import { expect, test } from 'vitest';
import { SignerShares } from './signer-shares.ts';

test('SEC-15: what waits is counted by signer, once for each transaction', () => {
  const shares = new SignerShares();
  shares.add('1', 'a');
  shares.add('2', 'a');
  shares.add('3', 'b');
  shares.remove('1');
  shares.remove('1');
  shares.remove('unknown');
  expect([shares.countOf('a'), shares.countOf('b'), shares.countOf('c')]).toEqual([1, 1, 0]);
});

test('SEC-15: the last quarter of a mempool is for signers who hold less than an eighth of it', () => {
  const shares = new SignerShares();
  for (let number = 0; number < 14; number += 1) shares.add(String(number), 'a');
  expect(shares.isOverShare('a', 0.7, 100)).toBe(false);
  expect(shares.isOverShare('a', 0.8, 100)).toBe(true);
  expect(shares.isOverShare('b', 0.99, 100)).toBe(false);
});
