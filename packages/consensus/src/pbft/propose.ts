import { invariant } from '@careledger/primitives';
import type { EngineProposal } from '../protocol.ts';
import { digestOf, misfit } from './candidate.ts';
import { noteLeaderSignature } from './evidence.ts';
import { prePrepareBytes } from './messages.ts';
import type { Candidate } from './state.ts';
import { acceptPrePrepare } from './vote.ts';
import { proposalCodec } from './wire.ts';
import {
  changeRound,
  headOf,
  leaderOf,
  maySpeak,
  positionIn,
  roundOf,
  say,
  signed,
  votesIn,
  type Work,
  withEntry,
} from './work.ts';

/** Is it time: a full batch, an interval that has passed, a heartbeat, or a new view that was left free? */
function isDue(work: Work): boolean {
  const { pending, elapsed } = work.state;
  const { timing, limits } = work.settings;
  const { beganAt, view, startView } = roundOf(work);
  if (view > startView || elapsed - beganAt >= timing.heartbeatMs) return true;
  if (pending.count === 0) return false;
  const full = pending.count >= limits.batchCount || pending.bytes >= limits.batchBytes;
  return full || elapsed - pending.since >= timing.batchIntervalMs;
}

/** Asks for a proposal when this node leads the view, nothing is proposed in it yet, and it is time. */
export function buildWhenDue(work: Work): void {
  const { engineHeight, view, active, required, building } = roundOf(work);
  if (!active || required !== undefined || building === view || votesIn(work, view).prePrepare) return;
  if (leaderOf(work, view) !== work.settings.self || !maySpeak(work) || !isDue(work)) return;
  const head = headOf(work);
  changeRound(work, { building: view });
  work.effects.push({
    type: 'build',
    engineHeight,
    time: Math.max(work.state.now, head.time),
    proposer: work.settings.self,
    ledgerHeight: head.ledgerHeight,
    parentHash: head.headerHash,
  });
}

/** The driver's draft goes out as this view's pre-prepare. One for a view that was left meanwhile is dropped. */
export function onBuilt(work: Work, proposal: EngineProposal): void {
  const { engineHeight, view, active, building, candidates } = roundOf(work);
  if (proposal.engineHeight !== engineHeight || building !== view || !active || !maySpeak(work)) return;
  if (votesIn(work, view).prePrepare) return;
  const problem = misfit(work, proposal);
  invariant(problem === undefined, `the driver's own proposal fits the head, but it has ${problem}`);
  invariant(proposal.proposer === work.settings.self, "the driver's own proposal names this node");
  const bytes = proposalCodec.encode(proposal);
  const digest = digestOf(bytes);
  const candidate: Candidate = {
    proposal,
    bytes,
    execution: { state: 'computed', headerHash: proposal.headerHash },
  };
  changeRound(work, { candidates: withEntry(candidates, digest, candidate) });
  const { certificate } = headOf(work);
  const envelope = signed(work, prePrepareBytes(positionIn(work, view), digest));
  noteLeaderSignature(work, view, digest, envelope.signature);
  say(work, { ...envelope, proposal: bytes, ...(certificate && { certificate }) });
  acceptPrePrepare(work, { digest, fresh: true, signature: envelope.signature });
}
