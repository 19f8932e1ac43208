import { equalBytes } from '@careledger/primitives';
import { admit, digestOf } from './candidate.ts';
import { noteLeaderSignature } from './evidence.ts';
import {
  type Envelope,
  type MessageOf,
  newViewBytes,
  openPayload,
  type PreparedProof,
  prePrepareBytes,
  prepareBytes,
  type SignedPayload,
  viewChangeBytes,
} from './messages.ts';
import { hasHonest, isQuorum, isValidator } from './quorum.ts';
import type { ViewChangeVote } from './state.ts';
import { acceptPrePrepare } from './vote.ts';
import {
  changeRound,
  leaderOf,
  maySpeak,
  positionIn,
  roundOf,
  say,
  signed,
  type Work,
  withEntry,
} from './work.ts';

/** Votes of views further back than this are forgotten; what was prepared is kept. */
const VIEWS_KEPT = 8;

/** Moves to a view and forgets what was said in the one before. */
export function turnTo(
  work: Work,
  view: number,
  part: { active: boolean; required: string | undefined },
): void {
  const votes = new Map([...roundOf(work).votes].filter(([of]) => of >= view - VIEWS_KEPT));
  changeRound(work, {
    ...part,
    view,
    votes,
    building: undefined,
    outbox: [],
    resends: 0,
    sentAt: work.state.elapsed,
    viewBeganAt: work.state.elapsed,
    quorumAt: undefined,
    acceptedAt: undefined,
  });
}

/** Leaves the view for a later one and says so, with what was prepared (Castro and Liskov 1999, section 4.4). */
export function startViewChange(work: Work, view: number): void {
  if (!maySpeak(work)) return;
  turnTo(work, view, { active: false, required: undefined });
  const { prepared, viewChanges } = roundOf(work);
  const payload = viewChangeBytes(positionIn(work, view), prepared?.proof);
  const envelope: Envelope = {
    ...signed(work, payload),
    ...(prepared && { proposal: prepared.proposal }),
  };
  say(work, envelope);
  const vote: ViewChangeVote = { view, prepared: prepared?.proof, envelope };
  changeRound(work, { viewChanges: withEntry(viewChanges, envelope.signer, vote) });
  concludeViewChange(work);
}

export function onViewChange(work: Work, message: MessageOf<'view-change'>): void {
  const { view, envelope, prepared } = message;
  const { viewChanges, view: current, active } = roundOf(work);
  const known = viewChanges.get(envelope.signer);
  if (view < current || (view === current && active) || (known && known.view >= view)) return;
  if (!isProven(work, view, prepared)) return;
  if (prepared && (!envelope.proposal || digestOf(envelope.proposal) !== prepared.digest)) return;
  changeRound(work, {
    viewChanges: withEntry(viewChanges, envelope.signer, { view, prepared, envelope }),
  });
  joinLaterView(work);
  concludeViewChange(work);
}

/** A claim to have prepared needs the prepares of a quorum, from an earlier view. */
function isProven(work: Work, view: number, prepared: PreparedProof | undefined): boolean {
  if (!prepared) return true;
  const { validators } = work.state;
  const keys = prepared.signatures.map((entry) => entry.key);
  if (prepared.view >= view || new Set(keys).size !== keys.length) return false;
  if (!keys.every((key) => isValidator(validators, key)) || !isQuorum(validators, keys)) return false;
  const bytes = prepareBytes(positionIn(work, prepared.view), prepared.digest);
  return prepared.signatures.every(({ key, signature }) => work.settings.verify(key, bytes, signature));
}

/** More than 1/3 are in later views, so an honest one is: join the lowest of them without waiting (section 4.5.2). */
function joinLaterView(work: Work): void {
  const { viewChanges, view } = roundOf(work);
  const later = [...viewChanges].filter(([, vote]) => vote.view > view);
  const keys = later.map(([key]) => key);
  if (!hasHonest(work.state.validators, keys)) return;
  startViewChange(work, Math.min(...later.map(([, vote]) => vote.view)));
}

/** Notes a quorum for the view that is waited for; its leader then makes the new-view. */
function concludeViewChange(work: Work): void {
  const { viewChanges, view, active, quorumAt } = roundOf(work);
  if (active) return;
  const arrived = [...viewChanges].filter(([, vote]) => vote.view >= view).map(([key]) => key);
  if (quorumAt === undefined && isQuorum(work.state.validators, arrived)) {
    changeRound(work, { quorumAt: work.state.elapsed });
  }
  const votes = [...viewChanges.values()].filter((vote) => vote.view === view);
  const keys = votes.map((vote) => vote.envelope.signer);
  if (leaderOf(work, view) !== work.settings.self || !maySpeak(work)) return;
  if (isQuorum(work.state.validators, keys)) makeNewView(work, votes);
}

/** What was prepared in the latest view, if anything: it may be final somewhere, so nothing else may be proposed. */
function highestPrepared<Vote extends { readonly prepared: PreparedProof | undefined }>(
  votes: readonly Vote[],
): { readonly vote: Vote; readonly proof: PreparedProof } | undefined {
  let highest: { vote: Vote; proof: PreparedProof } | undefined;
  for (const vote of votes) {
    const proof = vote.prepared;
    if (proof && (!highest || proof.view > highest.proof.view)) highest = { vote, proof };
  }
  return highest;
}

function makeNewView(work: Work, votes: readonly ViewChangeVote[]): void {
  const { view } = roundOf(work);
  const chosen = highestPrepared(votes);
  const viewChanges = votes.map(({ envelope }): SignedPayload => {
    const { payload, signer, signature } = envelope;
    return { payload, signer, signature };
  });
  const proposal = chosen?.vote.envelope.proposal;
  turnTo(work, view, { active: true, required: chosen?.proof.digest });
  say(work, {
    ...signed(work, newViewBytes(positionIn(work, view), viewChanges)),
    ...(proposal && { proposal }),
  });
  if (!chosen || !admit(work, chosen.proof.digest, proposal)) return;
  const digest = chosen.proof.digest;
  const prePrepare = signed(work, prePrepareBytes(positionIn(work, view), digest));
  noteLeaderSignature(work, view, digest, prePrepare.signature);
  say(work, prePrepare);
  acceptPrePrepare(work, { digest, fresh: false, signature: prePrepare.signature });
}

/** Enters a new view when a quorum of view-changes proves it; what it obliges the leader to propose is noted. */
export function onNewView(work: Work, message: MessageOf<'new-view'>): void {
  const { view, envelope } = message;
  const { view: current, active } = roundOf(work);
  if (view < current || (view === current && active) || envelope.signer !== leaderOf(work, view)) return;
  const votes = message.viewChanges.map((inner) => openViewChange(work, view, inner));
  const valid = votes.flatMap((vote) => (vote ? [vote] : []));
  const signers = new Set(valid.map((vote) => vote.envelope.signer));
  if (valid.length !== votes.length || signers.size !== votes.length) return;
  if (!isQuorum(work.state.validators, signers)) return;
  const chosen = highestPrepared(valid);
  turnTo(work, view, { active: true, required: chosen?.proof.digest });
  if (chosen) admit(work, chosen.proof.digest, envelope.proposal);
}

function openViewChange(
  work: Work,
  view: number,
  inner: SignedPayload,
): MessageOf<'view-change'> | undefined {
  const message = openPayload(inner);
  if (message?.kind !== 'view-change' || message.view !== view) return undefined;
  const { chain, engineHeight } = positionIn(work, view);
  if (message.engineHeight !== engineHeight || !equalBytes(message.chain, chain)) return undefined;
  if (!isValidator(work.state.validators, inner.signer)) return undefined;
  if (!work.settings.verify(inner.signer, inner.payload, inner.signature)) return undefined;
  return isProven(work, view, message.prepared) ? message : undefined;
}
