import { type CborValue, encodeCbor, fromHex, invariant } from '@careledger/primitives';
import type { Certificate, ConsensusValidator, ValidatorKey } from '../protocol.ts';
import { isQuorum, isValidator } from './quorum.ts';

export const COMMIT_DOMAIN = 'careledger/commit/v1';

/** What a commit is about: everything of a certificate but its signatures. */
export type CommitContent = Omit<Certificate, 'signatures'>;

/**
 * The bytes that a commit signs: deterministic CBOR of `[domain, chain, engineHeight, view, time, ledgerHeight,
 * headerHash]`. They make the finality certificate (section 5 of the design).
 */
export function commitBytes(chain: Uint8Array, content: CommitContent): Uint8Array {
  const headerHash = fromHex(content.headerHash);
  invariant(headerHash, 'a header hash is hexadecimal');
  const fields: CborValue[] = [
    COMMIT_DOMAIN,
    chain,
    content.engineHeight,
    content.view,
    content.time,
    content.ledgerHeight,
    headerHash,
  ];
  return encodeCbor(fields);
}

/** Do both stand for the same engine block? The view and the signers may differ. */
export function certifySame(left: Omit<CommitContent, 'view'>, right: Omit<CommitContent, 'view'>): boolean {
  return (
    left.engineHeight === right.engineHeight &&
    left.time === right.time &&
    left.ledgerHeight === right.ledgerHeight &&
    left.headerHash === right.headerHash
  );
}

export interface CertificateContext {
  readonly chain: Uint8Array;
  readonly verify: (key: ValidatorKey, bytes: Uint8Array, signature: Uint8Array) => boolean;
}

/** Is this certificate signed by a quorum of this set? Every signature must hold, each by another validator. */
export function verifyCertificate(
  certificate: Certificate,
  validators: readonly ConsensusValidator[],
  context: CertificateContext,
): boolean {
  const keys = certificate.signatures.map((entry) => entry.key);
  if (new Set(keys).size !== keys.length) return false;
  if (!keys.every((key) => isValidator(validators, key)) || !isQuorum(validators, keys)) return false;
  const bytes = commitBytes(context.chain, certificate);
  return certificate.signatures.every((entry) => context.verify(entry.key, bytes, entry.signature));
}
