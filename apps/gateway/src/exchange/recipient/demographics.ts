import { type LosslessResource, toPlain } from '@careledger/fhir';
import type { Patient } from '@medplum/fhirtypes';
import { matchScore } from '../../fhir/index.ts';

/** Family name, given name and birth date agree, or an identifier of the same system does. */
const SAME_PERSON_MIN = 0.85;

/**
 * Is the fetched Patient the person in whose chart we are about to file? A code that was used in the wrong account must
 * not mix two charts.
 */
export function isSamePerson(own: LosslessResource, fetched: LosslessResource): boolean {
  const left = toPlain(own) as unknown as Patient;
  const right = toPlain(fetched) as unknown as Patient;
  return matchScore(left, right) >= SAME_PERSON_MIN;
}
