import { bool, bytes, CborError, type Codec, optional, struct, uint } from '@careledger/primitives';
import { preparedCodec } from './messages.ts';
import type { VotingRecord } from './state.ts';
import { certificateCodec, digestCodec, PROPOSAL_BYTES_MAX } from './wire.ts';

const headFields = { engineHeight: uint, time: uint, ledgerHeight: uint, headerHash: digestCodec };
const recordCodec = struct({
  version: uint,
  head: struct({ ...headFields, certificate: optional(certificateCodec) }),
  view: uint,
  active: bool,
  prepared: optional(struct({ proof: preparedCodec, proposal: bytes({ bytesMax: PROPOSAL_BYTES_MAX }) })),
});
const RECORD_VERSION = 1;

export const votingRecordCodec: Pick<Codec<VotingRecord>, 'encode' | 'decode'> = {
  encode: ({ head, view, active, prepared }) => {
    const { certificate, ...fields } = head;
    return recordCodec.encode({
      version: RECORD_VERSION,
      head: { ...fields, ...(certificate && { certificate }) },
      view,
      active,
      ...(prepared && { prepared }),
    });
  },
  decode: (encoded) => {
    const { version, head, view, active, prepared } = recordCodec.decode(encoded);
    if (version !== RECORD_VERSION) throw new CborError('votes of an unknown version');
    return { head: { ...head, certificate: head.certificate }, view, active, prepared };
  },
};
