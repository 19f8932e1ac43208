import { randomBytes } from 'node:crypto';
import { catalog } from '@careledger/capabilities';
import { type SignatureClaim, verifySignature } from '@careledger/primitives';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { signerOfSeed } from '../keys.ts';
import { TestConsortium } from '../testing/test-consortium.ts';
import { SignaturePool } from './signature-pool.ts';
import { TransactionVerifier } from './transaction-verifier.ts';
import { verifyWithSodium } from './verify-batch.ts';

let pool: SignaturePool;
let consortium: TestConsortium;
beforeAll(async () => {
  pool = new SignaturePool();
  consortium = await TestConsortium.found({ members: 1 });
});
afterAll(async () => {
  await pool.close();
  await consortium.close();
});

function claim(length: number, isWrong: boolean): SignatureClaim {
  const signer = signerOfSeed(randomBytes(32));
  const message = new Uint8Array(randomBytes(length));
  const signature = signer.sign(message).slice();
  if (isWrong) signature[3] = (signature[3] ?? 0) ^ 1;
  return { publicKey: signer.publicKey, message, signature };
}

test('the workers give the verdict of each of many signatures in order, the wrong ones among them', async () => {
  const wrong = Array.from({ length: 200 }, (_, index) => index % 7 === 3);
  const verdicts = await pool.verify(wrong.map((isWrong, index) => claim(index, isWrong)));
  expect(verdicts).toEqual(wrong.map((isWrong) => !isWrong));
});

test('libsodium and the ledger’s own rule agree on keys and signatures of small order, of wrong length and not canonical', () => {
  const identity = new Uint8Array(32);
  identity[0] = 1;
  const zero = new Uint8Array(64);
  zero[0] = 1;
  const good = claim(10, false);
  const order = Buffer.from('edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010', 'hex');
  const scalar = good.signature.slice();
  let carry = 0;
  for (let index = 0; index < 32; index += 1) {
    const sum = (scalar[32 + index] ?? 0) + (order[index] ?? 0) + carry;
    scalar[32 + index] = sum & 255;
    carry = sum >> 8;
  }
  const edges: SignatureClaim[] = [
    { publicKey: identity, message: new Uint8Array(0), signature: zero },
    { ...good, signature: scalar },
    { ...good, signature: good.signature.slice(1) },
    { ...good, publicKey: good.publicKey.slice(1) },
    good,
  ];
  expect(edges.map(verifyWithSodium)).toEqual([false, false, false, false, true]);
  expect(edges.map(verifySignature)).toEqual(edges.map(verifyWithSodium));
});

test('every signature is checked once: what the workers checked is executed from memory, under its whole bytes', async () => {
  const verifier = new TransactionVerifier({
    pool,
    catalog,
    chain: consortium.chain,
    parameters: { transactionBytesMax: 65_536, detectorVersion: 1 },
  });
  const transactions = Array.from({ length: 100 }, () => consortium.anchor(0).bytes);
  await verifier.prepare(transactions);
  for (const bytes of transactions) expect(verifier.verify(bytes).ok).toBe(true);
  await verifier.prepare(transactions);
  expect(verifier.verified).toBe(100);

  const [first] = transactions;
  const forged = first?.slice() ?? new Uint8Array(0);
  forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1;
  expect(verifier.verify(forged)).toMatchObject({ ok: false, reason: 'transaction/signature' });
  await verifier.prepare([forged]);
  expect(verifier.verify(forged)).toMatchObject({ ok: false, reason: 'transaction/signature' });
});
