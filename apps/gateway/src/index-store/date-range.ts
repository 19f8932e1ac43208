/** An instant or a span of time in milliseconds, both ends included. */
export interface DateRange {
  readonly low: number;
  readonly high: number;
}

/** Ends of a period that has none: far outside what FHIR dates can say, inside what a double holds exactly. */
export const TIME_MIN = -8_640_000_000_000_000;
export const TIME_MAX = 8_640_000_000_000_000;

const FORM =
  /^(\d{4})(?:-(\d{2})(?:-(\d{2})(?:T(\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?(Z|[+-]\d{2}:\d{2})?)?)?)?$/;

function offsetMinutes(zone: string | undefined): number {
  if (zone === undefined || zone === 'Z') return 0;
  const sign = zone.startsWith('-') ? -1 : 1;
  return sign * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4, 6)));
}

/** Is there such a day and hour? `Date.UTC` would roll 31 February over into March. */
function isReal(parts: readonly (number | undefined)[]): boolean {
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = parts;
  if (month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 60) return false;
  return day <= new Date(Date.UTC(year, month, 0)).getUTCDate();
}

function numberOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}

/**
 * The span that a FHIR date, dateTime or instant stands for: `2026-02` is the whole month. Without a time zone it is
 * taken as UTC. `undefined` when it is no date.
 */
export function dateRangeOf(text: string): DateRange | undefined {
  const match = FORM.exec(text);
  if (!match) return undefined;
  const [year = 0, month, day, hour, minute, second] = match.slice(1, 7).map(numberOf);
  if (!isReal([year, month, day, hour, minute, second])) return undefined;
  const fraction = Math.trunc(Number(`0.${match[7] ?? '0'}`) * 1_000);
  const shift = offsetMinutes(match[8]) * 60_000;
  const start = (y: number, m: number, d: number, h = 0, min = 0, s = 0): number =>
    Date.UTC(y, m, d, h, min, s);
  const low = start(year, (month ?? 1) - 1, day ?? 1, hour, minute, second) + fraction - shift;
  if (match[7] !== undefined) return { low, high: low };
  if (second !== undefined) return { low, high: low + 999 };
  if (minute !== undefined) return { low, high: low + 59_999 };
  if (day !== undefined) return { low, high: low + 86_399_999 };
  if (month !== undefined) return { low, high: start(year, month, 1) - 1 };
  return { low, high: start(year + 1, 0, 1) - 1 };
}

interface PeriodLike {
  readonly start?: unknown;
  readonly end?: unknown;
  readonly event?: unknown;
}

/** The span of a FHIR value of any type that a date parameter may meet: date, Period, Timing. */
export function dateRangesOf(value: unknown): readonly DateRange[] {
  if (typeof value === 'string') {
    const range = dateRangeOf(value);
    return range ? [range] : [];
  }
  if (typeof value !== 'object' || value === null) return [];
  const { start, end, event }: PeriodLike = value;
  if (Array.isArray(event)) return event.flatMap(dateRangesOf);
  const low = typeof start === 'string' ? dateRangeOf(start)?.low : undefined;
  const high = typeof end === 'string' ? dateRangeOf(end)?.high : undefined;
  if (low === undefined && high === undefined) return [];
  return [{ low: low ?? TIME_MIN, high: high ?? TIME_MAX }];
}
