import type { Caller } from '../caller.ts';
import { FhirError, maySee } from '../fhir/index.ts';
import type { GatewayContext } from '../gateway.ts';
import { subjectKey } from '../keystore/index.ts';
import type { StoredVersion } from '../vault/index.ts';

/** Records of one chart: what is beyond is refused, not cut off. */
export const CHART_RECORDS_MAX = 20_000;
/** Records opened at a time. */
const STEP = 200;
/** Records about records are no part of a chart. */
const LEFT_OUT: ReadonlySet<string> = new Set(['Provenance', 'AuditEvent', 'Consent']);

/**
 * The current records of a patient that the caller may read, in the order in which they were stored.
 *
 * @throws {@link FhirError} 422 for a chart of more than {@link CHART_RECORDS_MAX} records.
 */
export async function chartOf(
  { vault, store }: Pick<GatewayContext, 'vault' | 'store'>,
  caller: Caller,
  patientId: string,
): Promise<readonly StoredVersion[]> {
  const rows = await vault.reader
    .selectFrom('version_key')
    .innerJoin('version', 'version.seq', 'version_key.seq')
    .select(['version.seq', 'version.type'])
    .where('key_name', '=', subjectKey(patientId))
    .where('current', '=', 1)
    .where('deleted', '=', 0)
    .orderBy('version.seq')
    .limit(CHART_RECORDS_MAX + 1)
    .execute();
  if (rows.length > CHART_RECORDS_MAX) throw tooLong();
  const seqs = rows.filter(({ type }) => !LEFT_OUT.has(type)).map(({ seq }) => seq);
  const seen: StoredVersion[] = [];
  for (let start = 0; start < seqs.length; start += STEP) {
    for (const version of await vault.bySeq(seqs.slice(start, start + STEP))) {
      if (await maySee(store.options, caller, version, 'read')) seen.push(version);
    }
  }
  return seen;
}

function tooLong(): FhirError {
  return new FhirError({
    status: 422,
    code: 'too-costly',
    message: `The chart has more than ${CHART_RECORDS_MAX} records.`,
    help: 'Search each type on its own, or export the patient’s records.',
  });
}
