/**
 * The one form of every consensus protocol: a pure function from state and input to the next state and an ordered
 * list of effects. The node, the tests and the simulator are three drivers of it. Consensus knows bytes and nothing
 * of health care.
 */

/** A public key as lower-case hexadecimal: usable as a map key. */
export type ValidatorKey = string;

export interface ConsensusValidator {
  readonly key: ValidatorKey;
  readonly power: number;
}

/** A proposal for one engine height. `transactions` is empty exactly for a heartbeat, which seals nothing. */
export interface EngineProposal {
  readonly engineHeight: number;
  readonly time: number;
  readonly proposer: ValidatorKey;
  /** The ledger height and header hash that this engine block certifies: a new one, or for a heartbeat the last. */
  readonly ledgerHeight: number;
  readonly parentHash: string;
  readonly headerHash: string;
  readonly transactions: readonly Uint8Array[];
}

export interface Certificate {
  readonly engineHeight: number;
  readonly view: number;
  readonly time: number;
  readonly ledgerHeight: number;
  readonly headerHash: string;
  readonly signatures: readonly { readonly key: ValidatorKey; readonly signature: Uint8Array }[];
}

/** What drives a protocol. Messages are raw: a protocol checks their signatures by the `verify` it was made with. */
export type Input =
  | { readonly type: 'message'; readonly from: ValidatorKey; readonly bytes: Uint8Array }
  /** The driver's clock in milliseconds; sent at least every 50 ms. The only clock a protocol sees. */
  | { readonly type: 'tick'; readonly now: number }
  /** The mempool has transactions (or the heartbeat is due: the protocol judges by `now`). */
  | { readonly type: 'pending'; readonly count: number; readonly bytes: number }
  /** Answer to `build`: a draft made by executing what the mempool offered. */
  | { readonly type: 'built'; readonly engineHeight: number; readonly proposal: EngineProposal }
  /** Answer to `execute`: the header hash this node computed, or why it refuses the proposal. */
  | { readonly type: 'executed'; readonly digest: string; readonly headerHash: string }
  | { readonly type: 'refused'; readonly digest: string; readonly reason: string }
  /** The driver caught up from peers, or started: the engine height decided last and its ledger head. */
  | {
      readonly type: 'advanced';
      readonly engineHeight: number;
      readonly time: number;
      readonly ledgerHeight: number;
      readonly headerHash: string;
      readonly validators: readonly ConsensusValidator[];
    };

export type Effect =
  /** Write this durably before any later effect of the same list (votes and view survive a restart). */
  | { readonly type: 'persist'; readonly bytes: Uint8Array }
  | { readonly type: 'broadcast'; readonly bytes: Uint8Array }
  | { readonly type: 'send'; readonly to: ValidatorKey; readonly bytes: Uint8Array }
  /** Make a proposal at this engine height and time: transactions if any are pending, else a heartbeat. */
  | { readonly type: 'build'; readonly engineHeight: number; readonly time: number }
  /** Check and execute a proposal made by another, then answer `executed` or `refused`. */
  | { readonly type: 'execute'; readonly digest: string; readonly proposal: EngineProposal }
  /** Final. The driver makes it durable, then answers `advanced`. */
  | { readonly type: 'decide'; readonly proposal: EngineProposal; readonly certificate: Certificate }
  /** A peer knows a higher engine height than can be reached by votes here: fetch blocks. */
  | { readonly type: 'behind'; readonly engineHeight: number; readonly from: ValidatorKey }
  /** Two contradicting signed messages of one validator. */
  | {
      readonly type: 'evidence';
      readonly against: ValidatorKey;
      readonly first: Uint8Array;
      readonly second: Uint8Array;
    }
  /** A quorum agreed on a header that this node does not compute: stop with evidence. */
  | { readonly type: 'halt'; readonly reason: string };

export interface Step<State> {
  readonly next: State;
  readonly effects: readonly Effect[];
}
