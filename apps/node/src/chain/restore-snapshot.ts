import {
  type Block,
  type BlockHeader,
  type ChainTip,
  decodeTransaction,
  MerkleAccumulator,
  nextTip,
  sortValidators,
  TRANSACTION_BYTES_CEILING,
  type TrustedChain,
  type TrustPath,
  trustPathCodec,
  validatorSetCodec,
} from '@careledger/ledger';
import { CborError, equalBytes, invariant } from '@careledger/primitives';
import {
  type CommitBatch,
  type ImportedSnapshot,
  importSnapshot,
  initChain,
} from '@careledger/state-machine';
import { NodeError } from '../errors.ts';
import type { BlockStore } from '../store/block-store.ts';
import type { IndexedBlock } from '../store/ledger-index.ts';
import { listSnapshots, readSnapshot, type SnapshotFile } from '../store/snapshot-files.ts';
import { isWhole, type StoredBlock } from '../store/stored-block.ts';
import type { OpenChainOptions } from './open-chain.ts';
import { verifyStoredLink } from './stored-link.ts';

const TRUST_BYTES_MAX = 64 * 1024 * 1024;
const TRUST_LIMITS = { depthMax: 24, itemsMax: 10_000_000, bytesMax: TRUST_BYTES_MAX };

/**
 * Fills an empty index of a chain whose first blocks have no bodies: their headers one by one, each verified by link
 * and certificate from genesis on, then the state of a snapshot that hashes to the state root of its header.
 *
 * @throws NodeError `store/snapshot-missing` when no snapshot holds; the chain must then come from the peers.
 */
export function restoreFromSnapshot(
  store: BlockStore,
  trusted: TrustedChain,
  options: Pick<OpenChainOptions, 'genesis' | 'catalog' | 'log'>,
): void {
  const usable = listSnapshots(store.blockFolder).filter(
    ({ height }) => height >= store.prunedBelow - 1 && height <= store.lastHeight,
  );
  for (const file of usable) {
    const header = store.certified(file.height)?.header;
    const snapshot = header && openSnapshot(file, header);
    if (!snapshot) {
      options.log.warn({ height: file.height, file: file.path }, 'a snapshot does not hold');
      continue;
    }
    options.log.info({ height: file.height }, 'restoring the index from a snapshot');
    for (const set of snapshot.validatorSets) trusted.offerValidators(set);
    fillIndex(store, trusted, { state: snapshot.state, genesis: initChain(options) });
    return;
  }
  throw new NodeError(
    'store/snapshot-missing',
    `blocks below ${store.prunedBelow} have no bodies, and no snapshot at or above them holds`,
    'Restore the block folder with its snapshot from a backup, or empty the node folder and let it catch up from its peers.',
  );
}

interface OpenedSnapshot {
  readonly state: ImportedSnapshot;
  readonly validatorSets: TrustPath['validatorSets'];
}

/** Reads a snapshot; `undefined` when it does not hold under the header that stands at its height. */
export function openSnapshot(file: SnapshotFile, header: BlockHeader): OpenedSnapshot | undefined {
  const validatorSets = readValidatorSets(file);
  const state = importSnapshot(readSnapshot(file).state, { header });
  return state.ok && validatorSets ? { state: state.value, validatorSets } : undefined;
}

/** The validator sets beside a snapshot: each is believed once a verified header names its hash. */
export function readValidatorSets(file: SnapshotFile): TrustPath['validatorSets'] | undefined {
  try {
    return trustPathCodec.decode(readSnapshot(file).trust, TRUST_LIMITS).validatorSets;
  } catch (error) {
    if (error instanceof CborError) return undefined;
    throw error;
  }
}

function fillIndex(
  store: BlockStore,
  trusted: TrustedChain,
  { state, genesis }: { readonly state: ImportedSnapshot; readonly genesis: CommitBatch },
): void {
  const { index } = store;
  let tip: ChainTip = nextTip(MerkleAccumulator.empty, genesis.header);
  index.apply(withoutState(genesis, NO_BODY));
  for (let height = 1; height <= state.header.height; height += 1) {
    const stored = store.stored(height);
    invariant(stored, 'a stored height has a record');
    const next = verifyStoredLink(tip, stored, trusted);
    if (!next.ok) {
      const { code, detail } = next.error;
      throw new NodeError(
        'store/damaged',
        `the stored block ${height} does not hold: ${code}, ${detail}`,
        'Restore the file that holds it from a copy of the same chain.',
      );
    }
    tip = next.value;
    const isLast = height === state.header.height;
    const { batch, transactions } = withoutState(tip, isWhole(stored) ? stored : NO_BODY);
    index.apply({
      batch: isLast ? { ...batch, writes: state.writes, nodes: state.nodes } : batch,
      transactions,
      isSnapshot: isLast,
      ...validatorsAfter(stored, trusted),
    });
  }
}

type Body = Pick<Block, 'transactions' | 'results'>;
const NO_BODY: Body = { transactions: [], results: [] };

/** A block for the index as far as it can be told without executing it. */
function withoutState(
  { header, headerHash }: Pick<ChainTip, 'header' | 'headerHash'>,
  { transactions, results }: Body,
): IndexedBlock {
  const batch = { header, headerHash, transactions, results, writes: [], changes: [], nodes: [] };
  return {
    batch,
    transactions: transactions.map((bytes) => {
      const decoded = decodeTransaction(bytes, { bytesMax: TRANSACTION_BYTES_CEILING });
      return decoded.ok ? decoded.value : undefined;
    }),
  };
}

function validatorsAfter(
  { header }: StoredBlock,
  trusted: TrustedChain,
): Pick<IndexedBlock, 'validatorsAfter'> {
  if (equalBytes(header.validatorsHash, header.nextValidatorsHash)) return {};
  const set = trusted.validatorsAt(header.height + 1);
  if (!set) {
    throw new NodeError(
      'store/snapshot-missing',
      `the validator set named at height ${header.height} is not in the snapshot`,
      'Restore the block folder with its snapshot from a backup.',
    );
  }
  return { validatorsAfter: () => validatorSetCodec.encode(sortValidators(set)) };
}
