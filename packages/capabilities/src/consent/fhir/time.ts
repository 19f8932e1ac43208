const DATE = /^\d{4}-\d{2}-\d{2}$/;
const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/;
const DAY = 86_400_000;

/**
 * Milliseconds of a FHIR dateTime with a time zone, or of a whole date, which is taken in UTC. Years and months alone,
 * and times without zone, are `undefined`: they cannot be evaluated to the millisecond.
 *
 * @param edge A period's end is inclusive (FHIR R4, Period): a whole date ends with its day.
 */
export function parseFhirTime(value: unknown, edge: 'start' | 'end'): number | undefined {
  if (typeof value !== 'string') return undefined;
  const isDate = DATE.test(value);
  if (!isDate && !INSTANT.test(value)) return undefined;
  const time = Date.parse(value);
  // Date.parse accepts 30 February and rolls it over.
  const day = Date.parse(value.slice(0, 10));
  if (Number.isNaN(time) || Number.isNaN(day) || formatInstant(day).slice(0, 10) !== value.slice(0, 10)) {
    return undefined;
  }
  return isDate && edge === 'end' ? time + DAY : time;
}

/** A FHIR instant in UTC with milliseconds. */
export function formatInstant(time: number): string {
  return new Date(time).toISOString();
}
