import { decimal, type Entry, to } from './chart.ts';
import { concept, hl7, loinc, snomed, UCUM } from './codes.ts';
import { LABS, type Measurement, VITALS } from './measurements.ts';
import { ageAt, isGrownUp, type Story, type Visit } from './story.ts';
import { DAY, dateTimeText, MINUTE } from './time.ts';

/** How often what happens to a laboratory result, in percent. */
const PRELIMINARY_PERCENT = 12;
const AMENDED_PERCENT = 4;
const WITHDRAWN_PERCENT = 1;
const LATE_PERCENT = 3;

function quantity({ unit, unitText, decimals }: Measurement, units: number): object {
  return { value: decimal(units, decimals), unit: unitText, system: UCUM, code: unit };
}

function interpretation({ low, high }: Measurement, units: number): object {
  const code = units < low ? 'L' : units > high ? 'H' : 'N';
  return concept(hl7('v3-ObservationInterpretation', code));
}

function usualValue({ random }: Story, { low, high }: Measurement): number {
  return random.integer(low, high);
}

function common(story: Story, visit: Visit, category: string): object {
  return {
    category: [concept(hl7('observation-category', category))],
    subject: to(story.patient),
    encounter: to(visit.encounter),
    effectiveDateTime: dateTimeText(visit.at),
  };
}

function addVital(story: Story, visit: Visit, measurement: Measurement, units: number): void {
  story.chart.add(
    'clinical',
    'Observation',
    { at: visit.at, recordedAt: visit.at + 10 * MINUTE },
    {
      status: 'final',
      code: concept(measurement.code),
      ...common(story, visit, 'vital-signs'),
      performer: [to(visit.practitioner)],
      valueQuantity: quantity(measurement, units),
    },
  );
}

function addBloodPressure(story: Story, visit: Visit): void {
  const raised = story.problems.find(({ problem }) => problem.raisesBloodPressure);
  const ofIllness = raised ? Math.max(0, 34 - 4 * raised.visits) : 0;
  const excess = isGrownUp(story, visit.at) ? ofIllness : -12;
  const component = [
    { ...VITALS.systolic, excess },
    { ...VITALS.diastolic, excess: Math.floor(excess / 2) },
  ].map((part) => ({
    code: concept(part.code),
    valueQuantity: quantity(part, usualValue(story, part) + part.excess),
  }));
  story.chart.add(
    'clinical',
    'Observation',
    { at: visit.at, recordedAt: visit.at + 10 * MINUTE },
    {
      status: 'final',
      code: concept(loinc('85354-9', 'Blood pressure panel with all children optional')),
      ...common(story, visit, 'vital-signs'),
      performer: [to(visit.practitioner)],
      component,
    },
  );
}

/** In tenths of a kilogram. A child's by the rule of thumb three times the age plus seven. */
function weightAt(story: Story, { at }: Visit): number {
  const usual = isGrownUp(story, at) ? story.weight : Math.floor(30 * ageAt(story, at) + 70);
  return usual + story.random.integer(-15, 15);
}

/** What a nurse measures at every visit. */
export function addVitals(story: Story, visit: Visit): void {
  const { random } = story;
  addBloodPressure(story, visit);
  addVital(story, visit, VITALS.heartRate, usualValue(story, VITALS.heartRate));
  addVital(story, visit, VITALS.temperature, usualValue(story, VITALS.temperature));
  addVital(story, visit, VITALS.weight, weightAt(story, visit));
  if (random.chance(60)) addVital(story, visit, VITALS.oxygen, usualValue(story, VITALS.oxygen));
  if (random.chance(40)) addVital(story, visit, VITALS.respiration, usualValue(story, VITALS.respiration));
}

/** When the result is recorded: the same day, or long after, when another laboratory reports slowly (OFF-16). */
function reportedAt({ random, now }: Story, visit: Visit): number {
  const usual = visit.at + random.integer(2, 10) * 60 * MINUTE;
  const late = visit.at + random.integer(200, 900) * DAY;
  return random.chance(LATE_PERCENT) && late <= now ? late : usual;
}

function reviseLab(story: Story, measurement: Measurement, result: Entry, recordedAt: number): void {
  const { random, chart, now } = story;
  const later = recordedAt + random.integer(3, 20) * DAY;
  if (later > now) return;
  const issued = dateTimeText(later);
  if (random.chance(AMENDED_PERCENT)) {
    const units = usualValue(story, measurement);
    chart.revise(result, later, {
      status: 'amended',
      issued,
      valueQuantity: quantity(measurement, units),
      interpretation: [interpretation(measurement, units)],
      note: [
        { text: 'The specimen was measured again after a calibration fault; this value replaces the first.' },
      ],
    });
  } else if (random.chance(WITHDRAWN_PERCENT)) {
    chart.revise(result, later, { status: 'entered-in-error', issued });
  }
}

function addLab(story: Story, visit: Visit, measurement: Measurement, excessPercent = 0): void {
  const { random, chart } = story;
  const recordedAt = reportedAt(story, visit);
  const units =
    usualValue(story, measurement) + Math.floor((measurement.high * Math.max(0, excessPercent)) / 100);
  const isPreliminary = random.chance(PRELIMINARY_PERCENT) && recordedAt + DAY <= story.now;
  const result = chart.add(
    'clinical',
    'Observation',
    { at: visit.at, recordedAt },
    {
      status: isPreliminary ? 'preliminary' : 'final',
      code: concept(measurement.code),
      ...common(story, visit, 'laboratory'),
      issued: dateTimeText(recordedAt),
      performer: [to(story.team.hospital)],
      valueQuantity: quantity(measurement, units),
      interpretation: [interpretation(measurement, units)],
      referenceRange: [
        { low: quantity(measurement, measurement.low), high: quantity(measurement, measurement.high) },
      ],
    },
  );
  if (!isPreliminary) {
    reviseLab(story, measurement, result, recordedAt);
    return;
  }
  chart.revise(result, recordedAt + DAY, { status: 'final', issued: dateTimeText(recordedAt + DAY) });
  reviseLab(story, measurement, result, recordedAt + DAY);
}

const PANEL = [
  LABS.hemoglobin,
  LABS.leukocytes,
  LABS.platelets,
  LABS.sodium,
  LABS.potassium,
  LABS.creatinine,
] as const;

/** Laboratory results: what the patient's illnesses ask for, and a panel at a check-up. */
export function addLabs(story: Story, visit: Visit, isCheckUp: boolean): void {
  for (const ongoing of story.problems) {
    for (const { lab, excessPercent, reliefPercent } of ongoing.problem.labs) {
      addLab(story, visit, lab, excessPercent - reliefPercent * ongoing.visits);
    }
  }
  if (!isCheckUp) return;
  for (const lab of PANEL) addLab(story, visit, lab);
}

const SMOKING = [
  snomed('266919005', 'Never smoked tobacco'),
  snomed('8517006', 'Ex-smoker'),
  snomed('449868002', 'Smokes tobacco daily'),
] as const;

/** Whether the patient smokes, asked once. */
export function addSmokingStatus(story: Story, visit: Visit): void {
  story.chart.add(
    'clinical',
    'Observation',
    { at: visit.at, recordedAt: visit.at + 10 * MINUTE },
    {
      status: 'final',
      code: concept(loinc('72166-2', 'Tobacco smoking status')),
      ...common(story, visit, 'social-history'),
      performer: [to(visit.practitioner)],
      valueCodeableConcept: concept(story.random.pick(SMOKING)),
    },
  );
}
