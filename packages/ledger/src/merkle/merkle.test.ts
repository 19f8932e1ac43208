import { createHash } from 'node:crypto';
import { type CborValue, concat, encodeCbor, fromHex, sha256, toHex, utf8 } from '@careledger/primitives';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MerkleAccumulator, merkleAccumulatorCodec } from './accumulator.ts';
import { type ConsistencyClaim, consistencyProof, verifyConsistency } from './consistency.ts';
import { EMPTY_MERKLE_ROOT, merkleLeafHash, merkleNodeHash } from './hash.ts';
import { inclusionProof, inclusionProofOf, verifyInclusion } from './inclusion.ts';
import { merkleRoot, rangeHash, subtreesOf, subtreesOfLeaves } from './subtrees.ts';

/** The eight leaves and roots that the Certificate Transparency implementations are tested with (RFC 6962). */
const CLASSIC_LEAVES = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
].map((hex) => fromHex(hex) ?? new Uint8Array(0));
const CLASSIC_ROOTS = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];
/** Path of leaf 0 among the eight. */
const CLASSIC_PATH = [
  '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
  '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
  '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
];

/** MTH of RFC 6962, section 2.1, word for word and on another hash function's code. */
function independentRoot(leaves: readonly Uint8Array[]): string {
  const hash = (...parts: Uint8Array[]) =>
    createHash('sha256')
      .update(concat(...parts))
      .digest();
  const root = (part: readonly Uint8Array[]): Uint8Array => {
    if (part.length === 0) return hash();
    if (part.length === 1) return hash(Uint8Array.of(0), part[0] as Uint8Array);
    let split = 1;
    while (split * 2 < part.length) split *= 2;
    return hash(Uint8Array.of(1), root(part.slice(0, split)), root(part.slice(split)));
  };
  return toHex(root(leaves));
}

/** PATH of RFC 6962, section 2.1.1, word for word. */
function independentPath(index: number, leaves: readonly Uint8Array[]): readonly string[] {
  if (leaves.length <= 1) return [];
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  const [left, right] = [leaves.slice(0, split), leaves.slice(split)];
  return index < split
    ? [...independentPath(index, left), independentRoot(right)]
    : [...independentPath(index - split, right), independentRoot(left)];
}

const leavesOf = (size: number) => Array.from({ length: size }, (_, index) => utf8(`leaf ${index}`));
const SIZES = 35;
const LEAVES = leavesOf(SIZES);
const SUBTREES = subtreesOfLeaves(LEAVES);
const ROOTS = Array.from({ length: SIZES + 1 }, (_, size) => rangeHash(SUBTREES, 0, size));
const rootAt = (size: number) => ROOTS[size] as Uint8Array;
const hashAt = (index: number) => merkleLeafHash(LEAVES[index] as Uint8Array);

describe('RFC 9162 trees', () => {
  test.each(CLASSIC_ROOTS.map((root, size) => ({ size, root })))(
    'LED-14: the root over the first $size classic leaves is the known one',
    ({ size, root }) => {
      expect(toHex(merkleRoot(CLASSIC_LEAVES.slice(0, size)))).toBe(root);
    },
  );

  test('LED-14: every count of leaves, odd ones too, has the root of an independent RFC 6962 implementation', () => {
    for (let size = 0; size <= SIZES; size += 1) {
      expect(toHex(rootAt(size)), `size ${size}`).toBe(independentRoot(LEAVES.slice(0, size)));
    }
  });

  test('LED-14: an inner node never passes as a leaf', () => {
    const [left, right] = [hashAt(0), hashAt(1)];
    const root = merkleRoot(LEAVES.slice(0, 2));
    expect(toHex(merkleRoot([concat(left, right)]))).not.toBe(toHex(root));
    expect(toHex(merkleNodeHash(left, right))).toBe(toHex(root));
    expect(toHex(merkleLeafHash(concat(left, right)))).not.toBe(toHex(root));
    const forged = { index: 0, size: 2, path: [rangeHash(SUBTREES, 2, 2)] };
    const leafHash = merkleLeafHash(concat(left, right));
    expect(verifyInclusion({ leafHash, proof: forged, root: rootAt(4) }).ok).toBe(false);
  });

  test('LED-14: the last leaf of an odd count is not doubled (CVE-2012-2459)', () => {
    const three = LEAVES.slice(0, 3);
    expect(toHex(merkleRoot(three))).not.toBe(toHex(merkleRoot([...three, three[2] as Uint8Array])));
  });
});

describe('inclusion proofs', () => {
  test('LED-22: the known path of the first classic leaf', () => {
    const proof = inclusionProofOf(CLASSIC_LEAVES, 0);
    expect(proof.path.map(toHex)).toEqual(CLASSIC_PATH);
  });

  test('LED-22: an inclusion proof verifies with the root alone, for every leaf of every size, in ceil(log2 n) hashes', () => {
    for (let size = 1; size <= SIZES; size += 1) {
      for (let index = 0; index < size; index += 1) {
        const proof = inclusionProof({ index, size, subtree: SUBTREES });
        expect(proof.path.map(toHex)).toEqual(independentPath(index, LEAVES.slice(0, size)));
        expect(proof.path.length).toBeLessThanOrEqual(Math.ceil(Math.log2(size)));
        const verdict = verifyInclusion({ leafHash: hashAt(index), proof, root: rootAt(size) });
        expect(verdict).toEqual({ ok: true, value: undefined });
      }
    }
  });

  test('LED-22: a wrong leaf, index, root, path or path length is refused', () => {
    for (let size = 1; size <= 20; size += 1) {
      for (let index = 0; index < size; index += 1) {
        const proof = inclusionProof({ index, size, subtree: SUBTREES });
        const root = rootAt(size);
        const leafHash = hashAt(index);
        const refused = (change: Partial<Parameters<typeof verifyInclusion>[0]>, what: string) =>
          expect(verifyInclusion({ leafHash, proof, root, ...change }).ok, `${what} ${index}/${size}`).toBe(
            false,
          );
        refused({ leafHash: hashAt(size) }, 'leaf');
        refused({ root: rootAt(size + 1) }, 'root');
        for (const other of [-1, size, index + 0.5, index === 0 ? size - 1 : index - 1]) {
          if (other !== index) refused({ proof: { ...proof, index: other } }, 'index');
        }
        refused({ proof: { ...proof, path: [...proof.path, sha256(leafHash)] } }, 'longer');
        refused({ proof: { ...proof, path: [leafHash, ...proof.path] } }, 'preceded');
        if (size > 1) refused({ proof: { ...proof, path: proof.path.slice(1) } }, 'shorter');
        if (proof.path.length > 1)
          refused({ proof: { ...proof, path: proof.path.toReversed() } }, 'reversed');
        refused({ proof: { ...proof, size: size * 2 + 1 } }, 'size');
        refused({ proof: { ...proof, size: index } }, 'size');
      }
    }
  });

  test('LED-22: hashes of another length are refused, also where they would concatenate to the right bytes', () => {
    const proof = inclusionProof({ index: 0, size: 2, subtree: SUBTREES });
    const [sibling] = proof.path as [Uint8Array];
    const leafHash = hashAt(0);
    const shifted = {
      leafHash: concat(leafHash, sibling.slice(0, 1)),
      proof: { ...proof, path: [sibling.slice(1)] },
      root: rootAt(2),
    };
    expect(toHex(merkleNodeHash(shifted.leafHash, sibling.slice(1)))).toBe(toHex(rootAt(2)));
    expect(verifyInclusion(shifted)).toEqual({ ok: false, error: 'hash length' });
  });

  test('LED-22: any mutated hash of a proof is refused', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: SIZES }),
        fc.nat(),
        fc.nat(),
        fc.integer({ min: 0, max: 255 }),
        (size, where, which, bit) => {
          const index = where % size;
          const proof = inclusionProof({ index, size, subtree: SUBTREES });
          const path = proof.path.map((hash) => hash.slice());
          const changed = path[which % path.length] as Uint8Array;
          changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
          const verdict = verifyInclusion({
            leafHash: hashAt(index),
            proof: { ...proof, path },
            root: rootAt(size),
          });
          expect(verdict).toEqual({ ok: false, error: 'root' });
        },
      ),
    );
  });
});

describe('consistency proofs', () => {
  test('LED-23: a consistency proof between any two sizes verifies', () => {
    for (let second = 0; second <= SIZES; second += 1) {
      for (let first = 0; first <= second; first += 1) {
        const proof = consistencyProof({ first, second, subtree: SUBTREES });
        const claim = { first, second, firstRoot: rootAt(first), secondRoot: rootAt(second), proof };
        expect(verifyConsistency(claim), `${first} to ${second}`).toEqual({ ok: true, value: undefined });
      }
    }
  });

  test('LED-23: the known proof from 1 to 8 classic leaves, and the empty one from 8 to 8', () => {
    const subtree = subtreesOfLeaves(CLASSIC_LEAVES);
    expect(consistencyProof({ first: 1, second: 8, subtree }).map(toHex)).toEqual(CLASSIC_PATH);
    expect(consistencyProof({ first: 8, second: 8, subtree })).toEqual([]);
  });

  test('LED-23: a rewritten history has no consistency proof', () => {
    for (const rewritten of [0, 3, 6]) {
      const other = LEAVES.with(rewritten, utf8('rewritten'));
      const otherSubtrees = subtreesOfLeaves(other);
      const secondRoot = rangeHash(otherSubtrees, 0, 20);
      for (const subtree of [SUBTREES, otherSubtrees]) {
        const proof = consistencyProof({ first: 7, second: 20, subtree });
        const claim = { first: 7, second: 20, firstRoot: rootAt(7), secondRoot, proof };
        expect(verifyConsistency(claim).ok).toBe(false);
      }
    }
  });

  test('LED-23: wrong sizes, swapped roots, changed, missing and added hashes are refused', () => {
    const pairs: readonly (readonly [number, number])[] = [
      [1, 2],
      [3, 7],
      [4, 8],
      [6, 8],
      [7, 20],
      [16, 31],
    ];
    for (const [first, second] of pairs) {
      const proof = consistencyProof({ first, second, subtree: SUBTREES });
      const claim: ConsistencyClaim = {
        first,
        second,
        firstRoot: rootAt(first),
        secondRoot: rootAt(second),
        proof,
      };
      const refused = (change: Partial<ConsistencyClaim>, what: string) =>
        expect(verifyConsistency({ ...claim, ...change }).ok, `${what} ${first}/${second}`).toBe(false);
      refused({ firstRoot: claim.secondRoot, secondRoot: claim.firstRoot }, 'swapped');
      refused({ firstRoot: rootAt(first - 1) }, 'first root');
      refused({ secondRoot: rootAt(second + 1) }, 'second root');
      refused({ first: second, second: first }, 'sizes');
      refused({ proof: [] }, 'empty');
      refused({ proof: proof.slice(1) }, 'shorter');
      refused({ proof: [...proof, rootAt(5)] }, 'longer');
      refused({ proof: [rootAt(5), ...proof] }, 'preceded');
      refused({ proof: [...proof.slice(0, -1), sha256(rootAt(5))] }, 'changed');
      refused({ proof: [...proof.slice(0, -1), new Uint8Array(31)] }, 'length');
    }
    const short = { first: 4, second: 16, firstRoot: rootAt(4), secondRoot: rootAt(8) };
    const toEight = consistencyProof({ first: 4, second: 8, subtree: SUBTREES });
    expect(verifyConsistency({ ...short, proof: toEight })).toEqual({ ok: false, error: 'path length' });
    expect(
      verifyConsistency({ first: 0, second: 3, firstRoot: rootAt(1), secondRoot: rootAt(3), proof: [] }).ok,
    ).toBe(false);
    expect(
      verifyConsistency({ first: 3, second: 3, firstRoot: rootAt(3), secondRoot: rootAt(2), proof: [] }).ok,
    ).toBe(false);
  });
});

describe('the growing tree', () => {
  test('LED-23: an accumulator has the root of the whole tree after every leaf, and its bytes bring it back', () => {
    let accumulator = MerkleAccumulator.empty;
    expect(toHex(accumulator.root())).toBe(toHex(EMPTY_MERKLE_ROOT));
    for (let size = 1; size <= SIZES; size += 1) {
      const before = accumulator;
      accumulator = accumulator.append(hashAt(size - 1));
      expect(toHex(accumulator.root())).toBe(toHex(rootAt(size)));
      expect(toHex(before.root())).toBe(toHex(rootAt(size - 1)));
      accumulator = merkleAccumulatorCodec.decode(merkleAccumulatorCodec.encode(accumulator));
    }
  });

  test('an accumulator with too many or too few peaks is refused', () => {
    const { size, peaks } = MerkleAccumulator.empty.append(hashAt(0)).append(hashAt(1)).append(hashAt(2));
    for (const wrong of [peaks.slice(1), [...peaks, hashAt(0)]]) {
      const encoded = encodeCbor(
        new Map<string, CborValue>([
          ['size', size],
          ['peaks', wrong],
        ]),
      );
      expect(() => merkleAccumulatorCodec.decode(encoded)).toThrow('peaks');
    }
  });

  test('a reader over 100,000 leaves proves after one pass, then with few reads', () => {
    let reads = 0;
    const leaf = sha256(utf8('leaf'));
    const subtree = subtreesOf((index) => {
      reads += 1;
      return index === 77_777 ? hashAt(0) : leaf;
    });
    const size = 100_000;
    const root = rangeHash(subtree, 0, size);
    expect(reads).toBe(size);
    reads = 0;
    const proof = inclusionProof({ index: 77_777, size, subtree });
    expect(reads).toBeLessThan(32);
    expect(verifyInclusion({ leafHash: hashAt(0), proof, root }).ok).toBe(true);
    const consistency = consistencyProof({ first: 12_345, second: size, subtree });
    const claim = { first: 12_345, second: size, firstRoot: rangeHash(subtree, 0, 12_345), secondRoot: root };
    expect(verifyConsistency({ ...claim, proof: consistency }).ok).toBe(true);
  });
});
