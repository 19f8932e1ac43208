import type { ConsensusValidator, ValidatorKey } from '@careledger/consensus';
import { concat, equalBytes, sha256, toHex, utf8 } from '@careledger/primitives';

/**
 * Signatures that are fast and not secure: whoever knows a public key can make them. The simulated villains do not,
 * they sign with their own; real Ed25519 would make a run fifty times slower and prove nothing more here.
 */
export function signAs(key: ValidatorKey, bytes: Uint8Array): Uint8Array {
  const half = sha256(utf8(key), bytes);
  return concat(half, half);
}

export function verifyAs(key: ValidatorKey, bytes: Uint8Array, signature: Uint8Array): boolean {
  return equalBytes(signAs(key, bytes), signature);
}

export function validatorsOf(count: number): readonly ConsensusValidator[] {
  return Array.from({ length: count }, (_, index) => ({
    key: toHex(sha256(utf8(`validator ${index}`))),
    power: 1,
  }));
}
