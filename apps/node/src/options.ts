import type { VotingLimits, VotingTiming } from '@careledger/consensus';
import type { NodeId, Signer } from '@careledger/primitives';
import type { Catalog } from '@careledger/state-machine';
import type { ApiLimits } from './api/limits.ts';

/** Where a peer's peer-to-peer port is. Who it is, its certificate proves; this is only where to knock. */
export interface PeerAddress {
  readonly node: NodeId;
  readonly host: string;
  readonly port: number;
}

export type LogLevel = 'silent' | 'error' | 'warn' | 'info' | 'debug';

/** One P-256 certificate of the consortium with its private key, and the authority that issued it, all PEM. */
export interface TlsIdentity {
  readonly certificate: string;
  readonly privateKey: string;
  readonly certificateAuthority: string;
}

/** How long the engine waits, in milliseconds; the defaults suit one machine or one region. */
export type EngineTimings = VotingTiming;

/** When a block is full enough to be proposed at once, and how many transactions it holds at most (LED-11). */
export type Batching = Omit<VotingLimits, 'blockBytesMax'>;

export interface NodeOptions {
  /** The node's part of a member's home: `<home>/node`. Made when absent; locked while the node runs. */
  readonly folder: string;
  /** Bytes of the genesis document. Their SHA-256 is the chain id. */
  readonly genesis: Uint8Array;
  /** Which node of the membership this is. */
  readonly node: NodeId;
  /** Validator key. A node whose key is not in the validator set follows the chain without voting. */
  readonly signer: Signer;
  readonly tls: TlsIdentity;
  readonly listen: {
    /** `127.0.0.1` unless given. */
    readonly host?: string;
    /** HTTPS API port; 0 picks a free one, see {@link NodeAddresses}. */
    readonly apiPort: number;
    /** Peer-to-peer TLS port; 0 picks a free one. */
    readonly peerPort: number;
  };
  /** Addresses known at the start; more by `LedgerNode.addPeers`. Its own entry is ignored. */
  readonly peers: readonly PeerAddress[];
  /** What this chain can do. The catalog of `@careledger/capabilities` unless given. */
  readonly catalog?: Catalog;
  /** JSON lines, without patient data (the node never sees any). Silent unless given. */
  readonly log?: { readonly path: string; readonly level?: LogLevel };
  readonly timings?: Partial<EngineTimings>;
  /** What the HTTPS API lets its callers do; see `api/limits.ts` for the defaults. */
  readonly apiLimits?: Partial<ApiLimits>;
  /**
   * States of so many newest heights stay provable; older ones are cleared away (`ledger/pruned`). All are kept unless
   * given. Headers, certificates and transactions stay in any case.
   */
  readonly stateHeightsKept?: number;
  /**
   * Bodies of so many newest blocks are kept, and up to twice as many before they are pruned; headers and certificates
   * stay. The replay window (some eleven minutes) is kept in any case. All bodies are kept unless given.
   */
  readonly bodiesKept?: number;
  /** The block's size in bytes is the charter's; how soon and how full it is proposed is this node's. */
  readonly batching?: Partial<Batching>;
  /** Called once when the node stops itself: a disagreement with a certified root, a disk or store fault. */
  readonly onHalt?: (reason: Error) => void;
}

/** What the node listens on, known once it has started. */
export interface NodeAddresses {
  readonly api: { readonly host: string; readonly port: number; readonly url: string };
  readonly peer: { readonly host: string; readonly port: number };
}
