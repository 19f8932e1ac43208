import {
  type Commitment,
  chainIdCodec,
  consentIdCodec,
  domainHash,
  fixedBytes,
  hashCodec,
  headerHashCodec,
  oneOf,
  optional,
  organizationIdCodec,
  type Result,
  type Signer,
  type StructOf,
  struct,
  text,
  uint,
  type VerifySignature,
} from '@careledger/primitives';
import { openStatement, type Statement, type StatementFailure, signStatement } from './statement.ts';

export const REQUEST_ID_BYTES = 16;
const DOMAIN = 'careledger/disclosure-leaf/v1';

const disclosureLeafFields = {
  kind: oneOf(['careledger/disclosure-leaf/1']),
  chain: chainIdCodec,
  custodian: organizationIdCodec,
  recipient: organizationIdCodec,
  /** Chosen by the recipient: binds the answer to its question. */
  requestId: fixedBytes(REQUEST_ID_BYTES),
  chunk: uint,
  /** The journal entry's salted commitment: the leaf that the custodian must anchor. */
  entry: hashCodec,
  consentId: optional(consentIdCodec),
  purpose: text({ bytesMax: 16 }),
  ground: text({ bytesMax: 32 }),
  /** Which record versions, in order: {@link recordsDigest} of their commitments. */
  records: hashCodec,
  recordCount: uint,
  /** The final engine block that the decision was made on. */
  head: struct({ engineHeight: uint, time: uint, headerHash: headerHashCodec }),
  /** The custodian may not write later, the recipient discards later (plus skew). */
  releaseBefore: uint,
};
export const disclosureLeafCodec = struct(disclosureLeafFields);
/** What a custodian signs with every chunk it hands out. */
export type DisclosureLeaf = StructOf<typeof disclosureLeafFields>;

/** One hash for the record versions of a chunk, in order. */
export function recordsDigest(commitments: readonly Commitment[]): Uint8Array {
  return domainHash('careledger/released-records/v1', ...commitments);
}

export function signDisclosureLeaf(leaf: DisclosureLeaf, signer: Signer): Uint8Array {
  return signStatement({ domain: DOMAIN, codec: disclosureLeafCodec }, leaf, signer);
}

export function openDisclosureLeaf(
  signed: Uint8Array,
  verify: VerifySignature,
): Result<Statement<DisclosureLeaf>, StatementFailure> {
  return openStatement({ domain: DOMAIN, codec: disclosureLeafCodec, verify }, signed);
}
