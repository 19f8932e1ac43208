/**
 * The one form of every consensus protocol: a pure function from state and input to the next state and an ordered
 * list of effects. The node, the tests and the simulator are three drivers of it. Consensus knows bytes and nothing
 * of health care.
 *
 * A driver's whole duty:
 *
 * ```ts
 * let state = protocol.initial;
 * function drive(input: Input): void {
 *   const step = protocol.step(state, input);
 *   state = step.next;
 *   for (const effect of step.effects) perform(effect); // in order; answers go through `drive` again
 * }
 * drive({ type: 'tick', now });
 * drive({ type: 'advanced', ... }); // what the store holds: nothing happens before this
 * ```
 */

/** A public key as lower-case hexadecimal: usable as a map key. */
export type ValidatorKey = string;

/** The order of a list of validators is part of the agreement: the leader is chosen from it. */
export interface ConsensusValidator {
  readonly key: ValidatorKey;
  /** A positive integer. */
  readonly power: number;
}

/**
 * A proposal for one engine height. It seals a ledger block when its `ledgerHeight` is the head's plus one. Otherwise
 * it is a heartbeat: `ledgerHeight`, `parentHash` and `headerHash` are the head's own, and it has no transactions.
 */
export interface EngineProposal {
  readonly engineHeight: number;
  readonly time: number;
  /** Who built it. Survives a view change, as `time` does: so there is one header a height. */
  readonly proposer: ValidatorKey;
  /** The ledger height and header hash that this engine block certifies: a new one, or for a heartbeat the last. */
  readonly ledgerHeight: number;
  /** Hash of the header below; for a heartbeat the same as `headerHash`. 64 hexadecimal digits, as every hash here. */
  readonly parentHash: string;
  readonly headerHash: string;
  readonly transactions: readonly Uint8Array[];
}

/** The signatures of a quorum (more than 2/3 of the power) over `commitBytes` of the other fields. */
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
  /** The driver's clock in milliseconds: every 10 ms or so, at least every 50. The only clock a protocol sees. */
  | { readonly type: 'tick'; readonly now: number }
  /** What the mempool holds: whenever that changes, and after every `advanced`, which forgets it. */
  | { readonly type: 'pending'; readonly count: number; readonly bytes: number }
  /** Answer to `build`: a draft made by executing what the mempool offered, or a heartbeat. */
  | { readonly type: 'built'; readonly proposal: EngineProposal }
  /** Answer to `execute`: the header hash this node computed, or why it refuses the proposal. */
  | { readonly type: 'executed'; readonly digest: string; readonly headerHash: string }
  | { readonly type: 'refused'; readonly digest: string; readonly reason: string }
  /**
   * The driver started, made a decision durable, or caught up from peers: the engine height decided last (0 at
   * genesis), its time and ledger head. On a start it is the newest block in the store; the protocol knows later
   * heartbeats from what it persisted. One that is not newer than what the protocol knows is ignored.
   */
  | {
      readonly type: 'advanced';
      readonly engineHeight: number;
      readonly time: number;
      readonly ledgerHeight: number;
      readonly headerHash: string;
      /** Of that engine height: from `decide`, or from the block that was fetched. `undefined` only at genesis. */
      readonly certificate: Certificate | undefined;
      /** The set that signs the next engine height. */
      readonly validators: readonly ConsensusValidator[];
    };

export type Effect =
  /**
   * Write this durably before any later effect of the same list (votes and view survive a restart). It replaces what
   * was persisted before; after a restart the last one goes into the protocol's options as `restored`.
   */
  | { readonly type: 'persist'; readonly bytes: Uint8Array }
  /** To every other validator (and to whoever else follows). Loss is repaired: messages are sent again. */
  | { readonly type: 'broadcast'; readonly bytes: Uint8Array }
  | { readonly type: 'send'; readonly to: ValidatorKey; readonly bytes: Uint8Array }
  /**
   * Make a proposal at this engine height and time over this head: a block at `ledgerHeight + 1` if the mempool or a
   * deadline gives reason for one, else a heartbeat. Answer with `built`.
   */
  | {
      readonly type: 'build';
      readonly engineHeight: number;
      readonly time: number;
      readonly proposer: ValidatorKey;
      /** The head: what a block is built on, and what a heartbeat certifies again. */
      readonly ledgerHeight: number;
      readonly parentHash: string;
    }
  /**
   * Check and execute a proposal made by another, then answer `executed` or `refused`. For a heartbeat: `executed`
   * with the head's hash, unless a block is due. Drafts stay until `advanced`.
   */
  | { readonly type: 'execute'; readonly digest: string; readonly proposal: EngineProposal }
  /** Final. The driver makes it durable, then answers `advanced`, then reports `pending` again. */
  | { readonly type: 'decide'; readonly proposal: EngineProposal; readonly certificate: Certificate }
  /**
   * Others are at this engine height and a block between is missing here: fetch blocks (best from this peer), verify
   * them one by one, then say `advanced`. Repeated at most once a second while it lasts.
   */
  | { readonly type: 'behind'; readonly engineHeight: number; readonly from: ValidatorKey }
  /** Two contradicting signed messages of one validator. */
  | {
      readonly type: 'evidence';
      readonly against: ValidatorKey;
      readonly first: Uint8Array;
      readonly second: Uint8Array;
    }
  /**
   * A quorum agreed on what this node does not compute, or on two things at one height: keep the evidence and stop.
   * The protocol answers to nothing afterwards.
   */
  | {
      readonly type: 'halt';
      readonly reason: string;
      readonly certificate: Certificate;
      /** What the certificate is for, where this node has it. */
      readonly proposal?: EngineProposal;
      /** The header hash this node computed, where it computed one. */
      readonly computed?: string;
    };

export interface Step<State> {
  readonly next: State;
  readonly effects: readonly Effect[];
}

/** What an engine is called in the genesis document and at the handshake. */
export interface EngineIdentity {
  readonly id: string;
  readonly version: number;
}

/** A consensus protocol, ready to be driven. `step` has no side effects: the same arguments give the same result. */
export interface Protocol<State> {
  readonly engine: EngineIdentity;
  readonly initial: State;
  readonly step: (state: State, input: Input) => Step<State>;
}
