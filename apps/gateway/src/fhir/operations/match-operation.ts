import { toPlain } from '@careledger/fhir';
import type { Parameters, Patient } from '@medplum/fhirtypes';
import { maySee, requireScope } from '../access.ts';
import { forbidden } from '../fhir-error.ts';
import { type FhirAnswer, type FhirRequest, objectBody } from '../fhir-request.ts';
import { matchPatients, matchSearch } from '../match.ts';
import { StoredResource } from '../stored-resource.ts';

/** `POST Patient/$match`: among this gateway's own patients, for the organization's staff and systems. */
export async function match({ body, scope }: FhirRequest): Promise<FhirAnswer> {
  const { store, caller } = scope;
  requireScope(caller, 'Patient', 'search-type');
  if (caller.kind === 'patient') throw forbidden();
  const parameters = (toPlain(objectBody(body)) as unknown as Parameters).parameter ?? [];
  const asked = parameters.find(({ name }) => name === 'resource')?.resource as Patient | undefined;
  const countMax = parameters.find(({ name }) => name === 'count')?.valueInteger;
  const onlyCertain = parameters.find(({ name }) => name === 'onlyCertainMatches')?.valueBoolean;
  const matched = await matchPatients(store, asked ?? { resourceType: 'Patient' }, {
    ...(countMax === undefined ? {} : { countMax: Math.max(countMax, 0) }),
    ...(onlyCertain === undefined ? {} : { onlyCertain }),
  });
  const entry: object[] = [];
  for (const found of matched) {
    if (!(await maySee(store.options, caller, found.patient, 'search'))) continue;
    const fullUrl = `${store.options.baseUrl}/Patient/${found.patient.id}`;
    entry.push({ fullUrl, resource: new StoredResource(found.patient), search: matchSearch(found) });
  }
  return { status: 200, resource: { resourceType: 'Bundle', type: 'searchset', total: entry.length, entry } };
}
