import { to } from './chart.ts';
import { type Coding, concept, cvx, hl7 } from './codes.ts';
import { ageAt, type Story, type Visit } from './story.ts';
import { dateText, dateTimeText, MINUTE, YEAR } from './time.ts';

const INFLUENZA = cvx('140', 'Influenza, seasonal, injectable, preservative free');
/** Vaccines of childhood, by age in months. */
const CHILDHOOD: readonly (readonly [number, Coding])[] = [
  [2, cvx('20', 'DTaP')],
  [4, cvx('10', 'IPV')],
  [12, cvx('03', 'MMR')],
  [13, cvx('21', 'varicella')],
];
const CARD_SINCE = Date.UTC(1996, 0, 1);
const MONTH = YEAR / 12;
const TETANUS = cvx('113', 'Td (adult), 5 Lf tetanus toxoid, preservative free, adsorbed');
const ADULT: readonly [Coding, ...Coding[]] = [TETANUS, cvx('115', 'Tdap'), cvx('43', 'Hep B, adult')];
const PNEUMOCOCCAL = cvx('133', 'Pneumococcal conjugate PCV 13');
const AUTUMN: ReadonlySet<number> = new Set([8, 9, 10, 11]);

function vaccinate(story: Story, visit: Visit, vaccine: Coding): void {
  story.chart.add(
    'clinical',
    'Immunization',
    { at: visit.at, recordedAt: visit.at + 25 * MINUTE },
    {
      status: 'completed',
      vaccineCode: concept(vaccine),
      patient: to(story.patient),
      encounter: to(visit.encounter),
      occurrenceDateTime: dateTimeText(visit.at),
      recorded: dateText(visit.at),
      primarySource: true,
      lotNumber: `SYN-${story.random.integer(1000, 9999)}`,
      performer: [{ actor: to(visit.practitioner) }],
    },
  );
}

/** Vaccines given at this visit. */
export function addImmunizations(story: Story, visit: Visit): void {
  const age = ageAt(story, visit.at);
  if (AUTUMN.has(new Date(visit.at).getUTCMonth())) vaccinate(story, visit, INFLUENZA);
  if (visit.number === 2 && age >= 18) vaccinate(story, visit, story.random.pick(ADULT));
  if (visit.number === 4 && age >= 65) vaccinate(story, visit, PNEUMOCOCCAL);
}

/** Vaccines of childhood that the patient's card tells about: recorded here years after they were given (OFF-16). */
export function addEarlierImmunizations(story: Story, visit: Visit): void {
  // Whoever was born before these vaccines were common brings a card with the last tetanus shot.
  const isOlder = story.birth < CARD_SINCE;
  const card = isOlder ? [[(visit.at - story.birth) / MONTH - 96, TETANUS] as const] : CHILDHOOD;
  for (const [months, vaccine] of card) {
    const at = story.birth + months * MONTH;
    if (at >= visit.at) continue;
    story.chart.add(
      'clinical',
      'Immunization',
      { at, recordedAt: visit.at + 30 * MINUTE },
      {
        status: 'completed',
        vaccineCode: concept(vaccine),
        patient: to(story.patient),
        occurrenceDateTime: dateText(at),
        recorded: dateText(visit.at),
        primarySource: false,
        reportOrigin: concept(hl7('immunization-origin', 'record', 'Written Record')),
      },
    );
  }
}
