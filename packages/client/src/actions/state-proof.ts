import {
  type StateEvidence,
  stateEvidenceCodec,
  TrustedChain,
  type TrustPath,
  trustPathCodec,
  type VerifiedState,
  verifyStateEvidence,
} from '@careledger/ledger';
import { CborError, type Codec, err, ok, oneOf, type Result, struct } from '@careledger/primitives';
import { type LedgerClient, learnTrustPath } from '../ledger-client.ts';
import { getStateEvidence } from './get-state.ts';
import type { FileFault, OfflineTrust } from './verify-file.ts';

export const STATE_PROOF_KIND = 'careledger/state-proof/1';
export const STATE_PROOF_BYTES_MAX: number = 16 * 1024 * 1024;

/** Shows offline that a state key had this value, or none, under a final header. */
export interface StateProofFile {
  readonly kind: typeof STATE_PROOF_KIND;
  readonly evidence: StateEvidence;
  readonly trust: TrustPath;
}

export const stateProofFileCodec: Codec<StateProofFile> = struct({
  kind: oneOf([STATE_PROOF_KIND]),
  evidence: stateEvidenceCodec,
  trust: trustPathCodec,
});

/**
 * Reads a state key, checks the answer, and makes a file of it that others check with the chain id alone.
 *
 * @throws ProofMismatchError, StaleAnswerError.
 */
export async function exportStateProof(
  client: LedgerClient,
  options: { readonly key: Uint8Array; readonly height?: number },
): Promise<{ readonly bytes: Uint8Array; readonly state: VerifiedState }> {
  const { evidence, state } = await getStateEvidence(client, options);
  const trust = await learnTrustPath(client);
  return { bytes: stateProofFileCodec.encode({ kind: STATE_PROOF_KIND, evidence, trust }), state };
}

/** Checks a state proof file offline. */
export function verifyStateProofFile(
  file: Uint8Array,
  { expectedChain, verifySignature }: OfflineTrust,
): Result<{ readonly kind: 'state-proof'; readonly state: VerifiedState }, FileFault> {
  const fault = (code: string, message: string) =>
    err({ code: `state-proof/${code.replaceAll(' ', '-')}`, message });
  if (file.length > STATE_PROOF_BYTES_MAX) return fault('malformed', 'it is larger than its limit');
  let decoded: StateProofFile;
  try {
    decoded = stateProofFileCodec.decode(file);
  } catch (error) {
    if (error instanceof CborError) return fault('malformed', error.message);
    throw error;
  }
  const { evidence, trust } = decoded;
  const trusted = TrustedChain.fromPath({ path: trust, expectedChain, verifySignature });
  if (!trusted.ok) return fault(trusted.error.code, trusted.error.detail);
  if (trusted.value.hasUnnamedValidators()) return fault('validator set', 'no verified header names it');
  const { key } = evidence;
  const state = verifyStateEvidence({ evidence, key, trusted: trusted.value, verifySignature });
  return state.ok
    ? ok({ kind: 'state-proof', state: state.value })
    : fault(state.error.code, state.error.detail);
}
