import { parseLossless, toPlain } from '@careledger/fhir';
import type { Group } from '@medplum/fhirtypes';
import type { Caller } from '../caller.ts';
import { FhirError, readCurrent } from '../fhir/index.ts';
import type { GatewayContext } from '../gateway.ts';
import { PATIENTS_MAX } from './limits.ts';

const LOCAL_PATIENT = /^Patient\/([A-Za-z0-9\-.]{1,64})$/;

/**
 * The patients of a Group, those that left it apart.
 *
 * @throws {@link FhirError} as reading the Group does; 422 for one with more than {@link PATIENTS_MAX} patients.
 */
export async function patientsOfGroup(
  { store }: GatewayContext,
  caller: Caller,
  id: string,
): Promise<readonly string[]> {
  const stored = await readCurrent({ store, caller }, { type: 'Group', id });
  const { member = [] } = toPlain(parseLossless(stored.text)) as unknown as Group;
  const patients = member.flatMap(({ entity, inactive }) => {
    const patient = LOCAL_PATIENT.exec(entity.reference ?? '')?.[1];
    return patient === undefined || inactive === true ? [] : [patient];
  });
  if (patients.length <= PATIENTS_MAX) return [...new Set(patients)];
  throw new FhirError({
    status: 422,
    code: 'too-costly',
    message: `The Group has more than ${PATIENTS_MAX} patients.`,
    help: 'Export smaller Groups, or everything.',
  });
}
