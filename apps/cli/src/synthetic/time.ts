export const MINUTE = 60_000;
export const DAY = 24 * 60 * MINUTE;
export const YEAR = 365.25 * DAY;

/** A FHIR dateTime or instant in UTC, to the second. */
export function dateTimeText(time: number): string {
  return `${new Date(time).toISOString().slice(0, 19)}Z`;
}

/** A FHIR date. */
export function dateText(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}
