import type { Certificate, Effect, ValidatorKey } from '../protocol.ts';
import { type CertificateContext, certifySame, commitBytes } from './certificate.ts';
import { type Envelope, encodeMessage, prePrepareBytes } from './messages.ts';
import {
  changeRound,
  changeVotes,
  leaderOf,
  positionIn,
  roundOf,
  votesIn,
  type Work,
  withEntry,
} from './work.ts';

export type EvidenceEffect = Extract<Effect, { readonly type: 'evidence' }>;

/** The signed part alone: attachments are not evidence. */
function bare(envelope: Envelope): Uint8Array {
  const { payload, signer, signature } = envelope;
  return encodeMessage({ payload, signer, signature });
}

/** Reports a validator that signed both, once a height. */
export function accuse(work: Work, first: Envelope, second: Envelope): void {
  const against = first.signer;
  const { accused } = roundOf(work);
  if (accused.has(against)) return;
  changeRound(work, { accused: new Set([...accused, against]) });
  work.effects.push({ type: 'evidence', against, first: bare(first), second: bare(second) });
}

/**
 * Notes that the leader of a view signed a pre-prepare of this digest: seen in its own message, or in another's
 * prepare. A leader that tells two stories to two groups is found as soon as the groups hear of one another.
 */
export function noteLeaderSignature(work: Work, view: number, digest: string, signature: Uint8Array): void {
  const known = votesIn(work, view).leaderSignatures;
  if (known.has(digest)) return;
  const leader = leaderOf(work, view);
  const proof = (of: string, by: Uint8Array): Envelope | undefined => {
    const payload = prePrepareBytes(positionIn(work, view), of);
    return work.settings.verify(leader, payload, by) ? { payload, signer: leader, signature: by } : undefined;
  };
  const [other] = known;
  if (!other) {
    changeVotes(work, view, { leaderSignatures: withEntry(known, digest, signature) });
    return;
  }
  const second = proof(digest, signature);
  if (!second) return;
  const first = proof(...other);
  if (first) accuse(work, first, second);
  else changeVotes(work, view, { leaderSignatures: new Map([[digest, signature]]) });
}

/**
 * Who signed both certificates in one view of one height, though they certify different things. One honest quorum
 * against a forged suffix names the forgers; two quorums name more than a third of the validators.
 */
export function findDoubleSigners(
  first: Certificate,
  second: Certificate,
  context: CertificateContext,
): readonly EvidenceEffect[] {
  const comparable = first.engineHeight === second.engineHeight && first.view === second.view;
  if (!comparable || certifySame(first, second)) return [];
  const bytesOf = [commitBytes(context.chain, first), commitBytes(context.chain, second)] as const;
  const found: EvidenceEffect[] = [];
  for (const { key, signature } of first.signatures) {
    const other = second.signatures.find((entry) => entry.key === key);
    if (!other) continue;
    if (!context.verify(key, bytesOf[0], signature)) continue;
    if (!context.verify(key, bytesOf[1], other.signature)) continue;
    found.push(doubleSigned(key, [bytesOf[0], signature], [bytesOf[1], other.signature]));
  }
  return found;
}

type SignedBytes = readonly [payload: Uint8Array, signature: Uint8Array];

function doubleSigned(against: ValidatorKey, first: SignedBytes, second: SignedBytes): EvidenceEffect {
  const wire = ([payload, signature]: SignedBytes): Uint8Array =>
    bare({ payload, signer: against, signature });
  return { type: 'evidence', against, first: wire(first), second: wire(second) };
}
