/** Every limit and rule of the right of access to one's own records. Times in milliseconds, by the gateway's clock. */

const DAY_MS = 86_400_000;
/** A request is answered within 30 days of its receipt (45 CFR 164.524(b)(2)(i)). */
export const RESPONSE_DAYS = 30;
/** Once, by so many days more, and only with a written reason (45 CFR 164.524(b)(2)(ii)). */
export const EXTENSION_DAYS = 30;
/** Cases of one patient that nobody has answered yet. */
export const OPEN_CASES_MAX = 5;
/** Characters of a reason, of an extension or of a denial. */
export const REASON_CHARACTERS_MAX = 1_000;
/** Cases that the overdue report lists, the longest overdue first. */
export const REPORT_CASES_MAX = 1_000;
/** Record versions of a copy that are journalled, then written, together. */
export const COPY_CHUNK_RECORDS = 100;

export type AccessState = 'open' | 'fulfilled' | 'denied';

/**
 * Grounds on which access may be denied (45 CFR 164.524(a)); another one is none. Where it is reviewable, the patient may
 * have the denial reviewed by a licensed professional who took no part in it (164.524(a)(4)).
 */
export const DENIAL_GROUNDS = {
  'psychotherapy-notes': { source: '45 CFR 164.524(a)(1)(i)', isReviewable: false },
  'legal-proceeding': { source: '45 CFR 164.524(a)(1)(ii)', isReviewable: false },
  'correctional-institution': { source: '45 CFR 164.524(a)(2)(ii)', isReviewable: false },
  'research-in-progress': { source: '45 CFR 164.524(a)(2)(iii)', isReviewable: false },
  'privacy-act': { source: '45 CFR 164.524(a)(2)(iv)', isReviewable: false },
  'confidential-source': { source: '45 CFR 164.524(a)(2)(v)', isReviewable: false },
  'endangers-a-life': { source: '45 CFR 164.524(a)(3)(i)', isReviewable: true },
  'harms-another-person': { source: '45 CFR 164.524(a)(3)(ii)', isReviewable: true },
  'representative-harms-patient': { source: '45 CFR 164.524(a)(3)(iii)', isReviewable: true },
} as const satisfies Readonly<Record<string, { readonly source: string; readonly isReviewable: boolean }>>;
export type DenialGround = keyof typeof DENIAL_GROUNDS;

/** What the dates of a case are made of. */
export interface AccessDates {
  readonly state: AccessState;
  readonly requestedAt: number;
  readonly isExtended: boolean;
}

/** Why a step of a case is refused. */
export type StepRefusal = 'closed' | 'extended-before' | 'too-late';

export function isDenialGround(word: string): word is DenialGround {
  return Object.hasOwn(DENIAL_GROUNDS, word);
}

/** The last moment at which an answer is in time. */
export function dueOf({ requestedAt, isExtended }: Omit<AccessDates, 'state'>): number {
  const days = RESPONSE_DAYS + (isExtended ? EXTENSION_DAYS : 0);
  return requestedAt + days * DAY_MS;
}

/** The patient must hear of the extension within the first 30 days: afterwards there is none. */
export function extensionRefusal(dates: AccessDates, now: number): StepRefusal | undefined {
  if (dates.state !== 'open') return 'closed';
  if (dates.isExtended) return 'extended-before';
  if (now > dueOf(dates)) return 'too-late';
  return undefined;
}

/** An answer may come late, and is then still better than none: only what was answered stays as it is. */
export function answerRefusal({ state }: Pick<AccessDates, 'state'>): StepRefusal | undefined {
  return state === 'open' ? undefined : 'closed';
}

export function isOverdue(dates: AccessDates, now: number): boolean {
  return dates.state === 'open' && now > dueOf(dates);
}

/** Days begun since a case was due; 0 while it is not. */
export function daysOverdue(dates: AccessDates, now: number): number {
  return isOverdue(dates, now) ? Math.ceil((now - dueOf(dates)) / DAY_MS) : 0;
}
