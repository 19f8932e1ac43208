import { equalBytes, type Result, sha256, toHex } from '@careledger/primitives';
import { describe, expect, test } from 'vitest';
import type { Block } from './block.ts';
import { decodeBlock, encodeBlock, headerHash } from './block-codecs.ts';
import { type ChainTip, type LinkFault, nextTip, verifyBlockLink, verifyHeaderLink } from './block-link.ts';
import { consistencyProof, verifyConsistency } from './merkle/consistency.ts';
import { merkleLeafHash } from './merkle/hash.ts';
import { inclusionProof, verifyInclusion } from './merkle/inclusion.ts';
import { subtreesOf } from './merkle/subtrees.ts';
import { certify, makeTestChain, verifyRemembered } from './test-chain.ts';
import { TrustedChain } from './trust.ts';

const test1 = makeTestChain({ length: 7, changeAt: 4 });
const { blocks, sets, start } = test1;
const blockAt = (height: number) => blocks[height - 1] as Block;

/** Verifies a list of blocks from genesis: the verdict on the last one, or the first fault. */
function follow(list: readonly Block[]): Result<ChainTip, LinkFault> {
  const trusted = TrustedChain.fromGenesis({ genesis: test1.genesis, expectedChain: test1.chain });
  if (!trusted.ok) throw new TypeError(trusted.error.detail);
  trusted.value.offerValidators(sets[1] ?? []);
  let tip: ChainTip = start;
  for (const block of list) {
    const next = verifyBlockLink({ tip, block, trusted: trusted.value, verifySignature: verifyRemembered });
    if (!next.ok) return next;
    tip = next.value;
  }
  return { ok: true, value: tip };
}

function faultOf(list: readonly Block[]): string {
  const result = follow(list);
  return result.ok ? 'verified' : `${result.error.code} at ${result.error.height}`;
}

/** Height 2 with another header, sealed again by its validators: what a quorum of liars could make. */
function resealed(change: Partial<Block['header']>): readonly Block[] {
  const header = { ...blockAt(2).header, ...change };
  return [blockAt(1), { ...blockAt(2), header, certificate: certify(header, sets[0] ?? []) }];
}

const other = (hash: Uint8Array) => sha256(hash);

describe('the chain of blocks', () => {
  test('LED-12: every header holds the hash of the one before; the genesis header 32 zero bytes', () => {
    expect(start.header.height).toBe(0);
    expect(toHex(start.header.previousHash)).toBe('00'.repeat(32));
    let before = start.header;
    for (const { header } of blocks) {
      expect(equalBytes(header.previousHash, headerHash(before))).toBe(true);
      before = header;
    }
    expect(faultOf(blocks)).toBe('verified');
    expect(faultOf(resealed({ previousHash: new Uint8Array(32) }))).toBe('block/previous-hash at 2');
  });

  test('LED-06: a gap, a height twice and a backward time are refused; an equal time is not', () => {
    expect(faultOf([blockAt(1), blockAt(3)])).toBe('block/gap at 2');
    expect(faultOf([blockAt(1), blockAt(2), blockAt(2)])).toBe('block/order at 3');
    expect(faultOf([blockAt(1), blockAt(2), blockAt(1)])).toBe('block/order at 3');
    expect(faultOf(resealed({ time: blockAt(1).header.time - 1 }))).toBe('block/time at 2');
    expect(faultOf(resealed({ time: blockAt(1).header.time }))).toBe('verified');
  });

  test('LED-20: deleting, swapping, dropping, reordering and altering each have a code of their own', () => {
    const block = blockAt(3);
    const [first, second, third] = block.transactions as [Uint8Array, Uint8Array, Uint8Array];
    const [result1, result2, result3] = block.results as [
      Block['results'][0],
      Block['results'][0],
      Block['results'][0],
    ];
    const before = [blockAt(1), blockAt(2)];
    const found = {
      deleted: faultOf([blockAt(1), blockAt(3), blockAt(4)]),
      swapped: faultOf([blockAt(1), blockAt(2), blockAt(1)]),
      dropped: faultOf([...before, { ...block, transactions: [first, second] }]),
      reordered: faultOf([...before, { ...block, transactions: [second, first, third] }]),
      resultsReordered: faultOf([...before, { ...block, results: [result2, result1, result3] }]),
      rewritten: faultOf([
        ...before,
        { ...block, header: { ...block.header, stateRoot: other(block.header.stateRoot) } },
      ]),
      relinked: faultOf(resealed({ previousHash: other(block.header.previousHash) })),
    };
    expect(found).toEqual({
      deleted: 'block/gap at 2',
      swapped: 'block/order at 3',
      dropped: 'block/transaction-count at 3',
      reordered: 'block/transactions-root at 3',
      resultsReordered: 'block/results-root at 3',
      rewritten: 'block/header-hash at 3',
      relinked: 'block/previous-hash at 2',
    });
    expect(
      faultOf([...before, { ...block, transactions: [first, second], results: [result1, result2] }]),
    ).toBe('block/transactions-root at 3');
  });

  test('LED-01: each field of a header that does not belong is named, even when a quorum sealed it again', () => {
    const { header } = blockAt(2);
    expect(faultOf(resealed({ version: 2 }))).toBe('block/version at 2');
    expect(faultOf(resealed({ chain: other(header.chain) as typeof header.chain }))).toBe('block/chain at 2');
    expect(faultOf(resealed({ engine: { id: 'pbft', version: 9 } }))).toBe('block/engine at 2');
    expect(faultOf(resealed({ historyRoot: other(header.historyRoot) }))).toBe('block/history-root at 2');
    expect(faultOf(resealed({ validatorsHash: other(header.validatorsHash) }))).toBe('block/validators at 2');
    expect(faultOf(resealed({ transactionsRoot: other(header.transactionsRoot) }))).toBe(
      'block/transactions-root at 2',
    );
    expect(faultOf(resealed({ resultsRoot: other(header.resultsRoot) }))).toBe('block/results-root at 2');
  });

  test('a header links without signatures, but only if the header before names its validators', () => {
    const tip = nextTip(start.history, blockAt(1).header);
    const { header } = blockAt(2);
    expect(verifyHeaderLink(tip, header)).toEqual({ ok: true, value: undefined });
    const foreign = { ...header, validatorsHash: other(header.validatorsHash) };
    expect(verifyHeaderLink(tip, foreign)).toMatchObject({ ok: false, error: { code: 'block/validators' } });
  });

  test('a block without a quorum or by validators of another reign is refused', () => {
    const block = blockAt(2);
    const [few] = [certify(block.header, (sets[0] ?? []).slice(0, 2))];
    expect(faultOf([blockAt(1), { ...block, certificate: few }])).toBe('block/certificate at 2');
    const late = blockAt(5);
    const byOld = { ...late, certificate: certify(late.header, sets[0] ?? []) };
    expect(faultOf([...blocks.slice(0, 4), byOld])).toBe('block/certificate at 5');
  });

  test('LED-01: any flipped byte of a stored block is found, and its height and field named', () => {
    const encoded = encodeBlock(blockAt(2));
    const codes = new Set<string>();
    for (let index = 0; index < encoded.length; index += 1) {
      const changed = encoded.slice();
      changed[index] = (changed[index] ?? 0) ^ (1 << (index % 8));
      const decoded = decodeBlock(changed);
      if (!decoded.ok) {
        expect(decoded.error.detail).not.toBe('');
        continue;
      }
      const result = follow([blockAt(1), decoded.value]);
      expect(result.ok, `byte ${index}`).toBe(false);
      if (!result.ok) {
        codes.add(result.error.code);
        expect(result.error.height).toBe(2);
      }
    }
    for (const code of [
      'block/transactions-root',
      'block/results-root',
      'block/previous-hash',
      'block/header-hash',
      'block/certificate',
    ])
      expect(codes).toContain(code);
  });

  test('LED-23: between any two heights the history has a consistency proof; a rewritten one has none', () => {
    const hashes = [start.headerHash, ...blocks.map(({ header }) => headerHash(header))];
    const subtree = subtreesOf((index) => merkleLeafHash(hashes[index] as Uint8Array));
    for (let second = 1; second <= 7; second += 1) {
      for (let first = 1; first <= second; first += 1) {
        const roots = {
          firstRoot: blockAt(first).header.historyRoot,
          secondRoot: blockAt(second).header.historyRoot,
        };
        const proof = consistencyProof({ first, second, subtree });
        expect(verifyConsistency({ first, second, ...roots, proof }).ok).toBe(true);
        if (first === second) continue;
        const rewritten = { ...roots, firstRoot: other(roots.firstRoot) };
        expect(verifyConsistency({ first, second, ...rewritten, proof }).ok).toBe(false);
      }
    }
  });

  test('LED-26: any old block is proven by the newest header in log n hashes', () => {
    const newest = blockAt(7).header;
    const hashes = [start.headerHash, ...blocks.map(({ header }) => headerHash(header))];
    const subtree = subtreesOf((index) => merkleLeafHash(hashes[index] as Uint8Array));
    for (let index = 0; index < newest.height; index += 1) {
      const proof = inclusionProof({ index, size: newest.height, subtree });
      const leafHash = merkleLeafHash(hashes[index] as Uint8Array);
      expect(proof.path.length).toBeLessThanOrEqual(3);
      expect(verifyInclusion({ leafHash, proof, root: newest.historyRoot }).ok).toBe(true);
    }
  });
});
