import {
  type CertifiedHeader,
  certifiedHeaderCodec,
  type InclusionProof,
  inclusionProofCodec,
  type RecordLeaf,
  recordLeafCodec,
  SALT_BYTES,
  STATE_VALUE_BYTES_MAX,
  type StateProof,
  stateProofCodec,
  type TransactionEvidence,
  transactionEvidenceCodec,
} from '@careledger/ledger';
import {
  bytes,
  type Codec,
  type ConsentId,
  consentIdCodec,
  fixedBytes,
  list,
  optional,
  type PublicKey,
  publicKeyCodec,
  struct,
} from '@careledger/primitives';

/** A value under the page's one header, or its absence. The key follows from what it is about. */
export interface ProvenValue {
  readonly value?: Uint8Array;
  readonly proof: StateProof;
}

/** What travels with one record version so that its recipient can check it alone. */
export interface RecordEvidence {
  readonly salt: Uint8Array;
  readonly leaf: RecordLeaf;
  /** From the leaf to the root that its anchor names. */
  readonly leafProof: InclusionProof;
  readonly anchor: TransactionEvidence;
  /** That state holds nothing at the leaf's retire key. */
  readonly retired: ProvenValue;
  /** For a version that replaces another: the replaced leaf, and that state names this one as its successor. */
  readonly previous?: { readonly leaf: RecordLeaf; readonly retired: ProvenValue };
}

/** What travels once with a page: the header under which everything is proven, and whose keys and consent it was. */
export interface PageEvidence {
  readonly head: CertifiedHeader;
  readonly keys: readonly { readonly publicKey: PublicKey; readonly proven: ProvenValue }[];
  readonly consent?: { readonly consentId: ConsentId; readonly proven: ProvenValue };
}

const KEYS_MAX = 64;

export const provenValueCodec: Codec<ProvenValue> = struct({
  value: optional(bytes({ bytesMax: STATE_VALUE_BYTES_MAX })),
  proof: stateProofCodec,
});

const previousCodec = struct({ leaf: recordLeafCodec, retired: provenValueCodec });
export const recordEvidenceCodec = struct({
  salt: fixedBytes(SALT_BYTES),
  leaf: recordLeafCodec,
  leafProof: inclusionProofCodec,
  anchor: transactionEvidenceCodec,
  retired: provenValueCodec,
  previous: optional(previousCodec),
}) as Codec<RecordEvidence>;

export const pageEvidenceCodec = struct({
  head: certifiedHeaderCodec,
  keys: list(struct({ publicKey: publicKeyCodec, proven: provenValueCodec }), { countMax: KEYS_MAX }),
  consent: optional(struct({ consentId: consentIdCodec, proven: provenValueCodec })),
}) as Codec<PageEvidence>;
