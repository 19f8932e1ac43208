import {
  type AnchorRecords,
  anchorRecordsCodec,
  RETIREMENT_COUNTS,
  type Retirement,
} from '@careledger/capabilities';
import {
  ANCHOR_TYPE,
  inclusionProofCodec,
  PADDING_LEAF_BYTES,
  paddingCountOf,
  RETIRE_SECRET_BYTES,
  type RecordLeaf,
  recordBatchOf,
  recordLeafCodec,
  signTransaction,
  TRANSACTION_NONCE_BYTES,
  type Transaction,
} from '@careledger/ledger';
import { type ChainId, compareBytes, HASH_BYTES, type Signer } from '@careledger/primitives';

/** Leaves of one batch. Their retirements must fit the ledger's longest list and a transaction's 64 KiB. */
export const BATCH_LEAVES_MAX = 256;
/** How long an anchor may wait for its block, in milliseconds of block time. */
export const ANCHOR_MS_MAX = 5 * 60_000;

/** One leaf that waits to be anchored: a version's, or its document's. */
export interface WaitingLeaf {
  readonly deleted: boolean;
  readonly leaf: Uint8Array;
  readonly leafHash: Uint8Array;
  /** The secret of the leaf that this one retires. */
  readonly retireSecret: Uint8Array | null;
}

export interface ComposedBatch {
  readonly body: Uint8Array;
  /** CBOR of the inclusion proof of each leaf; a deletion stands in `retirements` alone and has none. */
  readonly proofs: ReadonlyMap<WaitingLeaf, Uint8Array>;
}

type Random = (length: number) => Uint8Array;

/** Fills a list of retirements up to a size that many lists have, in an order that tells nothing. */
export function padRetirements(retirements: readonly Retirement[], random: Random): readonly Retirement[] {
  const size = RETIREMENT_COUNTS.find((count) => count >= retirements.length) ?? retirements.length;
  const padding = Array.from({ length: size - retirements.length }, () => ({
    retireSecret: random(RETIRE_SECRET_BYTES),
    successor: random(HASH_BYTES),
  }));
  return [...retirements, ...padding].sort((left, right) =>
    compareBytes(left.retireSecret, right.retireSecret),
  );
}

/** The body of one anchor and the proofs that it makes possible. */
export function composeBatch(waiting: readonly WaitingLeaf[], random: Random): ComposedBatch {
  const kept = waiting.filter(({ deleted }) => !deleted);
  const leaves = kept.map(({ leaf }): RecordLeaf => recordLeafCodec.decode(leaf));
  const padding = Array.from({ length: paddingCountOf(leaves.length) }, () => random(PADDING_LEAF_BYTES));
  // Deletions alone need no tree: the root of nobody's leaf looks like any other.
  const batch = leaves.length > 0 ? recordBatchOf({ leaves, padding }) : undefined;
  const retirements = waiting.flatMap(({ retireSecret, leafHash }) =>
    retireSecret ? [{ retireSecret, successor: leafHash }] : [],
  );
  const message: AnchorRecords = {
    root: batch?.root ?? random(HASH_BYTES),
    retirements: padRetirements(retirements, random),
  };
  const proofs = new Map<WaitingLeaf, Uint8Array>();
  for (const [index, leaf] of kept.entries()) {
    const proof = batch?.proofs[index];
    if (proof) proofs.set(leaf, inclusionProofCodec.encode(proof));
  }
  return { body: anchorRecordsCodec.encode(message), proofs };
}

/** Signs an anchor. A new nonce makes a new transaction: only for a body whose earlier one can no longer land. */
export function signAnchor(options: {
  readonly chain: ChainId;
  readonly body: Uint8Array;
  /** Milliseconds of block time. */
  readonly expiresAt: number;
  readonly signer: Signer;
  readonly random: Random;
}): Transaction {
  const { chain, body, expiresAt, signer, random } = options;
  const payload = { chain, nonce: random(TRANSACTION_NONCE_BYTES), expiresAt, type: ANCHOR_TYPE, body };
  return signTransaction({ payload, signer });
}
