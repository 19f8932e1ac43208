import { equalBytes } from '@careledger/primitives';
import type { Message } from './messages.ts';
import { opensLaterView } from './opened-view.ts';
import { change, roundOf, type Work, withEntry } from './work.ts';

/** Messages kept of each signer for heights and views that this node has not reached. */
const EARLY_COUNT_MAX = 32;
/** Heights ahead that are worth keeping: further away the node has to catch up by blocks anyway. */
const EARLY_HEIGHTS_MAX = 4;

function bytesOf(message: Message): number {
  return message.envelope.payload.length + (message.envelope.proposal?.length ?? 0);
}

/** Keeps a verified message until its turn: the newest of each signer, within a count, a size and a distance. */
export function keepEarly(work: Work, message: Message): void {
  const { engineHeight, deciding, certified } = roundOf(work);
  const reached = deciding && certified ? certified.engineHeight : engineHeight;
  if (message.engineHeight > reached + EARLY_HEIGHTS_MAX) return;
  const { signer, payload } = message.envelope;
  const others = (work.state.early.get(signer) ?? []).filter(
    (kept) => !equalBytes(kept.envelope.payload, payload),
  );
  const kept = [...others, message].slice(-EARLY_COUNT_MAX);
  const bytesMax = 2 * work.settings.limits.blockBytesMax;
  let bytes = kept.reduce((sum, one) => sum + bytesOf(one), 0);
  while (bytes > bytesMax && kept.length > 1) {
    const [oldest] = kept.splice(0, 1);
    bytes -= oldest ? bytesOf(oldest) : 0;
  }
  change(work, { early: withEntry(work.state.early, signer, kept) });
}

/** Can a message of this height be acted on in the present view? */
export function isReady(work: Work, message: Message): boolean {
  const { view, active } = roundOf(work);
  if (message.kind === 'view-change' || message.kind === 'new-view') return true;
  if (message.kind !== 'pre-prepare') return message.view <= view;
  return message.view < view || (message.view === view && active) || opensLaterView(work, message);
}

/** Takes out one message whose turn has come, or nothing. */
export function takeDue(work: Work): Message | undefined {
  const { engineHeight, deciding } = roundOf(work);
  if (deciding) return undefined;
  const isDue = (message: Message): boolean =>
    message.engineHeight === engineHeight && isReady(work, message);
  for (const [signer, messages] of work.state.early) {
    const due = messages.find(isDue);
    if (!due) continue;
    change(work, {
      early: withEntry(
        work.state.early,
        signer,
        messages.filter((message) => message !== due),
      ),
    });
    return due;
  }
  return undefined;
}
