import {
  accepted,
  type Outcome,
  rejected,
  type StateReader,
  type TransitionContext,
} from '@careledger/state-machine';
import { disclosuresAcknowledged, disclosuresAnchored } from './events.ts';
import type { AcknowledgeDisclosures, AnchorDisclosures } from './messages.ts';
import type { DisclosuresRejection } from './rejections.ts';
import { acknowledgements, disclosureAnchors } from './state.ts';

function isPadded(size: number): boolean {
  return size > 0 && (size & (size - 1)) === 0;
}

export function anchorDisclosures(
  state: StateReader,
  message: AnchorDisclosures,
  context: TransitionContext,
): Outcome<DisclosuresRejection> {
  if (!context.roles.includes('custodian')) return rejected('disclosures/not-custodian');
  if (!isPadded(message.size)) return rejected('disclosures/size-not-padded');

  const anchor = { ...message, time: context.blockTime };
  const { index, writes } = disclosureAnchors.append(state, context.signer, anchor);
  return accepted(writes, [disclosuresAnchored(context.signer, index, message.root)]);
}

export function acknowledgeDisclosures(
  state: StateReader,
  message: AcknowledgeDisclosures,
  context: TransitionContext,
): Outcome<DisclosuresRejection> {
  if (!context.roles.includes('custodian')) return rejected('disclosures/not-custodian');
  if (!isPadded(message.size)) return rejected('disclosures/size-not-padded');

  const acknowledgement = { ...message, time: context.blockTime };
  const { index, writes } = acknowledgements.append(state, context.signer, acknowledgement);
  return accepted(writes, [disclosuresAcknowledged(context.signer, index, message.root)]);
}
