import { type Capability, messageType } from '@careledger/state-machine';
import { anchorsAreDense, disputesAreReadable, retirementsAreHashes } from './invariants.ts';
import { anchorRecordsCodec, anchorRecordsWithValidationCodec, disputeRecordCodec } from './messages.ts';
import { rejections } from './rejections.ts';
import { anchorRecords, disputeRecord } from './transitions.ts';

export const records: Capability = {
  name: 'records',
  codeBase: 2000,
  rejections,
  messages: {
    'records/anchor': messageType({ codec: anchorRecordsCodec, transition: anchorRecords }),
    'records/anchor@2': messageType({
      codec: anchorRecordsWithValidationCodec,
      transition: anchorRecords,
    }),
    'records/dispute': messageType({ codec: disputeRecordCodec, transition: disputeRecord }),
  },
  invariants: [anchorsAreDense, retirementsAreHashes, disputesAreReadable],
};

export {
  type AnchorRecords,
  type AnchorRecordsWithValidation,
  anchorRecordsCodec,
  anchorRecordsWithValidationCodec,
  DISPUTE_REASONS,
  type DisputeReason,
  type DisputeRecord,
  disputeRecordCodec,
  RETIREMENT_COUNTS,
  type Retirement,
  VALIDATION_OUTCOMES,
  type Validation,
  type ValidationOutcome,
} from './messages.ts';
export { anchorCount, readAnchor, successorOf } from './queries.ts';
export type { RecordsRejection } from './rejections.ts';
export {
  type AnchorRecord,
  anchorRecordCodec,
  anchors,
  disputeKey,
  listRecordDisputes,
  type RecordDispute,
  recordDisputeCodec,
  retiredKey,
} from './state.ts';
export { type TombstoneLeaf, tombstoneLeafCodec, tombstoneLeafHash } from './tombstone.ts';
