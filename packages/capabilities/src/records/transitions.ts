import { retireKeyOf } from '@careledger/ledger';
import { toHex } from '@careledger/primitives';
import {
  accepted,
  type Outcome,
  rejected,
  type StateReader,
  type TransitionContext,
  type Write,
} from '@careledger/state-machine';
import { recordsAnchored } from './events.ts';
import type { AnchorRecords } from './messages.ts';
import type { RecordsRejection } from './rejections.ts';
import { anchors, readRetired, writeRetired } from './state.ts';

/** Appends a batch root to the custodian's list and writes down what it retires, each version once only. */
export function anchorRecords(
  state: StateReader,
  message: AnchorRecords,
  context: TransitionContext,
): Outcome<RecordsRejection> {
  if (!context.roles.includes('custodian')) return rejected('records/not-custodian');
  const retired = new Set<string>();
  const writes: Write[] = [];
  // Computed from the signer's organization: who copies a secret only makes noise under a key nobody looks up.
  for (const { retireSecret, successor } of message.retirements) {
    const retireKey = retireKeyOf({ organization: context.signer, retireSecret });
    const name = toHex(retireKey);
    if (retired.has(name) || readRetired(state, retireKey)) return rejected('records/already-retired');
    retired.add(name);
    writes.push(writeRetired(retireKey, successor));
  }

  const anchored = { root: message.root, height: context.height, time: context.blockTime };
  const { index, writes: appended } = anchors.append(state, context.signer, anchored);
  return accepted([...appended, ...writes], [recordsAnchored(context.signer, index, message.root)]);
}
