import type { ConsensusValidator, ValidatorKey } from '../protocol.ts';

function powerOf(validators: readonly ConsensusValidator[], keys: Iterable<ValidatorKey>): number {
  const counted = new Set(keys);
  let power = 0;
  for (const validator of validators) if (counted.has(validator.key)) power += validator.power;
  return power;
}

function totalPower(validators: readonly ConsensusValidator[]): number {
  return validators.reduce((sum, validator) => sum + validator.power, 0);
}

/** More than 2/3 of the power: any two quorums share an honest validator while at most f of 3f + 1 are not. */
export function isQuorum(validators: readonly ConsensusValidator[], keys: Iterable<ValidatorKey>): boolean {
  return 3 * powerOf(validators, keys) > 2 * totalPower(validators);
}

/** More than 1/3 of the power: at least one of them is honest. */
export function hasHonest(validators: readonly ConsensusValidator[], keys: Iterable<ValidatorKey>): boolean {
  return 3 * powerOf(validators, keys) > totalPower(validators);
}

export function isValidator(validators: readonly ConsensusValidator[], key: ValidatorKey): boolean {
  return validators.some((validator) => validator.key === key);
}
