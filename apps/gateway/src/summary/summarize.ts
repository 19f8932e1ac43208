import {
  isLosslessArray,
  isLosslessObject,
  type LosslessObject,
  parseLossless,
  valueAt,
} from '@careledger/fhir';
import { clinicalTimeOf } from '../longitudinal/index.ts';
import type { StoredVersion } from '../vault/index.ts';

/** A summary is read on a telephone, in an ambulance: this many bytes of records, and no more. */
export const SUMMARY_BYTES_MAX = 64 * 1024;

/** The sections of the International Patient Summary that we fill, the most critical first, by LOINC code. */
export const SECTIONS = [
  { code: '48765-2', title: 'Allergies and intolerances', types: ['AllergyIntolerance'] },
  { code: '11450-4', title: 'Problems', types: ['Condition'] },
  { code: '10160-0', title: 'Medications', types: ['MedicationRequest', 'MedicationStatement'] },
  { code: '11369-6', title: 'Immunizations', types: ['Immunization'] },
  { code: '46240-8', title: 'Dates of service', types: ['Encounter'] },
  { code: '30954-2', title: 'Results', types: ['Observation', 'DiagnosticReport'] },
] as const;

export interface SummarySection {
  readonly code: string;
  readonly title: string;
  /** Newest first. */
  readonly versions: readonly StoredVersion[];
  /** Records of the section that found no room. */
  readonly leftOut: number;
}

/** Codes that say that something is over, or was never so. */
const OVER: ReadonlySet<string> = new Set([
  ...['resolved', 'inactive', 'remission', 'refuted', 'entered-in-error'],
  ...['completed', 'stopped', 'cancelled', 'not-taken', 'not-done', 'draft'],
]);
/** Types of which only what is so now belongs into a summary. */
const OF_NOW: ReadonlySet<string> = new Set([
  'AllergyIntolerance',
  'Condition',
  'MedicationRequest',
  'MedicationStatement',
]);

function codesAt(resource: LosslessObject, element: string): readonly string[] {
  const value = valueAt(resource, [element]);
  if (typeof value === 'string') return [value];
  const coding = value === undefined ? undefined : valueAt(value, ['coding']);
  if (coding === undefined || !isLosslessArray(coding)) return [];
  return coding.flatMap((one) => (isLosslessObject(one) && typeof one.code === 'string' ? [one.code] : []));
}

function isOfNow(resource: LosslessObject): boolean {
  if (valueAt(resource, ['status']) === 'entered-in-error') return false;
  if (!OF_NOW.has(String(resource.resourceType))) return true;
  const said = ['status', 'clinicalStatus', 'verificationStatus'].flatMap((name) => codesAt(resource, name));
  return !said.some((code) => OVER.has(code));
}

interface Candidate {
  readonly version: StoredVersion;
  readonly time: number;
}

function candidatesOf(chart: readonly StoredVersion[], types: readonly string[]): readonly StoredVersion[] {
  const found: Candidate[] = [];
  for (const version of chart) {
    if (!types.includes(version.type)) continue;
    const resource = parseLossless(version.text) as LosslessObject;
    if (isOfNow(resource)) found.push({ version, time: clinicalTimeOf(resource) ?? version.time });
  }
  return found.sort((left, right) => right.time - left.time).map(({ version }) => version);
}

/**
 * Chooses what stands in a summary: section by section in the order of {@link SECTIONS}, in each the newest first, until
 * the bytes are used up. What does not fit is counted, never dropped in silence.
 */
export function summarize(
  patient: StoredVersion,
  chart: readonly StoredVersion[],
  bytesMax: number = SUMMARY_BYTES_MAX,
): readonly SummarySection[] {
  let left = bytesMax - Buffer.byteLength(patient.text);
  return SECTIONS.map(({ code, title, types }) => {
    const candidates = candidatesOf(chart, types);
    const versions: StoredVersion[] = [];
    for (const version of candidates) {
      const size = Buffer.byteLength(version.text);
      if (size > left) continue;
      left -= size;
      versions.push(version);
    }
    return { code, title, versions, leftOut: candidates.length - versions.length };
  });
}
