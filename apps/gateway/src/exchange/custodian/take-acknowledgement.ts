import { keyInForce } from '@careledger/capabilities';
import { openAcknowledgement } from '@careledger/custody';
import { equalBytes, type OrganizationId } from '@careledger/primitives';
import { ExchangeError } from '../errors.ts';
import type { ExchangeContext } from '../exchange-context.ts';
import { journalEvent } from '../journal/journal-event.ts';

/**
 * Journals what a recipient confirms about a chunk that it took. The subjects stand in the entry that it names.
 *
 * @throws {@link ExchangeError} `exchange/invalid` for one that is not the caller's, or names nothing of ours.
 */
export async function takeAcknowledgement(
  context: ExchangeContext,
  signed: Uint8Array,
  caller: { readonly organization: OrganizationId; readonly purpose: string },
): Promise<void> {
  const opened = openAcknowledgement(signed, context.verifySignature);
  if (!opened.ok) throw new ExchangeError('exchange/invalid', 'The acknowledgement cannot be verified.');
  const { content, publicKey } = opened.value;
  const isOwn =
    content.recipient === caller.organization &&
    content.custodian === context.organization &&
    equalBytes(content.chain, context.ledger.chain) &&
    keyInForce(context.ledger, publicKey)?.organization === caller.organization;
  const disclosure = isOwn ? context.journal.byCommitment(content.entry) : undefined;
  // The leaf is a secret of two: whoever else came by it confirms nothing.
  const isToCaller =
    disclosure?.event === 'disclosure' &&
    (await context.journal.read(disclosure.sequence)).entry.counterpart === caller.organization;
  if (!disclosure || !isToCaller) {
    throw new ExchangeError('exchange/invalid', 'The acknowledgement names no disclosure to this recipient.');
  }
  await journalEvent(context, {
    event: 'acknowledgement',
    counterpart: caller.organization,
    purpose: caller.purpose,
    subjects: disclosure.subjects,
    requestId: content.requestId,
    chunk: content.chunk,
    counterpartEntry: content.ownEntry,
  });
}
