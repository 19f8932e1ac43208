import type { PeerAddress } from '@careledger/node';
import type { NodePlan } from './consortium.ts';

/** One final block as a node saw it. */
export interface SeenBlock {
  readonly height: number;
  /** Milliseconds since 1970 by the machine's one clock, with fractions. */
  readonly at: number;
  readonly transactions: number;
}

/** What became of a load. */
export interface LoadOutcome {
  readonly accepted: number;
  readonly refused: number;
  /** From the first submission until the last transaction was final here. */
  readonly milliseconds: number;
}

/** One transaction submitted at its own time. */
export interface PacedOutcome {
  readonly submittedAt: number;
  readonly finalAt: number;
  readonly height: number;
}

export interface AnchorLoad {
  /** Signs as this member. */
  readonly seed: Uint8Array;
  readonly batches: number;
  readonly recordsInBatch: number;
}

export interface FillLoad {
  readonly seed: Uint8Array;
  /** The number of the first key to write, and of the last. */
  readonly from: number;
  readonly keys: number;
}

export interface NodeUsage {
  /** Processor time of all threads, in milliseconds. */
  readonly userMs: number;
  readonly systemMs: number;
  readonly residentBytes: number;
  readonly heapBytes: number;
}

export interface NodeState {
  readonly height: number;
  readonly segmentBytes: number;
  /** What the index takes on disk. */
  readonly indexBytes: number;
  readonly transactions: number;
  readonly stateRoot: string;
}

export interface StartedNode extends PeerAddress {
  /** How long the start took, with bringing the index up to the stored blocks. */
  readonly milliseconds: number;
}

/** What the parent may ask of a node process. All of it travels as structured clones. */
export interface NodeCommands {
  start(plan: NodePlan): Promise<StartedNode>;
  addPeers(peers: readonly PeerAddress[]): void;
  /** Keeps `window` transactions on their way until all are final. */
  submitAll(load: {
    readonly transactions: readonly Uint8Array[];
    readonly window: number;
  }): Promise<LoadOutcome>;
  /** Submits one after the other at even distances, whatever becomes of those before. */
  submitPaced(load: {
    readonly transactions: readonly Uint8Array[];
    readonly perSecond: number;
  }): Promise<readonly PacedOutcome[]>;
  /** Makes batches of records, anchors each by one transaction, keeps a few on their way. */
  anchorRecords(load: AnchorLoad): Promise<{ readonly records: number; readonly milliseconds: number }>;
  /** Writes this many keys, thousands by one transaction. */
  fillState(load: FillLoad): Promise<void>;
  /** The blocks that became final here since the last time this was asked. */
  seenBlocks(): readonly SeenBlock[];
  state(): NodeState;
  usage(): NodeUsage;
  /** Walks all stored blocks; gives the height up to which they hold. */
  verifyStore(): Promise<{ readonly height: number; readonly milliseconds: number }>;
  stop(): Promise<void>;
}

export interface Request {
  readonly number: number;
  readonly command: keyof NodeCommands;
  readonly argument: unknown;
}

export interface Reply {
  readonly number: number;
  readonly value?: unknown;
  readonly problem?: string;
}
