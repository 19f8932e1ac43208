import { type CareTeam, makeCareTeam } from './care-team.ts';
import { Chart, type Entry, type SyntheticRecord, to } from './chart.ts';
import { addClaim } from './claims.ts';
import { concept, hl7 } from './codes.ts';
import { addNote } from './documents.ts';
import { addEarlierImmunizations, addImmunizations } from './immunizations.ts';
import { addLabs, addSmokingStatus, addVitals } from './observations.ts';
import { address, type Gender, humanName, phone } from './people.ts';
import { CHECK_UP, CHILD_CHECK_UP, CHRONIC_PROBLEMS, VISIT_FOR_PROBLEM } from './problems.ts';
import { type Random, randomFrom } from './random.ts';
import { isGrownUp, type Story, type Visit } from './story.ts';
import { DAY, dateText, dateTimeText, MINUTE, YEAR } from './time.ts';
import { addAllergy, beginChronicProblem, followChronicProblems, treatAcuteProblem } from './treatment.ts';

export interface SyntheticOptions {
  /** The same seed, number of patients and `now` give the same records, byte for byte. */
  readonly seed: string;
  readonly patients: number;
  /** Nothing is recorded after this moment, in ms. */
  readonly now: number;
}

/** Patients that one run may make. */
export const SYNTHETIC_PATIENTS_MAX = 10_000;
const VISITS_LEAST = 9;
const VISITS_MOST = 12;

/** Moments of the visits, oldest first: in office hours, months apart, the last one lately. */
function visitTimes(random: Random, now: number): readonly number[] {
  const times: number[] = [];
  let at = now - random.integer(4, 45) * DAY;
  const visits = random.integer(VISITS_LEAST, VISITS_MOST);
  for (let visit = 0; visit < visits; visit += 1) {
    const midnight = Math.floor(at / DAY) * DAY;
    times.unshift(midnight + random.integer(14 * 4, 21 * 4) * 15 * MINUTE);
    at -= random.integer(60, 200) * DAY;
  }
  return times;
}

interface Person {
  readonly gender: Gender;
  readonly name: { readonly family: string; readonly given: readonly string[] };
  readonly birth: number;
  readonly number: string;
}

function addPatient(chart: Chart, person: Person, since: number, content: object): Entry {
  return chart.add(
    'clinical',
    'Patient',
    { at: since },
    {
      identifier: [
        {
          type: concept(hl7('v2-0203', 'MR', 'Medical record number')),
          system: 'https://general-hospital.example/fhir/medical-record-number',
          value: `GH-${person.number}`,
        },
      ],
      active: true,
      name: [{ use: 'official', ...person.name }],
      gender: person.gender,
      birthDate: dateText(person.birth),
      communication: [
        {
          language: { coding: [{ system: 'urn:ietf:bcp:47', code: 'en', display: 'English' }] },
          preferred: true,
        },
      ],
      ...content,
    },
  );
}

function addMember(
  chart: Chart,
  team: CareTeam,
  person: Person,
  since: number,
): { member: Entry; coverage: Entry } {
  const subscriberId = `AHP-${person.number}`;
  const member = chart.add(
    'claims',
    'Patient',
    { at: since },
    {
      identifier: [
        {
          type: concept(hl7('v2-0203', 'MB', 'Member number')),
          system: 'https://acme-health-plan.example/fhir/member-number',
          value: subscriberId,
        },
      ],
      name: [{ use: 'official', ...person.name }],
      gender: person.gender,
      birthDate: dateText(person.birth),
    },
  );
  const coverage = chart.add(
    'claims',
    'Coverage',
    { at: since },
    {
      status: 'active',
      type: concept(hl7('v3-ActCode', 'EHCPOL', 'extended healthcare')),
      subscriberId,
      beneficiary: to(member),
      relationship: concept(hl7('subscriber-relationship', 'self')),
      period: { start: dateText(since) },
      payor: [to(team.payer)],
    },
  );
  return { member, coverage };
}

function beginStory(
  options: SyntheticOptions,
  team: CareTeam,
  number: number,
  random: Random,
  since: number,
): Story {
  const chart = new Chart(`${options.seed}/patient/${number}`);
  const gender = random.pick<Gender>(['female', 'male']);
  // Every sixth patient is a child, the others are grown up.
  const age = number % 6 === 5 ? random.integer(7, 15) : random.integer(26, 82);
  const person: Person = {
    gender,
    name: humanName(random, gender),
    birth: Math.floor((options.now - age * YEAR) / DAY) * DAY - random.integer(0, 364) * DAY,
    number: `${random.integer(100_000, 999_999)}${String(number).padStart(4, '0')}`,
  };
  const patient = addPatient(chart, person, since, {
    telecom: [phone(random)],
    address: [address(random)],
    managingOrganization: to(team.hospital),
  });
  const movedAt = since + random.integer(100, 700) * DAY;
  if (random.chance(30) && movedAt <= options.now)
    chart.revise(patient, movedAt, { address: [address(random)] });
  const { birth } = person;
  return {
    random,
    chart,
    team,
    now: options.now,
    birth,
    gender,
    weight: random.integer(560, 940),
    patient,
    problems: [],
    ...addMember(chart, team, person, since),
  };
}

function beginVisit(story: Story, number: number, at: number, isCheckUp: boolean): Visit {
  const { random, chart, team } = story;
  const practitioner = random.pick(team.practitioners);
  const reason = isCheckUp ? CHECK_UP.clinical : VISIT_FOR_PROBLEM;
  const period = { start: dateTimeText(at), end: dateTimeText(at + 45 * MINUTE) };
  const checkUp = isGrownUp(story, at) ? CHECK_UP.billing : CHILD_CHECK_UP;
  const staysOpen = random.chance(15);
  const encounter = chart.add(
    'clinical',
    'Encounter',
    { at },
    {
      status: staysOpen ? 'in-progress' : 'finished',
      class: hl7('v3-ActCode', 'AMB', 'ambulatory'),
      type: [concept(reason)],
      subject: to(story.patient),
      participant: [{ individual: to(practitioner) }],
      period: staysOpen ? { start: period.start } : period,
      serviceProvider: to(team.hospital),
    },
  );
  if (staysOpen) chart.revise(encounter, at + 50 * MINUTE, { status: 'finished', period });
  return { at, number, encounter, practitioner, reason, diagnoses: isCheckUp ? [checkUp] : [] };
}

function writeVisit(story: Story, number: number, at: number): void {
  const { random } = story;
  const isAdult = isGrownUp(story, at);
  const isCheckUp = number % 3 === 0;
  const visit = beginVisit(story, number, at, isCheckUp);
  addVitals(story, visit);
  followChronicProblems(story, visit);
  const untouched = CHRONIC_PROBLEMS.filter((problem) =>
    story.problems.every((known) => known.problem !== problem),
  );
  const [first, ...others] = untouched;
  const mayBegin = isAdult && story.problems.length < 3 && (number === 0 || random.chance(20));
  if (mayBegin && first) beginChronicProblem(story, visit, random.pick([first, ...others]));
  if (!isCheckUp && (visit.diagnoses.length === 0 || random.chance(25))) treatAcuteProblem(story, visit);
  addLabs(story, visit, isCheckUp);
  addImmunizations(story, visit);
  if (number === 0) {
    addEarlierImmunizations(story, visit);
    if (isAdult) addSmokingStatus(story, visit);
    if (random.chance(55)) addAllergy(story, visit);
  }
  if (number % 2 === 0) addNote(story, visit);
  addClaim(story, visit);
}

/**
 * Synthetic patients with plausible stories, nobody's record: clinical records as a hospital would hold them, and the
 * claims of the same people as their payer would. Organizations and practitioners come first, then one patient after the other,
 * each in the order of recording, so that a reference always leads to something that came before at the same custodian.
 * Decimals carry their digits (`1.10`); some records come in several versions, some long after what they tell (OFF-16).
 * All codes are real LOINC, SNOMED CT, RxNorm, CVX and ICD-10-CM; all numbers, names and addresses are made up.
 *
 * @throws RangeError for more patients than {@link SYNTHETIC_PATIENTS_MAX}, or fewer than one.
 * @example for (const { custodian, resource } of generatePatients({ seed: 'demo', patients: 20, now })) ...
 */
export function* generatePatients(options: SyntheticOptions): Generator<SyntheticRecord> {
  if (!(options.patients >= 1 && options.patients <= SYNTHETIC_PATIENTS_MAX)) {
    throw new RangeError(`between 1 and ${SYNTHETIC_PATIENTS_MAX} patients can be made`);
  }
  const team = makeCareTeam(options.seed, options.now);
  yield* team.records;
  for (let number = 0; number < options.patients; number += 1) {
    const random = randomFrom(`${options.seed}/patient/${number}`);
    const times = visitTimes(random, options.now);
    const story = beginStory(options, team, number, random, (times[0] ?? options.now) - DAY);
    for (const [index, at] of times.entries()) writeVisit(story, index, at);
    yield* story.chart.records();
  }
}
