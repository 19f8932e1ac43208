import { type KeyRecord, keyKey, keyRecordCodec, retiredKey } from '@careledger/capabilities';
import {
  decodeReceipt,
  type Receipt,
  receiptCodec,
  SALT_BYTES,
  type StateEvidence,
  stateEvidenceCodec,
  TrustedChain,
  type TrustPath,
  trustPathCodec,
  type VerifiedReceipt,
  type VerifiedState,
  verifyReceipt,
  verifyStateEvidence,
} from '@careledger/ledger';
import {
  CborError,
  type Codec,
  err,
  fixedBytes,
  type OrganizationId,
  ok,
  oneOf,
  type Result,
  struct,
} from '@careledger/primitives';
import { ProofMismatchError } from '../errors.ts';
import { type LedgerClient, learnTrustPath } from '../ledger-client.ts';
import { getStateEvidence } from './get-state.ts';
import type { FileFault, OfflineTrust } from './verify-file.ts';

export const RECORD_PROOF_KIND = 'careledger/record-proof/1';
export const RECORD_PROOF_BYTES_MAX: number = 48 * 1024 * 1024;

/** What goes along with a record to somebody who wants to know that it is genuine. Holds the salt, so it is as private as the record. */
export interface RecordProofFile {
  readonly kind: typeof RECORD_PROOF_KIND;
  readonly receipt: Receipt;
  readonly salt: Uint8Array;
  /** `membership/key/<signer>`: whose key signed the anchor. */
  readonly issuer: StateEvidence;
  /** `records/retired/<retireKey>`: its absence says that the record stands. */
  readonly retirement: StateEvidence;
  /** From genesis to the headers of both. */
  readonly trust: TrustPath;
}

export const recordProofFileCodec: Codec<RecordProofFile> = struct({
  kind: oneOf([RECORD_PROOF_KIND]),
  receipt: receiptCodec,
  salt: fixedBytes(SALT_BYTES),
  issuer: stateEvidenceCodec,
  retirement: stateEvidenceCodec,
  trust: trustPathCodec,
});

/** What a record proof shows. */
export interface VerifiedRecordProof {
  readonly kind: 'record-proof';
  /** Who anchored the record, and from when: `receipt.opened` says whether a record was compared. */
  readonly issuer: OrganizationId;
  readonly receipt: VerifiedReceipt;
  /** Hash of the leaf that took its place, or `undefined`: proven that the issuer had not retired it at `asOf`. */
  readonly replacedBy: Uint8Array | undefined;
  readonly asOf: { readonly height: number; readonly time: number };
}

/**
 * Makes a file of everything that a third party needs to judge a record: who issued it, when, that it is unaltered and
 * that it still stands. The node learns which anchor is asked about, and nothing of the record.
 *
 * @param options.record Exactly the bytes that `vread` returned.
 * @throws ProofMismatchError `record` when record, salt and receipt do not belong together; StaleAnswerError.
 *
 * @example
 * const file = await exportRecordProof(client, { receipt, salt, record });
 */
export async function exportRecordProof(
  client: LedgerClient,
  options: { readonly receipt: Uint8Array; readonly salt: Uint8Array; readonly record: Uint8Array },
): Promise<{ readonly bytes: Uint8Array; readonly proof: VerifiedRecordProof }> {
  const { salt, record } = options;
  const receipt = decodeReceipt(options.receipt);
  if (!receipt.ok) throw new ProofMismatchError('record', receipt.error.detail);
  const { chain: expectedChain, verifySignature } = client;
  const anchored = verifyReceipt({
    receipt: receipt.value,
    expectedChain,
    verifySignature,
    opening: { salt, record },
  });
  if (!anchored.ok) throw new ProofMismatchError('record', anchored.error.detail);
  const { signer, leaf } = anchored.value;
  const issuer = await getStateEvidence(client, { key: keyKey(signer) });
  const retirement = await getStateEvidence(client, { key: retiredKey(leaf.retireKey) });
  const bytes = recordProofFileCodec.encode({
    kind: RECORD_PROOF_KIND,
    receipt: receipt.value,
    salt,
    issuer: issuer.evidence,
    retirement: retirement.evidence,
    trust: await learnTrustPath(client),
  });
  const proof = verifyRecordProofFile(bytes, { expectedChain, verifySignature, record });
  if (!proof.ok) throw new ProofMismatchError(proof.error.code, proof.error.message);
  return { bytes, proof: proof.value };
}

function fault(code: string, message: string): Result<never, FileFault> {
  return err({ code: `record-proof/${code.replaceAll(' ', '-')}`, message });
}

function decodeFile(file: Uint8Array): Result<RecordProofFile, FileFault> {
  if (file.length > RECORD_PROOF_BYTES_MAX) return fault('malformed', 'it is larger than its limit');
  try {
    return ok(recordProofFileCodec.decode(file));
  } catch (error) {
    if (error instanceof CborError) return fault('malformed', error.message);
    throw error;
  }
}

/** Is this evidence about this key, and does it hold? */
function stateOf(
  evidence: StateEvidence,
  key: Uint8Array,
  trust: { readonly trusted: TrustedChain } & Pick<OfflineTrust, 'verifySignature'>,
): Result<VerifiedState, FileFault> {
  const state = verifyStateEvidence({ evidence, key, ...trust });
  return state.ok ? state : fault(state.error.code, state.error.detail);
}

function issuerOf(value: Uint8Array | undefined): KeyRecord | undefined {
  if (value === undefined) return undefined;
  try {
    return keyRecordCodec.decode(value);
  } catch (error) {
    if (error instanceof CborError) return undefined;
    throw error;
  }
}

/**
 * Matches a record with its proof offline: nothing leaves the caller's machine, and nothing is asked of anybody
 * (docs/match-record.md). Proven is what the issuer anchored and that it had not retired it, not that there is no other record.
 *
 * @example
 * const matched = verifyRecordProofFile(file, { record, expectedChain, verifySignature });
 * if (matched.ok) console.log(matched.value.issuer, matched.value.replacedBy === undefined);
 */
export function verifyRecordProofFile(
  file: Uint8Array,
  { expectedChain, verifySignature, record }: OfflineTrust & { readonly record?: Uint8Array },
): Result<VerifiedRecordProof, FileFault> {
  const decoded = decodeFile(file);
  if (!decoded.ok) return decoded;
  const { receipt, salt, issuer, retirement, trust } = decoded.value;
  const opening = record === undefined ? {} : { opening: { salt, record } };
  const anchored = verifyReceipt({ receipt, expectedChain, verifySignature, ...opening });
  if (!anchored.ok) return fault(anchored.error.code, anchored.error.detail);
  const trusted = TrustedChain.fromPath({ path: trust, expectedChain, verifySignature });
  if (!trusted.ok) return fault(trusted.error.code, trusted.error.detail);
  if (trusted.value.hasUnnamedValidators()) return fault('validator set', 'no verified header names it');
  const chain = { trusted: trusted.value, verifySignature };
  const { signer, leaf, height } = anchored.value;
  const owner = stateOf(issuer, keyKey(signer), chain);
  if (!owner.ok) return owner;
  const standing = stateOf(retirement, retiredKey(leaf.retireKey), chain);
  if (!standing.ok) return standing;
  const organization = issuerOf(owner.value.value)?.organization;
  if (organization === undefined) return fault('issuer', 'the anchor was signed by the key of no member');
  // Before its own block nothing can have retired it: a proof of that time would say nothing.
  if (standing.value.header.height < height) return fault('height', 'it is older than the anchor');
  return ok({
    kind: 'record-proof',
    issuer: organization,
    receipt: anchored.value,
    replacedBy: standing.value.value,
    asOf: { height: standing.value.header.height, time: standing.value.time },
  });
}
