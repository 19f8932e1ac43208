import { merkleLeafHash, merkleRoot, verifyInclusion } from '@careledger/ledger';
import { organizationId, sha256, utf8 } from '@careledger/primitives';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BATCH_ENTRIES_MAX, batchLeaves, journalBatchCodec, makeBatch, proveEntry } from './batch.ts';
import {
  entryCommitment,
  type JournalEntry,
  journalEntryCodec,
  PLAINTEXT_BYTES,
  padPlaintext,
  unpadPlaintext,
} from './entry.ts';
import {
  decodeRecord,
  encodeRecord,
  hashOfRecord,
  JOURNAL_START,
  RECORD_BYTES,
  SEALED_BYTES,
} from './record.ts';

const longest: JournalEntry = {
  kind: 'careledger/journal-entry/1',
  id: new Uint8Array(16),
  event: 'acknowledgement',
  time: Number.MAX_SAFE_INTEGER,
  organization: organizationId('a'.repeat(48)),
  counterpart: organizationId('b'.repeat(48)),
  requestingUser: 'u'.repeat(96),
  purpose: 'P'.repeat(16),
  ground: 'g'.repeat(32),
  policyVersion: 'v'.repeat(48),
  ruleIds: Array.from({ length: 8 }, () => 'r'.repeat(64)),
  reason: 'x'.repeat(64),
  subjects: Array.from({ length: 8 }, () => 's'.repeat(64)),
  consentId: new Uint8Array(16) as never,
  requestId: new Uint8Array(16),
  chunk: Number.MAX_SAFE_INTEGER,
  description: Array.from({ length: 16 }, () => ({ type: 'T'.repeat(40), count: Number.MAX_SAFE_INTEGER })),
  records: new Uint8Array(32),
  withheld: Number.MAX_SAFE_INTEGER,
  releaseBefore: Number.MAX_SAFE_INTEGER,
  counterpartEntry: new Uint8Array(32),
  late: true,
};

/** What the gateway adds around an entry: its salt and three field names. */
const CONTENT_OVERHEAD = 64;

function recordOf(sequence: number, previousHash: Uint8Array): Uint8Array {
  return encodeRecord({
    sequence,
    previousHash,
    id: new Uint8Array(16).fill(sequence),
    leaf: sha256(Uint8Array.of(sequence)),
    sealed: new Uint8Array(SEALED_BYTES).fill(sequence),
  });
}

describe('the journal’s records', () => {
  test('the longest entry and the longest batch fit the one length', () => {
    const entry = journalEntryCodec.encode(longest);
    expect(padPlaintext(entry).length).toBe(PLAINTEXT_BYTES);
    expect(entry.length + CONTENT_OVERHEAD).toBeLessThanOrEqual(PLAINTEXT_BYTES - 2);
    const batch = journalBatchCodec.encode({
      kind: 'careledger/journal-batch/1',
      list: 'acknowledge',
      sequences: Array.from({ length: BATCH_ENTRIES_MAX }, (_, index) => Number.MAX_SAFE_INTEGER - index),
      paddingSeed: new Uint8Array(32),
      root: new Uint8Array(32),
    });
    expect(batch.length + CONTENT_OVERHEAD).toBeLessThanOrEqual(PLAINTEXT_BYTES - 2);
    expect(() => padPlaintext(new Uint8Array(PLAINTEXT_BYTES - 1))).toThrow(RangeError);
  });

  test('padding is undone, and what was not padded is refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: PLAINTEXT_BYTES - 2 }), (plaintext) => {
        expect(unpadPlaintext(padPlaintext(plaintext))).toEqual(plaintext);
      }),
      { numRuns: 50 },
    );
    expect(unpadPlaintext(new Uint8Array(5))).toBeUndefined();
    expect(unpadPlaintext(new Uint8Array(PLAINTEXT_BYTES).fill(255))).toBeUndefined();
  });

  test('PRIV-26: any flipped bit, moved, left out or cut record is found', () => {
    const first = recordOf(0, JOURNAL_START);
    const second = recordOf(1, hashOfRecord(first));
    const expected = { sequence: 1, previousHash: hashOfRecord(first) };
    expect(decodeRecord(second, expected).ok).toBe(true);
    fc.assert(
      fc.property(fc.nat(RECORD_BYTES - 1), fc.nat(7), (place, bit) => {
        const altered = second.slice();
        altered[place] = (altered[place] ?? 0) ^ (1 << bit);
        expect(decodeRecord(altered, expected).ok).toBe(false);
      }),
      { numRuns: 300 },
    );
    expect(decodeRecord(second, { sequence: 0, previousHash: JOURNAL_START })).toEqual({
      ok: false,
      error: 'journal/sequence',
    });
    expect(decodeRecord(second, { ...expected, previousHash: JOURNAL_START })).toEqual({
      ok: false,
      error: 'journal/chain',
    });
    expect(decodeRecord(second.subarray(1), expected)).toEqual({ ok: false, error: 'journal/length' });
  });
});

describe('an anchored batch', () => {
  const seed = sha256(utf8('seed'));

  test('hides how many entries it holds, and proves each', () => {
    for (const count of [1, 7, 8, 9, 200]) {
      const entries = Array.from({ length: count }, (_, sequence) => ({
        sequence,
        commitment: entryCommitment(Uint8Array.of(sequence & 255), seed),
      }));
      const batch = makeBatch('anchor', entries, seed);
      const leaves = batchLeaves(
        entries.map(({ commitment }) => commitment),
        seed,
      );
      expect(Math.log2(leaves.length) % 1).toBe(0);
      expect(leaves.length).toBe(count <= 8 ? 8 : count <= 16 ? 16 : 256);
      expect(merkleRoot(leaves)).toEqual(batch.root);
      const proof = proveEntry(leaves, count - 1);
      const leafHash = merkleLeafHash(leaves[count - 1] as Uint8Array);
      expect(verifyInclusion({ leafHash, proof, root: batch.root }).ok).toBe(true);
    }
  });

  test('an entry’s leaf tells nothing without its salt', () => {
    const entry = journalEntryCodec.encode(longest);
    expect(entryCommitment(entry, seed)).not.toEqual(entryCommitment(entry, sha256(seed)));
    expect(entryCommitment(entry, seed)).not.toEqual(sha256(entry));
  });
});
