import { RECORD_BATCH_MAX, retireKeyOf, verifyInclusion } from '@careledger/ledger';
import { toHex } from '@careledger/primitives';
import {
  accepted,
  type Outcome,
  rejected,
  type StateReader,
  type TransitionContext,
  type Write,
} from '@careledger/state-machine';
import { recordDisputed, recordsAnchored } from './events.ts';
import type { AnchorRecords, AnchorRecordsWithValidation, DisputeRecord } from './messages.ts';
import type { RecordsRejection } from './rejections.ts';
import { anchors, readRecordDispute, readRetired, writeRecordDispute, writeRetired } from './state.ts';

/** Appends a batch root to the custodian's list and writes down what it retires, each version once only. */
export function anchorRecords(
  state: StateReader,
  message: AnchorRecords | AnchorRecordsWithValidation,
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

  const anchored = {
    root: message.root,
    height: context.height,
    time: context.blockTime,
    ...('validation' in message && { validation: message.validation }),
  };
  const { index, writes: appended } = anchors.append(state, context.signer, anchored);
  return accepted([...appended, ...writes], [recordsAnchored(context.signer, index, message.root)]);
}

/**
 * Flags a record version that its author signed rightly and that is wrong all the same. Nothing is taken away: who
 * reads the record sees that it is disputed, by whom, and asks them.
 */
export function disputeRecord(
  state: StateReader,
  message: DisputeRecord,
  context: TransitionContext,
): Outcome<RecordsRejection> {
  const { custodian, anchor, leaf, leafProof, reason, statement } = message;
  const anchored = anchors.read(state, custodian, anchor);
  const isHeld =
    leafProof.size <= RECORD_BATCH_MAX &&
    anchored !== undefined &&
    verifyInclusion({ leafHash: leaf, proof: leafProof, root: anchored.root }).ok;
  if (!isHeld) return rejected('records/not-anchored');
  const before = readRecordDispute(state, leaf, context.signer);
  const isStanding = before !== undefined && before.reason !== 'withdrawn';
  if (reason === 'withdrawn' && !isStanding) return rejected('records/not-disputed');
  if (reason !== 'withdrawn' && isStanding) return rejected('records/already-disputed');

  const dispute = { reason, statement, height: context.height, time: context.blockTime };
  return accepted(
    [writeRecordDispute(leaf, context.signer, dispute)],
    [recordDisputed(context.signer, leaf, reason)],
  );
}
