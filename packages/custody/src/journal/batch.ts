import { type InclusionProof, inclusionProofOf, merkleRoot } from '@careledger/ledger';
import {
  fixedBytes,
  hashCodec,
  hmacSha256,
  invariant,
  list,
  oneOf,
  type StructOf,
  struct,
  uint,
} from '@careledger/primitives';

/** Entries in one anchored batch. */
export const BATCH_ENTRIES_MAX = 256;
/** Even a single entry is anchored among this many leaves. */
export const BATCH_LEAVES_MIN = 8;

/** The two lists of an organization on the ledger (`disclosures/anchor`, `disclosures/acknowledge`). */
export const BATCH_LISTS = ['anchor', 'acknowledge'] as const;
export type BatchList = (typeof BATCH_LISTS)[number];

const batchFields = {
  kind: oneOf(['careledger/journal-batch/1']),
  /** `anchor`: everything this organization did; `acknowledge`: what it was handed by others. */
  list: oneOf(BATCH_LISTS),
  /** Sequence of the journal records whose leaves stand in this batch, in order. */
  sequences: list(uint, { countMax: BATCH_ENTRIES_MAX }),
  /** Padding leaves derive from it, so that the whole tree can be shown to an auditor, and to nobody else. */
  paddingSeed: fixedBytes(32),
  root: hashCodec,
};
export const journalBatchCodec = struct(batchFields);
/** A batch as the journal remembers it, written before it is submitted. */
export type JournalBatch = StructOf<typeof batchFields>;

/** The leaves of a batch's tree: entries' commitments in order, padded to a power of two that hides how many. */
export function batchLeaves(
  commitments: readonly Uint8Array[],
  paddingSeed: Uint8Array,
): readonly Uint8Array[] {
  invariant(
    commitments.length > 0 && commitments.length <= BATCH_ENTRIES_MAX,
    'a batch has entries, within its limit',
  );
  let size = BATCH_LEAVES_MIN;
  while (size < commitments.length) size *= 2;
  const leaves = [...commitments];
  for (let index = commitments.length; index < size; index += 1) {
    leaves.push(hmacSha256(paddingSeed, Uint8Array.of(index >> 8, index & 255)));
  }
  return leaves;
}

/** Makes a batch of what is not anchored yet. The seed is 32 fresh random bytes. */
export function makeBatch(
  list: BatchList,
  entries: readonly { readonly sequence: number; readonly commitment: Uint8Array }[],
  paddingSeed: Uint8Array,
): JournalBatch {
  const leaves = batchLeaves(
    entries.map((entry) => entry.commitment),
    paddingSeed,
  );
  return {
    kind: 'careledger/journal-batch/1',
    list,
    sequences: entries.map((entry) => entry.sequence),
    paddingSeed,
    root: merkleRoot(leaves),
  };
}

/** The audit path of one entry in its batch. */
export function proveEntry(leaves: readonly Uint8Array[], index: number): InclusionProof {
  return inclusionProofOf(leaves, index);
}
