import type {
  Certificate,
  Effect,
  EngineProposal,
  Input,
  Protocol,
  VotingState,
} from '@careledger/consensus';
import { equalBytes, type HeaderHash, type PublicKey, toHex } from '@careledger/primitives';
import type { BlockProposal } from '@careledger/state-machine';
import { bytesOf, toEngine, toFinality } from '../../chain/certificates-between.ts';
import type { Chain } from '../../chain/chain.ts';
import { NodeError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { TransactionVerifier } from '../../signatures/transaction-verifier.ts';
import type { VoteFile } from './vote-file.ts';

/** How often the protocol is told the time. */
const TICK_MS = 10;

type HaltEffect = Extract<Effect, { readonly type: 'halt' }>;
type EvidenceEffect = Extract<Effect, { readonly type: 'evidence' }>;

/** What the engine has from the node around it. */
export interface EngineSurroundings {
  readonly protocol: Protocol<VotingState>;
  readonly chain: Chain;
  readonly verifier: TransactionVerifier;
  readonly votes: VoteFile;
  readonly log: Log;
  readonly broadcast: (bytes: Uint8Array) => void;
  readonly send: (key: string, bytes: Uint8Array) => void;
  /** What waits to be ordered: the transactions to choose from, oldest first, and how much there is. */
  readonly candidates: () => readonly Uint8Array[];
  readonly pending: () => { readonly count: number; readonly bytes: number };
  readonly onBehind: (from: string) => void;
  readonly onEvidence: (evidence: EvidenceEffect) => void;
  readonly onHalt: (halt: HaltEffect) => void;
  /** Something broke that the protocol has no answer to: the node must stop. */
  readonly onFault: (fault: unknown) => void;
}

interface Job {
  readonly run: () => Promise<void> | void;
  /** The engine stopped before its turn came. */
  readonly cancel?: () => void;
}

/**
 * Drives a sans-I/O protocol with a real clock, a real disk and real peers. One thing is done at a time, in order:
 * a vote is on disk before it is sent, and a block before it counts.
 */
export class EmbeddedEngine {
  readonly #around: EngineSurroundings;
  readonly #queue: Job[] = [];
  #state: VotingState;
  #timer: NodeJS.Timeout | undefined;
  #isTickQueued = false;
  #isPendingQueued = false;
  #draining: Promise<void> | undefined;
  #isStopped = false;

  constructor(around: EngineSurroundings) {
    this.#around = around;
    this.#state = around.protocol.initial;
  }

  /** Tells the protocol what the store holds and starts its clock. */
  start(): void {
    this.#feed({ type: 'tick', now: Date.now() });
    this.advanced();
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  /** Waits for what is being done, then does nothing more. */
  async stop(): Promise<void> {
    this.#cease();
    await this.#draining;
  }

  /** A message of the protocol from a peer. */
  receive(from: string, bytes: Uint8Array): void {
    this.#feed({ type: 'message', from, bytes });
  }

  /** The mempool changed. Told once for all that changes until the engine's next turn. */
  pendingChanged(): void {
    if (this.#isPendingQueued) return;
    this.#isPendingQueued = true;
    const run = () => {
      this.#isPendingQueued = false;
      return this.#step({ type: 'pending', ...this.#around.pending() });
    };
    this.#enqueue({ run });
  }

  /** The chain moved on without the protocol: after a start and after catching up. */
  advanced(): void {
    const { chain } = this.#around;
    const { header, headerHash, engineHeight, time, certificate } = chain.head;
    const { validators } = chain.application.info();
    this.#feed({
      type: 'advanced',
      engineHeight,
      time,
      ledgerHeight: header.height,
      headerHash: toHex(headerHash),
      certificate: engineHeight === 0 ? undefined : toEngine(certificate),
      validators: validators.map(({ publicKey, power }) => ({ key: toHex(publicKey), power })),
    });
    // Said after what was just said: one that stands in the queue already would be forgotten by it.
    this.#isPendingQueued = false;
    this.pendingChanged();
  }

  /** Does this between two steps of the protocol, so that both see one chain. */
  exclusively<Value>(work: () => Promise<Value>): Promise<Value> {
    return new Promise((resolve, reject) => {
      const cancel = (): void => reject(new NodeError('node/stopping', 'the node stops', 'Start it again.'));
      // A fault of this work is its caller's: the engine goes on with the next job.
      this.#enqueue({ run: () => work().then(resolve, reject), cancel });
    });
  }

  #tick(): void {
    if (this.#isTickQueued) return;
    this.#isTickQueued = true;
    const run = () => {
      this.#isTickQueued = false;
      return this.#step({ type: 'tick', now: Date.now() });
    };
    this.#enqueue({ run });
  }

  #feed(input: Input): void {
    this.#enqueue({ run: () => this.#step(input) });
  }

  #enqueue(job: Job): void {
    if (this.#isStopped) {
      job.cancel?.();
      return;
    }
    this.#queue.push(job);
    this.#draining ??= this.#drain();
  }

  #cease(): void {
    this.#isStopped = true;
    clearInterval(this.#timer);
    for (const job of this.#queue.splice(0)) job.cancel?.();
  }

  async #drain(): Promise<void> {
    try {
      for (let job = this.#queue.shift(); job; job = this.#queue.shift()) await job.run();
    } catch (fault) {
      this.#cease();
      this.#around.onFault(fault);
    } finally {
      this.#draining = undefined;
    }
  }

  async #step(input: Input): Promise<void> {
    const step = this.#around.protocol.step(this.#state, input);
    this.#state = step.next;
    for (const effect of step.effects) {
      const done = this.#perform(effect);
      if (done) await done;
    }
  }

  #perform(effect: Effect): Promise<void> | undefined {
    const { votes, broadcast, send, onBehind, onEvidence, onHalt } = this.#around;
    switch (effect.type) {
      case 'persist':
        return votes.write(effect.bytes);
      case 'broadcast':
        broadcast(effect.bytes);
        return undefined;
      case 'send':
        send(effect.to, effect.bytes);
        return undefined;
      case 'build':
        return this.#build(effect);
      case 'execute':
        return this.#execute(effect.digest, effect.proposal);
      case 'decide':
        return this.#decide(effect.proposal, effect.certificate);
      case 'behind':
        onBehind(effect.from);
        return undefined;
      case 'evidence':
        onEvidence(effect);
        return undefined;
      case 'halt':
        onHalt(effect);
        return undefined;
    }
  }

  /** A header that names a new validator set is followed by a block of that set, with or without transactions. */
  #isBlockDue(): boolean {
    const { validatorsHash, nextValidatorsHash } = this.#around.chain.tip.header;
    return !equalBytes(validatorsHash, nextValidatorsHash);
  }

  async #build(effect: Extract<Effect, { readonly type: 'build' }>): Promise<void> {
    const { chain, verifier, candidates } = this.#around;
    const { engineHeight, time, proposer, ledgerHeight, parentHash } = effect;
    const waiting = candidates();
    await verifier.prepare(waiting);
    const transactions = chain.application.prepareProposal(waiting, { time });
    const heartbeat = { engineHeight, time, proposer, ledgerHeight, parentHash, headerHash: parentHash };
    if (transactions.length === 0 && !this.#isBlockDue()) {
      this.#feed({ type: 'built', proposal: { ...heartbeat, transactions: [] } });
      return;
    }
    const proposal = { ...heartbeat, ledgerHeight: ledgerHeight + 1, transactions };
    const draft = chain.application.execute(blockProposalOf(proposal));
    this.#feed({ type: 'built', proposal: { ...proposal, headerHash: toHex(draft.headerHash) } });
  }

  async #execute(digest: string, proposal: EngineProposal): Promise<void> {
    const { chain, verifier } = this.#around;
    const refuse = (reason: string): void => this.#feed({ type: 'refused', digest, reason });
    if (proposal.parentHash !== toHex(chain.tip.headerHash)) return refuse('proposal/not-on-the-head');
    if (proposal.ledgerHeight === chain.height) {
      if (this.#isBlockDue()) return refuse('proposal/a-block-is-due');
      this.#feed({ type: 'executed', digest, headerHash: toHex(chain.tip.headerHash) });
      return;
    }
    if (proposal.transactions.length === 0 && !this.#isBlockDue()) return refuse('proposal/nothing-to-seal');
    await verifier.prepare(proposal.transactions);
    const block = blockProposalOf(proposal);
    const problem = chain.application.processProposal(block);
    if (problem !== undefined) return refuse(problem);
    const { headerHash } = chain.application.execute(block);
    this.#feed({ type: 'executed', digest, headerHash: toHex(headerHash) });
  }

  async #decide(proposal: EngineProposal, certificate: Certificate): Promise<void> {
    const { chain } = this.#around;
    const finality = toFinality(certificate);
    if (proposal.ledgerHeight > chain.height) await chain.commit(finality.headerHash, finality);
    else chain.heartbeat(finality);
    this.advanced();
  }
}

function blockProposalOf(proposal: EngineProposal): BlockProposal {
  return {
    height: proposal.ledgerHeight,
    parentHash: bytesOf(proposal.parentHash) as HeaderHash,
    time: proposal.time,
    proposer: bytesOf(proposal.proposer) as PublicKey,
    transactions: proposal.transactions,
  };
}
