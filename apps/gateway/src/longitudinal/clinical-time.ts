import { type LosslessObject, valueAt } from '@careledger/fhir';

/** Where R4's clinical types say when it happened, the most telling first; not when it was written down. */
const PLACES: readonly (readonly string[])[] = [
  ['effectiveDateTime'],
  ['effectivePeriod', 'start'],
  ['effectiveInstant'],
  ['onsetDateTime'],
  ['onsetPeriod', 'start'],
  ['occurrenceDateTime'],
  ['occurrencePeriod', 'start'],
  ['performedDateTime'],
  ['performedPeriod', 'start'],
  ['period', 'start'],
  ['whenHandedOver'],
  ['started'],
  ['servicedDate'],
  ['billablePeriod', 'start'],
  ['authoredOn'],
  ['date'],
  ['recordedDate'],
  ['issued'],
  ['created'],
];

/** When the recorded event happened, in milliseconds; `undefined` where the record does not say. */
export function clinicalTimeOf(resource: LosslessObject): number | undefined {
  for (const place of PLACES) {
    const value = valueAt(resource, place);
    const time = typeof value === 'string' ? Date.parse(value) : Number.NaN;
    if (!Number.isNaN(time)) return time;
  }
  return undefined;
}
