import { concat, equalBytes, sha256, toHex, utf8 } from '@careledger/primitives';
import type { VotingOptions } from '../pbft/options.ts';
import type { ConsensusValidator, ValidatorKey } from '../protocol.ts';

export const CHAIN = sha256(utf8('a chain for tests'));
export const GENESIS_HASH = sha256Hex('genesis');

export function sha256Hex(text: string): string {
  return toHex(sha256(utf8(text)));
}

export function keyOf(name: string): ValidatorKey {
  return sha256Hex(`validator ${name}`);
}

export function validatorsOf(names: readonly string[]): readonly ConsensusValidator[] {
  return names.map((name) => ({ key: keyOf(name), power: 1 }));
}

/** A signature that is fast and not secure: the protocol takes signing and verifying as arguments. */
export function signAs(key: ValidatorKey, bytes: Uint8Array): Uint8Array {
  const half = sha256(utf8(key), bytes);
  return concat(half, half);
}

export function verifyAs(key: ValidatorKey, bytes: Uint8Array, signature: Uint8Array): boolean {
  return equalBytes(signAs(key, bytes), signature);
}

export function optionsFor(key: ValidatorKey): VotingOptions {
  return { chain: CHAIN, self: key, sign: (bytes) => signAs(key, bytes), verify: verifyAs };
}
