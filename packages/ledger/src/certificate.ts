import {
  type ChainId,
  encodeCbor,
  equalBytes,
  err,
  type HeaderHash,
  ok,
  type Result,
  toHex,
  type VerifySignature,
} from '@careledger/primitives';
import type { BlockHeader, CommitSignature, FinalityCertificate, Validator } from './block.ts';
import { headerHash, validatorsHash } from './block-codecs.ts';

/** Why a certificate does not make a header final. */
export type FinalityFault =
  | 'validator set'
  | 'header hash'
  | 'ledger height'
  | 'time'
  | 'unknown signer'
  | 'repeated signer'
  | 'signature'
  | 'quorum';

export const COMMIT_DOMAIN = 'careledger/commit/v1';

/** What a validator signs to commit a header at one engine height and view. */
export function commitBytes(commit: {
  readonly chain: ChainId;
  readonly engineHeight: number;
  readonly view: number;
  readonly time: number;
  readonly ledgerHeight: number;
  readonly headerHash: Uint8Array;
}): Uint8Array {
  return encodeCbor([
    COMMIT_DOMAIN,
    commit.chain,
    commit.engineHeight,
    commit.view,
    commit.time,
    commit.ledgerHeight,
    commit.headerHash,
  ]);
}

/** Is this more than two thirds? */
export function isQuorum(power: number, totalPower: number): boolean {
  return power * 3 > totalPower * 2;
}

/** Voting power of a set. */
export function totalPowerOf(validators: readonly Validator[]): number {
  return validators.reduce((sum, validator) => sum + validator.power, 0);
}

function signedPower(
  signatures: readonly CommitSignature[],
  validators: readonly Validator[],
  isSigned: (signature: CommitSignature) => boolean,
): Result<number, FinalityFault> {
  const powers = new Map(validators.map((validator) => [toHex(validator.publicKey), validator.power]));
  const seen = new Set<string>();
  let power = 0;
  for (const signature of signatures) {
    const signer = toHex(signature.publicKey);
    const signerPower = powers.get(signer);
    if (signerPower === undefined) return err('unknown signer');
    if (seen.has(signer)) return err('repeated signer');
    if (!isSigned(signature)) return err('signature');
    seen.add(signer);
    power += signerPower;
  }
  return ok(power);
}

/**
 * Is this header final by these validators? More than two thirds of their power signed it, each at most once; one wrong
 * signature spoils the whole certificate, so that a changed byte never goes unnoticed.
 *
 * @param options.validators The set the caller trusts for this height: see `TrustedChain`.
 */
export function verifyFinality(options: {
  readonly header: BlockHeader;
  readonly certificate: FinalityCertificate;
  readonly validators: readonly Validator[];
  readonly verifySignature: VerifySignature;
}): Result<HeaderHash, FinalityFault> {
  const { header, certificate, validators, verifySignature } = options;
  const hash = headerHash(header);
  if (!equalBytes(header.validatorsHash, validatorsHash(validators))) return err('validator set');
  if (!equalBytes(certificate.headerHash, hash)) return err('header hash');
  if (certificate.ledgerHeight !== header.height) return err('ledger height');
  if (certificate.time < header.time) return err('time');
  const message = commitBytes({ ...certificate, chain: header.chain });
  const power = signedPower(certificate.signatures, validators, ({ publicKey, signature }) =>
    verifySignature({ publicKey, message, signature }),
  );
  if (!power.ok) return power;
  return isQuorum(power.value, totalPowerOf(validators)) ? ok(hash) : err('quorum');
}
