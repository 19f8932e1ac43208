import {
  type BlockHeader,
  EMPTY_STATE_ROOT,
  headerCodec,
  headerHash,
  updateStateTree,
} from '@careledger/ledger';
import {
  bytes,
  CborError,
  type Codec,
  compareBytes,
  equalBytes,
  err,
  hashCodec,
  list,
  ok,
  oneOf,
  type Result,
  struct,
  uint,
} from '@careledger/primitives';
import type { CommitBatch, StateStore } from './application.ts';
import { Branch } from './branch.ts';
import { emptyStore } from './empty-store.ts';
import { type ReplayMinute, replayWindowFrom } from './replay-window.ts';

export const SNAPSHOT_KIND = 'careledger/snapshot/1';
export const SNAPSHOT_BYTES_MAX: number = 1024 * 1024 * 1024;
export const SNAPSHOT_ENTRIES_MAX = 10_000_000;
const KEY_BYTES_MAX = 1024;
const VALUE_BYTES_MAX = 1024 * 1024;
const MINUTES_MAX = 1_000;

interface Snapshot {
  readonly kind: typeof SNAPSHOT_KIND;
  readonly header: BlockHeader;
  /** In key order. */
  readonly entries: readonly { readonly key: Uint8Array; readonly value: Uint8Array }[];
  readonly replay: readonly ReplayMinute[];
}

const snapshotCodec: Codec<Snapshot> = struct({
  kind: oneOf([SNAPSHOT_KIND]),
  header: headerCodec,
  entries: list(
    struct({ key: bytes({ bytesMax: KEY_BYTES_MAX }), value: bytes({ bytesMax: VALUE_BYTES_MAX }) }),
    { countMax: SNAPSHOT_ENTRIES_MAX },
  ),
  replay: list(struct({ minute: uint, ids: list(hashCodec, { countMax: SNAPSHOT_ENTRIES_MAX }) }), {
    countMax: MINUTES_MAX,
  }),
});

/**
 * The state at the head as one file: the same bytes on every node at a height.
 *
 * @param options.replay `replayMinutes()` of the application at that head.
 */
export function exportSnapshot(options: {
  readonly store: StateStore;
  readonly header: BlockHeader;
  readonly replay: readonly ReplayMinute[];
}): Uint8Array {
  const { store, header, replay } = options;
  const entries = [...store.scan(new Uint8Array(0), SNAPSHOT_ENTRIES_MAX)].map(([key, value]) => ({
    key,
    value,
  }));
  return snapshotCodec.encode({ kind: SNAPSHOT_KIND, header, entries, replay });
}

/** Why a snapshot is not believed. */
export type SnapshotFault =
  | 'snapshot/malformed'
  | 'snapshot/header'
  | 'snapshot/order'
  | 'snapshot/state-root'
  | 'snapshot/replay';

/** What a checked snapshot puts into an empty store, and into the application over it. */
export interface ImportedSnapshot extends Pick<CommitBatch, 'header' | 'headerHash' | 'writes' | 'nodes'> {
  readonly replay: readonly ReplayMinute[];
}

function decode(snapshot: Uint8Array): Snapshot | undefined {
  try {
    return snapshotCodec.decode(snapshot, {
      depthMax: 8,
      itemsMax: SNAPSHOT_ENTRIES_MAX,
      bytesMax: SNAPSHOT_BYTES_MAX,
    });
  } catch (error) {
    if (error instanceof CborError) return undefined;
    throw error;
  }
}

/**
 * Checks a snapshot from anywhere against a header that the caller trusts: every entry by the state root, every
 * remembered transaction id by the counts and digests in that state.
 *
 * @param options.header A final header, verified by its certificate.
 */
export function importSnapshot(
  snapshot: Uint8Array,
  options: { readonly header: BlockHeader },
): Result<ImportedSnapshot, SnapshotFault> {
  const decoded = decode(snapshot);
  if (!decoded) return err('snapshot/malformed');
  const { header, entries, replay } = decoded;
  const hash = headerHash(header);
  if (!equalBytes(hash, headerHash(options.header))) return err('snapshot/header');
  const isSorted = entries.every((entry, index) => {
    const next = entries[index + 1];
    return next === undefined || compareBytes(entry.key, next.key) < 0;
  });
  if (!isSorted) return err('snapshot/order');
  const tree = updateStateTree({ root: EMPTY_STATE_ROOT, node: () => undefined, changes: entries });
  if (!equalBytes(tree.root, header.stateRoot)) return err('snapshot/state-root');
  const state = new Branch(emptyStore);
  state.write(entries);
  if (replayWindowFrom(replay).mismatch(state) !== undefined) return err('snapshot/replay');
  return ok({ header, headerHash: hash, writes: entries, nodes: tree.nodes, replay });
}
