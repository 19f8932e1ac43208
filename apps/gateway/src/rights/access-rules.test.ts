import { describe, expect, it } from 'vitest';
import {
  type AccessDates,
  answerRefusal,
  DENIAL_GROUNDS,
  daysOverdue,
  dueOf,
  extensionRefusal,
  isDenialGround,
  isOverdue,
} from './access-rules.ts';

const DAY_MS = 86_400_000;
/** Over the end of February of a leap year and a change to summer time. */
const RECEIVED = Date.parse('2028-02-20T15:30:00Z');
const open: AccessDates = { state: 'open', requestedAt: RECEIVED, isExtended: false };
const dayOf = (time: number): string => new Date(time).toISOString();

describe('PRIV-02: the dates of a request for access', () => {
  it('an answer is due 30 days after receipt, 60 with the one extension', () => {
    expect(dayOf(dueOf(open))).toBe('2028-03-21T15:30:00.000Z');
    expect(dayOf(dueOf({ ...open, isExtended: true }))).toBe('2028-04-20T15:30:00.000Z');
  });

  it('is extended once, within the first 30 days, and not when it has been answered', () => {
    const due = dueOf(open);
    expect(extensionRefusal(open, due)).toBeUndefined();
    expect(extensionRefusal(open, due + 1)).toBe('too-late');
    expect(extensionRefusal({ ...open, isExtended: true }, RECEIVED)).toBe('extended-before');
    expect(extensionRefusal({ ...open, state: 'fulfilled' }, RECEIVED)).toBe('closed');
  });

  it('is overdue from the first millisecond after the due time until somebody answers', () => {
    const due = dueOf(open);
    expect([isOverdue(open, due), daysOverdue(open, due)]).toEqual([false, 0]);
    expect([isOverdue(open, due + 1), daysOverdue(open, due + 1)]).toEqual([true, 1]);
    expect(daysOverdue(open, due + DAY_MS + 1)).toBe(2);
    expect(isOverdue({ ...open, isExtended: true }, due + 1)).toBe(false);
    for (const state of ['fulfilled', 'denied'] as const)
      expect(isOverdue({ ...open, state }, due * 2)).toBe(false);
  });

  it('a late answer is taken, a second one is not', () => {
    expect(answerRefusal(open)).toBeUndefined();
    for (const state of ['fulfilled', 'denied'] as const) expect(answerRefusal({ state })).toBe('closed');
  });

  it('is denied on the grounds of the regulation alone, some of which can be reviewed', () => {
    expect(isDenialGround('unpaid-bill')).toBe(false);
    expect(isDenialGround('toString')).toBe(false);
    const reviewable = Object.entries(DENIAL_GROUNDS).filter(([, { isReviewable }]) => isReviewable);
    expect(reviewable.map(([, { source }]) => source)).toEqual([
      '45 CFR 164.524(a)(3)(i)',
      '45 CFR 164.524(a)(3)(ii)',
      '45 CFR 164.524(a)(3)(iii)',
    ]);
  });
});
