import type { Certificate, ConsensusValidator, EngineProposal, ValidatorKey } from '../protocol.ts';
import type { CommitContent } from './certificate.ts';
import type { Envelope, Message, PreparedProof } from './messages.ts';

/** The newest engine height known to be final, and the ledger block under it. */
export interface Head {
  readonly engineHeight: number;
  readonly time: number;
  readonly ledgerHeight: number;
  readonly headerHash: string;
  /** `undefined` at genesis alone. */
  readonly certificate: Certificate | undefined;
}

/** What this node found when it executed a candidate. */
export type Execution =
  | { readonly state: 'waiting' }
  | { readonly state: 'computed'; readonly headerHash: string }
  | { readonly state: 'refused'; readonly reason: string };

/** A proposal that a leader of this height put forward. */
export interface Candidate {
  readonly proposal: EngineProposal;
  readonly bytes: Uint8Array;
  readonly execution: Execution;
}

export interface PrepareVote {
  readonly digest: string;
  readonly envelope: Envelope;
}

export interface CommitVote {
  readonly content: CommitContent;
  readonly envelope: Envelope;
}

export interface AcceptedPrePrepare {
  readonly digest: string;
  /** Nothing was prepared before, so its time is judged by the clock. */
  readonly fresh: boolean;
  /** The leader's: it travels with this node's prepare. */
  readonly signature: Uint8Array;
}

/** What was said in one view. */
export interface ViewVotes {
  readonly prePrepare: AcceptedPrePrepare | undefined;
  /** A digest with the leader's signature of its pre-prepare: a second one convicts it. */
  readonly leaderSignatures: ReadonlyMap<string, Uint8Array>;
  readonly prepares: ReadonlyMap<ValidatorKey, PrepareVote>;
  readonly commits: ReadonlyMap<ValidatorKey, CommitVote>;
}

export const NO_VOTES: ViewVotes = {
  prePrepare: undefined,
  leaderSignatures: new Map(),
  prepares: new Map(),
  commits: new Map(),
};

export interface ViewChangeVote {
  readonly view: number;
  readonly prepared: PreparedProof | undefined;
  readonly envelope: Envelope;
}

/** A quorum prepared this: it must be proposed again, unchanged, in every later view. */
export interface Prepared {
  readonly proof: PreparedProof;
  readonly proposal: Uint8Array;
}

/** The work on one engine height. Dropped as a whole when the height is final: its certificate is the checkpoint. */
export interface Round {
  readonly engineHeight: number;
  readonly startView: number;
  readonly view: number;
  /** In the view, or waiting for its new-view. */
  readonly active: boolean;
  /** The digest that the new-view obliges its leader to propose. */
  readonly required: string | undefined;
  readonly candidates: ReadonlyMap<string, Candidate>;
  readonly votes: ReadonlyMap<number, ViewVotes>;
  readonly viewChanges: ReadonlyMap<ValidatorKey, ViewChangeVote>;
  readonly prepared: Prepared | undefined;
  /** The last view in which this node prepared, and committed; -1 for none. Never twice in one view. */
  readonly preparedView: number;
  readonly committedView: number;
  /** The view for which a `build` is out. */
  readonly building: number | undefined;
  /** A decision is with the driver. */
  readonly deciding: boolean;
  /** A certificate for this height whose proposal is not here or not executed yet. */
  readonly certified: Certificate | undefined;
  readonly accused: ReadonlySet<ValidatorKey>;
  /** What this node said in this view: sent again until there is progress. */
  readonly outbox: readonly Uint8Array[];
  readonly sentAt: number;
  readonly resends: number;
  readonly beganAt: number;
  readonly viewBeganAt: number;
  /** When a quorum of view-changes for this view was first seen, and when its pre-prepare was accepted. */
  readonly quorumAt: number | undefined;
  readonly acceptedAt: number | undefined;
}

/**
 * What must survive a restart so that a node never contradicts itself: the height it votes on (the one after `head`),
 * its view, whether it spoke in that view or waits for its new-view, and what it saw prepared.
 */
export interface VotingRecord {
  readonly head: Head;
  readonly view: number;
  readonly active: boolean;
  readonly prepared: Prepared | undefined;
}

export interface VotingState {
  /** The driver's clock, for proposals and the skew rule. */
  readonly now: number;
  /** Time that passed by the ticks: never runs backwards, so no timer fires because a clock was set. */
  readonly elapsed: number;
  readonly halted: boolean;
  readonly validators: readonly ConsensusValidator[];
  readonly head: Head | undefined;
  readonly round: Round | undefined;
  readonly pending: { readonly count: number; readonly bytes: number; readonly since: number };
  /** Heartbeats in a row that were final while transactions waited here. */
  readonly starved: number;
  /** Verified messages for later heights and views, a bounded number of each signer. */
  readonly early: ReadonlyMap<ValidatorKey, readonly Message[]>;
  readonly behindAt: number | undefined;
  /** What was voted before the restart; forgotten when its height is final. */
  readonly record: VotingRecord | undefined;
}
