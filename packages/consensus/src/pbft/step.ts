import { equalBytes } from '@careledger/primitives';
import type { Input, Step } from '../protocol.ts';
import { holds } from './candidate.ts';
import { fetchCertified, receiveCertificate, reportBehind } from './decide.ts';
import { isReady, keepEarly, takeDue } from './early.ts';
import { onAdvanced } from './height.ts';
import { decidedBytes, decodeMessage, ENVELOPE_BYTES_MAX, encodeMessage, type Message } from './messages.ts';
import { enterOpenedView, opensLaterView } from './opened-view.ts';
import { buildWhenDue, onBuilt } from './propose.ts';
import { isValidator } from './quorum.ts';
import type { Execution, VotingState } from './state.ts';
import { onNewView, onViewChange, startViewChange } from './view-change.ts';
import { onCommit, onPrePrepare, onPrepare, progress } from './vote.ts';
import {
  change,
  changeRound,
  headOf,
  leaderOf,
  maySpeak,
  persistFirst,
  roundOf,
  type Settings,
  signed,
  votesIn,
  type Work,
  withEntry,
} from './work.ts';

/** A longer gap between two ticks counts as this much: the process was stopped, or its clock was set. */
const TICK_GAP_MS_MAX = 1_000;
/** What CBOR adds to a transaction in a proposal. */
const TRANSACTION_OVERHEAD_BYTES = 9;

/** The pure step function of every voting engine. */
export function stepVoting(settings: Settings, state: VotingState, input: Input): Step<VotingState> {
  if (state.halted) return { next: state, effects: [] };
  const work: Work = { settings, state, effects: [], unsaved: false };
  receive(work, input);
  if (work.state.round) settle(work);
  return { next: work.state, effects: work.effects };
}

function receive(work: Work, input: Input): void {
  if (input.type === 'tick') passTime(work, input.now);
  else if (input.type === 'advanced') onAdvanced(work, input);
  else if (work.state.round) receiveInRound(work, input);
}

function receiveInRound(work: Work, input: Exclude<Input, { readonly type: 'tick' | 'advanced' }>): void {
  if (input.type === 'message') onMessage(work, input.bytes);
  else if (input.type === 'pending') onPending(work, input);
  else if (input.type === 'built') onBuilt(work, input.proposal);
  else if (input.type === 'executed') {
    onExecution(work, input.digest, { state: 'computed', headerHash: input.headerHash });
  } else onExecution(work, input.digest, { state: 'refused', reason: input.reason });
}

function onPending(work: Work, { count, bytes }: { readonly count: number; readonly bytes: number }): void {
  const { pending, elapsed } = work.state;
  const since = pending.count > 0 ? pending.since : elapsed;
  change(work, { pending: { count, bytes, since } });
}

/** Works off what became possible: messages kept for this view, then a proposal; then puts the votes to disk first. */
function settle(work: Work): void {
  for (let due = takeDue(work); due && !work.state.halted; due = takeDue(work)) route(work, due);
  if (!work.state.halted) {
    leaveProvenLiar(work);
    buildWhenDue(work);
  }
  persistFirst(work);
}

/** A leader that signed two proposals for one view is not waited for, unless a quorum prepared one of them here. */
function leaveProvenLiar(work: Work): void {
  const { active, deciding, view, committedView, accused } = roundOf(work);
  if (!active || deciding || committedView >= view || !accused.has(leaderOf(work, view))) return;
  startViewChange(work, view + 1);
}

function passTime(work: Work, now: number): void {
  const passed = Math.min(Math.max(now - work.state.now, 0), TICK_GAP_MS_MAX);
  change(work, { now, elapsed: work.state.elapsed + passed });
  if (!work.state.round || roundOf(work).deciding) return;
  progress(work);
  if (roundOf(work).deciding) return;
  leaveLateView(work);
  sendAgain(work);
}

/** Exponential back-off over the views of one height, so that some view outlasts the network's delay. */
function viewTimeout(work: Work): number {
  const { viewTimeoutMs, viewTimeoutMaxMs } = work.settings.timing;
  const { view, startView } = roundOf(work);
  return Math.min(viewTimeoutMaxMs, viewTimeoutMs * 2 ** Math.min(view - startView, 30));
}

/** From when on the view has to show something. While a quorum for it is missing: not at all, or views run away. */
function waitingSince(work: Work): number | undefined {
  const { active, quorumAt, acceptedAt, view, startView, viewBeganAt, beganAt } = roundOf(work);
  const { pending } = work.state;
  if (!active) return quorumAt;
  if (acceptedAt !== undefined) return acceptedAt;
  if (view !== startView) return viewBeganAt;
  return pending.count > 0 ? pending.since : beganAt + work.settings.timing.heartbeatMs;
}

function leaveLateView(work: Work): void {
  const since = waitingSince(work);
  if (since === undefined || work.state.elapsed - since < viewTimeout(work)) return;
  startViewChange(work, roundOf(work).view + 1);
}

/** The transport may lose messages when connections break; nothing else repairs that. */
function sendAgain(work: Work): void {
  const { outbox, sentAt, resends, certified } = roundOf(work);
  const { resendMs, resendMaxMs } = work.settings.timing;
  const interval = Math.min(resendMaxMs, resendMs * 2 ** Math.min(resends, 30));
  if (work.state.elapsed - sentAt < interval) return;
  for (const bytes of outbox) work.effects.push({ type: 'broadcast', bytes });
  if (certified) fetchCertified(work);
  changeRound(work, { sentAt: work.state.elapsed, resends: resends + 1 });
}

function onExecution(work: Work, digest: string, execution: Execution): void {
  const { candidates, view, active } = roundOf(work);
  const candidate = candidates.get(digest);
  if (candidate?.execution.state !== 'waiting') return;
  changeRound(work, { candidates: withEntry(candidates, digest, { ...candidate, execution }) });
  progress(work);
  const failed = !holds({ ...candidate, execution });
  const proposed = votesIn(work, view).prePrepare?.digest === digest;
  // A leader whose proposal does not hold is not waited for.
  if (failed && active && proposed && !work.state.halted && maySpeak(work)) startViewChange(work, view + 1);
}

function onMessage(work: Work, bytes: Uint8Array): void {
  const { limits, chain, self, verify } = work.settings;
  const overhead = ENVELOPE_BYTES_MAX + limits.transactionsMax * TRANSACTION_OVERHEAD_BYTES;
  const message = decodeMessage(bytes, limits.blockBytesMax + overhead);
  if (!message || !equalBytes(message.chain, chain)) return;
  const { payload, signer, signature, certificate } = message.envelope;
  if (signer === self || !isValidator(work.state.validators, signer) || isKnown(work, message)) return;
  if (!verify(signer, payload, signature)) return;
  if (certificate) receiveCertificate(work, certificate, signer);
  if (!work.state.halted) route(work, message);
}

/** A message that was counted already: not worth another look at its signature. */
function isKnown(work: Work, message: Message): boolean {
  if (message.engineHeight !== roundOf(work).engineHeight) return false;
  const votes = votesIn(work, message.view);
  const { signer, signature } = message.envelope;
  switch (message.kind) {
    case 'prepare':
      return votes.prepares.get(signer)?.digest === message.digest;
    case 'commit': {
      const known = votes.commits.get(signer);
      return known !== undefined && equalBytes(known.envelope.signature, signature);
    }
    case 'view-change':
      return (roundOf(work).viewChanges.get(signer)?.view ?? -1) >= message.view;
    default:
      return false;
  }
}

function route(work: Work, message: Message): void {
  const { engineHeight, deciding } = roundOf(work);
  if (message.engineHeight < engineHeight) {
    if (message.kind === 'view-change') answerLate(work, message);
  } else if (message.engineHeight > engineHeight) {
    keepEarly(work, message);
    if (message.engineHeight > engineHeight + 1 && !deciding) {
      reportBehind(work, message.engineHeight - 1, message.envelope.signer);
    }
  } else if (!deciding) {
    routeInRound(work, message);
  }
}

/** Somebody still asks for another view of a height that is final here: the certificate ends that. */
function answerLate(work: Work, message: Message): void {
  const { certificate } = headOf(work);
  if (!certificate) return;
  const { chain } = work.settings;
  const { engineHeight, view } = certificate;
  const envelope = { ...signed(work, decidedBytes({ chain, engineHeight, view })), certificate };
  work.effects.push({ type: 'send', to: message.envelope.signer, bytes: encodeMessage(envelope) });
}

function routeInRound(work: Work, message: Message): void {
  if (!isReady(work, message)) {
    keepEarly(work, message);
    return;
  }
  switch (message.kind) {
    case 'view-change':
      onViewChange(work, message);
      break;
    case 'new-view':
      onNewView(work, message);
      break;
    case 'pre-prepare':
      if (opensLaterView(work, message)) enterOpenedView(work, message);
      onPrePrepare(work, message);
      break;
    case 'prepare':
      onPrepare(work, message);
      break;
    case 'commit':
      onCommit(work, message);
      break;
    case 'decided':
      // Its certificate was all it had to say.
      break;
  }
}
