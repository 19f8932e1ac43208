import type { ConsensusValidator, ValidatorKey } from '../protocol.ts';

/** All in milliseconds. */
export interface VotingTiming {
  /** A proposal is built at the latest this long after the first pending transaction. */
  readonly batchIntervalMs: number;
  /** Without transactions an engine block certifies the last header again after this long. */
  readonly heartbeatMs: number;
  /** How long a view may take before it is left; doubles with every view of a height. More than `heartbeatMs`. */
  readonly viewTimeoutMs: number;
  readonly viewTimeoutMaxMs: number;
  /** Messages of a view are sent again after this long without progress, then after twice as long. */
  readonly resendMs: number;
  readonly resendMaxMs: number;
  /** How far ahead of the own clock a proposal's time may be. */
  readonly skewMs: number;
}

export interface VotingLimits {
  /** A proposal is built at once when this many transactions, or this many bytes of them, are pending. */
  readonly batchCount: number;
  readonly batchBytes: number;
  /** Transactions of one proposal together. */
  readonly blockBytesMax: number;
  readonly transactionsMax: number;
}

export const DEFAULT_TIMING: VotingTiming = {
  batchIntervalMs: 20,
  heartbeatMs: 1_000,
  viewTimeoutMs: 1_500,
  viewTimeoutMaxMs: 4_000,
  resendMs: 500,
  resendMaxMs: 2_000,
  skewMs: 2_000,
};

export const DEFAULT_LIMITS: VotingLimits = {
  batchCount: 500,
  batchBytes: 256 * 1024,
  blockBytesMax: 1024 * 1024,
  transactionsMax: 20_000,
};

export interface VotingOptions {
  /** SHA-256 of the genesis document: part of everything that is signed. */
  readonly chain: Uint8Array;
  /** Who this node is. One that is not in the validator set follows and never votes. */
  readonly self: ValidatorKey;
  /** Ed25519 by the own key. Pure: the same bytes give the same signature. */
  readonly sign: (bytes: Uint8Array) => Uint8Array;
  readonly verify: (key: ValidatorKey, bytes: Uint8Array, signature: Uint8Array) => boolean;
  /** The last `persist` before the restart. */
  readonly restored?: Uint8Array | undefined;
  readonly timing?: Partial<VotingTiming>;
  readonly limits?: Partial<VotingLimits>;
}

/** Who leads, and in which view a height begins: the only difference between the voting engines. */
export interface Schedule {
  readonly leader: (
    validators: readonly ConsensusValidator[],
    engineHeight: number,
    view: number,
  ) => ValidatorKey;
  /** The first view of the height after one that was decided in `view`. */
  readonly startView: (view: number) => number;
}
