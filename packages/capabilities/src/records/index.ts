import { type Capability, messageType } from '@careledger/state-machine';
import { anchorsAreDense, retirementsAreHashes } from './invariants.ts';
import { anchorRecordsCodec } from './messages.ts';
import { rejections } from './rejections.ts';
import { anchorRecords } from './transitions.ts';

export const records: Capability = {
  name: 'records',
  codeBase: 2000,
  rejections,
  messages: {
    'records/anchor': messageType({ codec: anchorRecordsCodec, transition: anchorRecords }),
  },
  invariants: [anchorsAreDense, retirementsAreHashes],
};

export {
  type AnchorRecords,
  anchorRecordsCodec,
  RETIREMENT_COUNTS,
  type Retirement,
} from './messages.ts';
export { anchorCount, readAnchor, successorOf } from './queries.ts';
export type { RecordsRejection } from './rejections.ts';
export { type AnchorRecord, anchorRecordCodec, anchors, retiredKey } from './state.ts';
export { type TombstoneLeaf, tombstoneLeafCodec, tombstoneLeafHash } from './tombstone.ts';
