import { decimal, type Entry, to } from './chart.ts';
import { concept, hl7 } from './codes.ts';
import type { Story, Visit } from './story.ts';
import { DAY, dateText, dateTimeText, MINUTE } from './time.ts';

const COPAY_CENTS = 2500;
const CANCELLED_PERCENT = 4;
const ADJUSTED_PERCENT = 5;

function usd(cents: number): object {
  return { value: decimal(cents, 2), currency: 'USD' };
}

function diagnoses(visit: Visit): object[] {
  return [...new Set(visit.diagnoses)].map((diagnosis, index) => ({
    sequence: index + 1,
    diagnosisCodeableConcept: concept(diagnosis),
  }));
}

interface Bill {
  readonly cents: number;
  readonly date: string;
  readonly shared: object;
  readonly item: object;
}

function makeBill(story: Story, visit: Visit): Bill {
  const cents = story.random.integer(8000, 32_000);
  const date = dateText(visit.at);
  const diagnosis = diagnoses(visit);
  return {
    cents,
    date,
    shared: {
      type: concept(hl7('claim-type', 'professional')),
      use: 'claim',
      patient: to(story.member),
      billablePeriod: { start: date, end: date },
      provider: to(story.team.provider),
      insurer: to(story.team.payer),
      diagnosis,
      insurance: [{ focal: true, coverage: to(story.coverage) }],
    },
    item: {
      sequence: 1,
      diagnosisSequence: diagnosis.map((_, index) => index + 1),
      productOrService: concept(visit.reason),
      servicedDate: date,
    },
  };
}

function adjudication(category: string, cents: number): object {
  return { category: concept(hl7('adjudication', category)), amount: usd(cents) };
}

function payment(cents: number, paidAt: number): object {
  const benefit = Math.max(0, Math.floor(cents * 0.8) - COPAY_CENTS);
  return {
    total: [
      { category: concept(hl7('adjudication', 'submitted')), amount: usd(cents) },
      { category: concept(hl7('adjudication', 'benefit')), amount: usd(benefit) },
    ],
    payment: { amount: usd(benefit), date: dateText(paidAt) },
  };
}

function explain(story: Story, visit: Visit, bill: Bill, claim: Entry): void {
  const { random, chart, now } = story;
  const paidAt = visit.at + random.integer(35, 60) * DAY;
  if (paidAt > now) return;
  const benefit = chart.add(
    'claims',
    'ExplanationOfBenefit',
    { at: visit.at, recordedAt: paidAt },
    {
      status: 'active',
      ...bill.shared,
      created: dateTimeText(paidAt),
      claim: to(claim),
      outcome: 'complete',
      item: [
        {
          ...bill.item,
          adjudication: [adjudication('submitted', bill.cents), adjudication('copay', COPAY_CENTS)],
        },
      ],
      ...payment(bill.cents, paidAt),
    },
  );
  const adjustedAt = paidAt + random.integer(20, 90) * DAY;
  if (!random.chance(ADJUSTED_PERCENT) || adjustedAt > now) return;
  chart.revise(benefit, adjustedAt, {
    ...payment(bill.cents - random.integer(500, 2000), adjustedAt),
    disposition: 'Adjusted after review',
  });
}

/** The hospital's claim for a visit at the payer, and what the payer made of it. */
export function addClaim(story: Story, visit: Visit): void {
  const { random, chart, now } = story;
  const filedAt = visit.at + random.integer(3, 30) * DAY;
  if (filedAt > now) return;
  const bill = makeBill(story, visit);
  const claim = chart.add(
    'claims',
    'Claim',
    { at: visit.at, recordedAt: filedAt },
    {
      status: 'active',
      ...bill.shared,
      created: dateTimeText(filedAt),
      priority: concept(hl7('processpriority', 'normal')),
      insurance: [{ sequence: 1, focal: true, coverage: to(story.coverage) }],
      item: [{ ...bill.item, quantity: { value: 1 }, unitPrice: usd(bill.cents), net: usd(bill.cents) }],
      total: usd(bill.cents),
    },
  );
  if (random.chance(CANCELLED_PERCENT))
    chart.revise(claim, Math.min(now, filedAt + 2 * DAY + MINUTE), { status: 'cancelled' });
  else explain(story, visit, bill, claim);
}
