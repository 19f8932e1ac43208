import { certifySame, verifyCertificate } from './certificate.ts';
import type { Message } from './messages.ts';
import { turnTo } from './view-change.ts';
import { change, changeRound, headOf, roundOf, type Work } from './work.ts';

/**
 * Does this pre-prepare claim that the height below was final in a later view than this node saw, so that this height
 * begins there? Believed only by a node that has not voted at this height: then two quorums in two such beginnings
 * would share an honest node that voted in both, and there is none.
 */
export function opensLaterView(work: Work, message: Message): boolean {
  const { certificate } = message.envelope;
  const { view, active, preparedView, committedView } = roundOf(work);
  if (message.kind !== 'pre-prepare' || !certificate || preparedView >= 0 || committedView >= 0) return false;
  const later = message.view > view || (message.view === view && !active);
  const begins = work.settings.schedule.startView(certificate.view) === message.view;
  return later && begins && certifySame(certificate, headOf(work));
}

/** Enters that view if the certificate holds. */
export function enterOpenedView(work: Work, message: Message): void {
  const { certificate } = message.envelope;
  if (!certificate || !verifyCertificate(certificate, work.state.validators, work.settings)) return;
  change(work, { head: { ...headOf(work), certificate } });
  turnTo(work, message.view, { active: true, required: undefined });
  changeRound(work, { startView: message.view });
}
