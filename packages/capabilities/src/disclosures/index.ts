import { type Capability, messageType } from '@careledger/state-machine';
import { acknowledgementsAreDense, anchorsAreDense } from './invariants.ts';
import { acknowledgeDisclosuresCodec, anchorDisclosuresCodec } from './messages.ts';
import { rejections } from './rejections.ts';
import { acknowledgeDisclosures, anchorDisclosures } from './transitions.ts';

export const disclosures: Capability = {
  name: 'disclosures',
  codeBase: 5000,
  rejections,
  messages: {
    'disclosures/anchor': messageType({ codec: anchorDisclosuresCodec, transition: anchorDisclosures }),
    'disclosures/acknowledge': messageType({
      codec: acknowledgeDisclosuresCodec,
      transition: acknowledgeDisclosures,
    }),
  },
  invariants: [anchorsAreDense, acknowledgementsAreDense],
};

export {
  type AcknowledgeDisclosures,
  type AnchorDisclosures,
  acknowledgeDisclosuresCodec,
  anchorDisclosuresCodec,
  SIZE_MAX,
} from './messages.ts';
export {
  acknowledgementCount,
  disclosureAnchorCount,
  readAcknowledgement,
  readDisclosureAnchor,
} from './queries.ts';
export type { DisclosuresRejection } from './rejections.ts';
export {
  type Acknowledgement,
  acknowledgementCodec,
  acknowledgements,
  type DisclosureAnchor,
  disclosureAnchorCodec,
  disclosureAnchors,
} from './state.ts';
