import { ACT_CODE_SYSTEM, CONFIDENTIALITY_SYSTEM } from '@careledger/fhir';
import { type Entry, to } from './chart.ts';
import { type Coding, concept, hl7 } from './codes.ts';
import { ACUTE_PROBLEMS, ALLERGIES, type ChronicProblem } from './problems.ts';
import type { Story, Visit } from './story.ts';
import { DAY, dateText, dateTimeText, MINUTE, YEAR } from './time.ts';

const SWITCH_PERCENT = 12;
const PSYCHIATRIC_META = {
  meta: {
    security: [
      { system: CONFIDENTIALITY_SYSTEM, code: 'R', display: 'restricted' },
      { system: ACT_CODE_SYSTEM, code: 'PSY', display: 'psychiatry disorder information sensitivity' },
    ],
  },
};

function clinicalStatus(code: string): object {
  return { clinicalStatus: concept(hl7('condition-clinical', code)) };
}

function addCondition(
  story: Story,
  visit: Visit,
  about: {
    readonly clinical: Coding;
    readonly billing: Coding;
    readonly onset: number;
    readonly labels: object;
  },
): Entry {
  visit.diagnoses.push(about.billing);
  // The illness began before anybody wrote it down.
  const moment = { at: about.onset, recordedAt: visit.at + 15 * MINUTE };
  return story.chart.add('clinical', 'Condition', moment, {
    ...about.labels,
    ...clinicalStatus('active'),
    verificationStatus: concept(hl7('condition-ver-status', 'confirmed')),
    category: [concept(hl7('condition-category', 'encounter-diagnosis'))],
    code: concept(about.clinical, about.billing),
    subject: to(story.patient),
    encounter: to(visit.encounter),
    onsetDateTime: dateText(about.onset),
    recordedDate: dateTimeText(visit.at),
    recorder: to(visit.practitioner),
  });
}

function prescribe(
  story: Story,
  visit: Visit,
  about: {
    readonly medication: Coding;
    readonly condition: Entry;
    readonly labels: object;
    readonly isLong: boolean;
  },
): Entry {
  return story.chart.add(
    'clinical',
    'MedicationRequest',
    { at: visit.at, recordedAt: visit.at + 20 * MINUTE },
    {
      ...about.labels,
      status: 'active',
      intent: 'order',
      medicationCodeableConcept: concept(about.medication),
      subject: to(story.patient),
      encounter: to(visit.encounter),
      authoredOn: dateTimeText(visit.at),
      requester: to(visit.practitioner),
      reasonReference: [to(about.condition)],
      courseOfTherapyType: concept(
        hl7('medicationrequest-course-of-therapy', about.isLong ? 'continuous' : 'acute'),
      ),
      dosageInstruction: [
        {
          text: about.isLong ? 'One tablet daily' : 'One every eight hours as needed',
          timing: {
            repeat: about.isLong
              ? { frequency: 1, period: 1, periodUnit: 'd' }
              : { frequency: 1, period: 8, periodUnit: 'h' },
          },
          asNeededBoolean: !about.isLong,
        },
      ],
    },
  );
}

/** A chronic illness is found: the condition, and its first medication. */
export function beginChronicProblem(story: Story, visit: Visit, problem: ChronicProblem): void {
  const labels = problem.isPsychiatric ? PSYCHIATRIC_META : {};
  const onset = visit.at - story.random.integer(60, 700) * DAY;
  const condition = addCondition(story, visit, { ...problem, onset, labels });
  const [medication] = problem.medications;
  const order = prescribe(story, visit, { medication, condition, labels, isLong: true });
  story.problems.push({ problem, condition, medication: order, visits: 0 });
}

/** A visit under treatment: now and then the medication is stopped for the second choice. */
export function followChronicProblems(story: Story, visit: Visit): void {
  for (const ongoing of story.problems) {
    const { problem, condition } = ongoing;
    ongoing.visits += 1;
    visit.diagnoses.push(problem.billing);
    const [first, second] = problem.medications;
    if (first === second || ongoing.visits < 2 || !story.random.chance(SWITCH_PERCENT)) continue;
    const isFirst =
      JSON.stringify(ongoing.medication.body.medicationCodeableConcept) === JSON.stringify(concept(first));
    if (!isFirst) continue;
    story.chart.revise(ongoing.medication, visit.at + 15 * MINUTE, {
      status: 'stopped',
      statusReason: concept(
        hl7('medicationrequest-status-reason', 'sintol', 'Drug interaction or intolerance'),
      ),
    });
    const labels = problem.isPsychiatric ? PSYCHIATRIC_META : {};
    ongoing.medication = prescribe(story, visit, { medication: second, condition, labels, isLong: true });
  }
}

/** A short illness: treated now, and over within weeks. */
export function treatAcuteProblem(story: Story, visit: Visit): void {
  const { random, chart, now } = story;
  const problem = random.pick(ACUTE_PROBLEMS);
  const onset = visit.at - random.integer(1, 5) * DAY;
  const condition = addCondition(story, visit, { ...problem, onset, labels: {} });
  const order = prescribe(story, visit, {
    medication: problem.medication,
    condition,
    labels: {},
    isLong: false,
  });
  const over = visit.at + random.integer(10, 40) * DAY;
  if (over > now) return;
  chart.revise(condition, over, { ...clinicalStatus('resolved'), abatementDateTime: dateText(over) });
  chart.revise(order, over, { status: 'completed' });
}

/** An allergy, reported by the patient and confirmed at a later visit. */
export function addAllergy(story: Story, visit: Visit): void {
  const { random, chart, now } = story;
  const [allergy, reaction] = random.pick(ALLERGIES);
  const onset = Math.max(story.birth, visit.at - random.integer(1, 20) * YEAR);
  const entry = chart.add(
    'clinical',
    'AllergyIntolerance',
    { at: onset, recordedAt: visit.at + 12 * MINUTE },
    {
      clinicalStatus: concept(hl7('allergyintolerance-clinical', 'active')),
      verificationStatus: concept(hl7('allergyintolerance-verification', 'unconfirmed')),
      type: 'allergy',
      criticality: random.chance(25) ? 'high' : 'low',
      code: concept(allergy),
      patient: to(story.patient),
      encounter: to(visit.encounter),
      onsetDateTime: dateText(onset),
      recordedDate: dateTimeText(visit.at),
      recorder: to(visit.practitioner),
      reaction: [{ manifestation: [concept(reaction)] }],
    },
  );
  const confirmedAt = visit.at + random.integer(30, 200) * DAY;
  if (confirmedAt > now) return;
  chart.revise(entry, confirmedAt, {
    verificationStatus: concept(hl7('allergyintolerance-verification', 'confirmed')),
  });
}
