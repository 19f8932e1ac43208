import {
  chainIdCodec,
  fixedBytes,
  hashCodec,
  oneOf,
  organizationIdCodec,
  type Result,
  type Signer,
  type StructOf,
  struct,
  uint,
  type VerifySignature,
} from '@careledger/primitives';
import { REQUEST_ID_BYTES } from './disclosure-leaf.ts';
import { openStatement, type Statement, type StatementFailure, signStatement } from './statement.ts';

const DOMAIN = 'careledger/acknowledgement/v1';

const acknowledgementFields = {
  kind: oneOf(['careledger/acknowledgement/1']),
  chain: chainIdCodec,
  custodian: organizationIdCodec,
  recipient: organizationIdCodec,
  requestId: fixedBytes(REQUEST_ID_BYTES),
  chunk: uint,
  /** The salted commitment of the custodian's journal entry, from its disclosure leaf. */
  entry: hashCodec,
  /** The recipient's own journal entry about it, anchored by the recipient: leaving one out needs two liars. */
  ownEntry: hashCodec,
  receivedAt: uint,
  accepted: uint,
  rejected: uint,
};
export const acknowledgementCodec = struct(acknowledgementFields);
/** What a recipient signs about a chunk that it took. */
export type Acknowledgement = StructOf<typeof acknowledgementFields>;

export function signAcknowledgement(acknowledgement: Acknowledgement, signer: Signer): Uint8Array {
  return signStatement({ domain: DOMAIN, codec: acknowledgementCodec }, acknowledgement, signer);
}

export function openAcknowledgement(
  signed: Uint8Array,
  verify: VerifySignature,
): Result<Statement<Acknowledgement>, StatementFailure> {
  return openStatement({ domain: DOMAIN, codec: acknowledgementCodec, verify }, signed);
}
