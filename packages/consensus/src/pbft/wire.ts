import {
  bytes,
  CborError,
  type Codec,
  codec,
  fixedBytes,
  fromHex,
  HASH_BYTES,
  list,
  PUBLIC_KEY_BYTES,
  SIGNATURE_BYTES,
  struct,
  toHex,
  uint,
} from '@careledger/primitives';
import type { Certificate, EngineProposal } from '../protocol.ts';

/** Validators of one set. Bounds every list of signatures. */
export const VALIDATORS_MAX = 128;
/** No block of any charter is larger: the envelope's own bound, behind the configured one. */
export const PROPOSAL_BYTES_MAX = 64 * 1024 * 1024;
/** Transactions of one proposal on the wire; the configured bound is lower. */
const TRANSACTIONS_MAX = 200_000;

/** Bytes on the wire, lower-case hexadecimal in memory. */
function hexadecimal(length: number): Codec<string> {
  const inner = fixedBytes(length);
  return codec(
    inner.shape,
    (text) => {
      const value = fromHex(text);
      if (!value) throw new CborError('not hexadecimal');
      return inner.toCbor(value);
    },
    (value) => toHex(inner.fromCbor(value)),
  );
}

export const keyCodec = hexadecimal(PUBLIC_KEY_BYTES);
export const digestCodec = hexadecimal(HASH_BYTES);
export const signatureCodec = fixedBytes(SIGNATURE_BYTES);

export const signaturesCodec = list(struct({ key: keyCodec, signature: signatureCodec }), {
  countMax: VALIDATORS_MAX,
});

export const certificateCodec: Codec<Certificate> = struct({
  engineHeight: uint,
  view: uint,
  time: uint,
  ledgerHeight: uint,
  headerHash: digestCodec,
  signatures: signaturesCodec,
});

export const proposalCodec: Codec<EngineProposal> = struct({
  engineHeight: uint,
  time: uint,
  proposer: keyCodec,
  ledgerHeight: uint,
  parentHash: digestCodec,
  headerHash: digestCodec,
  transactions: list(bytes({ bytesMax: PROPOSAL_BYTES_MAX }), { countMax: TRANSACTIONS_MAX }),
});
