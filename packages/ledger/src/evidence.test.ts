import { sha256, utf8 } from '@careledger/primitives';
import { describe, expect, test } from 'vitest';
import {
  proveTransaction,
  type StateEvidence,
  stateEvidenceCodec,
  type TransactionEvidence,
  transactionEvidenceCodec,
  verifyStateEvidence,
  verifyTransactionEvidence,
} from './evidence.ts';
import { proveState } from './state-tree/proof.ts';
import { makeTestChain, verifyRemembered } from './test-chain.ts';
import { TrustedChain } from './trust.ts';

const { genesis, chain, blocks, node } = makeTestChain({ length: 4 });
const blockAt = (height: number) => blocks[height - 1] as (typeof blocks)[number];

function trusted(): TrustedChain {
  const result = TrustedChain.fromGenesis({ genesis, expectedChain: chain });
  if (!result.ok) throw new TypeError(result.error.detail);
  return result.value;
}

function judge(evidence: TransactionEvidence) {
  return verifyTransactionEvidence({ evidence, trusted: trusted(), verifySignature: verifyRemembered });
}

function stateEvidence(height: number, key: Uint8Array, value: Uint8Array | undefined): StateEvidence {
  const { header, certificate } = blockAt(height);
  return { header, certificate, key, value, proof: proveState({ root: header.stateRoot, node, key }) };
}

function judgeState(evidence: StateEvidence, key = evidence.key) {
  return verifyStateEvidence({ evidence, key, trusted: trusted(), verifySignature: verifyRemembered });
}

describe('transaction evidence', () => {
  test('LED-22: a transaction and its result are proven by header and paths, without the block', () => {
    for (const index of [0, 1, 2]) {
      const evidence = transactionEvidenceCodec.decode(
        transactionEvidenceCodec.encode(proveTransaction(blockAt(2), index)),
      );
      const result = judge(evidence);
      expect(result).toMatchObject({ ok: true, value: { index, accepted: index !== 2 } });
      expect(result.ok && result.value.transaction.bytes).toEqual(blockAt(2).transactions[index]);
    }
  });

  test('LED-26: an original stays provable under its own header after later blocks', () => {
    const evidence = proveTransaction(blockAt(1), 0);
    const client = trusted();
    const { header, certificate } = blockAt(4);
    expect(client.verifyHeader({ header, certificate }, verifyRemembered).ok).toBe(true);
    const result = verifyTransactionEvidence({
      evidence,
      trusted: client,
      verifySignature: verifyRemembered,
    });
    expect(result.ok && result.value.accepted).toBe(true);
  });

  test('a refused transaction is proven as refused, and cannot be shown as accepted', () => {
    const evidence = proveTransaction(blockAt(2), 2);
    expect(judge(evidence)).toMatchObject({ ok: true, value: { accepted: false, result: { code: 2001 } } });
    const accepted = { ...evidence, result: { ...evidence.result, code: 0 } };
    expect(judge(accepted)).toMatchObject({ ok: false, error: { code: 'result proof' } });
    const borrowed = proveTransaction(blockAt(2), 0);
    const swapped = { ...evidence, result: borrowed.result, resultProof: borrowed.resultProof };
    expect(judge(swapped)).toMatchObject({ ok: false, error: { code: 'position' } });
  });

  test('evidence under the header of another block is refused', () => {
    const { header, certificate } = blockAt(3);
    const moved = { ...proveTransaction(blockAt(2), 0), header, certificate };
    expect(judge(moved)).toMatchObject({ ok: false, error: { code: 'transaction proof' } });
  });

  test('there is no evidence for a transaction that a block does not hold', () => {
    expect(() => proveTransaction(blockAt(2), 3)).toThrow(RangeError);
  });
});

describe('state evidence', () => {
  const key = utf8('test/2/1');

  test('CRY-01: a value is proven from genesis, certificate and path, with no trust in who answers', () => {
    const evidence = stateEvidenceCodec.decode(
      stateEvidenceCodec.encode(stateEvidence(3, key, utf8('value 2'))),
    );
    expect(judgeState(evidence)).toMatchObject({ ok: true, value: { value: utf8('value 2') } });
  });

  test('CRY-01: an absence is proven alike, and becomes a value only under a later header', () => {
    const absent = stateEvidence(1, key, undefined);
    expect(judgeState(stateEvidenceCodec.decode(stateEvidenceCodec.encode(absent))).ok).toBe(true);
    expect(judgeState(stateEvidence(2, key, undefined))).toMatchObject({
      ok: false,
      error: { code: 'state proof', detail: 'key is present' },
    });
  });

  test('an unproven "nothing there", another value, another key and another root are refused', () => {
    const evidence = stateEvidence(3, key, utf8('value 2'));
    const wrong: readonly StateEvidence[] = [
      { ...evidence, value: undefined },
      { ...evidence, value: utf8('value 3') },
      { ...evidence, value: undefined, proof: { siblings: [], leaf: undefined } },
      { ...evidence, proof: { ...evidence.proof, siblings: evidence.proof.siblings.slice(1) } },
      { ...evidence, header: blockAt(1).header, certificate: blockAt(1).certificate },
    ];
    for (const each of wrong)
      expect(judgeState(each)).toMatchObject({ ok: false, error: { code: 'state proof' } });
    expect(judgeState(evidence, utf8('test/2/2'))).toEqual({
      ok: false,
      error: { code: 'state proof', detail: 'another key was proven' },
    });
    const forged = { ...evidence, header: { ...evidence.header, stateRoot: sha256(key) } };
    expect(judgeState(forged)).toMatchObject({ ok: false, error: { code: 'header' } });
  });
});
