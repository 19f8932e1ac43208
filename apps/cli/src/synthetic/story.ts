import type { CareTeam } from './care-team.ts';
import type { Chart, Entry } from './chart.ts';
import type { Coding } from './codes.ts';
import type { Gender } from './people.ts';
import type { ChronicProblem } from './problems.ts';
import type { Random } from './random.ts';
import { YEAR } from './time.ts';

/** A chronic problem as it stands in a patient's chart. */
export interface OngoingProblem {
  readonly problem: ChronicProblem;
  readonly condition: Entry;
  medication: Entry;
  /** Visits since treatment began: it helps. */
  visits: number;
}

/** One patient's life in the records. */
export interface Story {
  readonly random: Random;
  readonly chart: Chart;
  readonly team: CareTeam;
  /** The latest moment that anything may be recorded at, in ms. */
  readonly now: number;
  readonly birth: number;
  readonly gender: Gender;
  /** What the patient weighs when grown up, in tenths of a kilogram. */
  readonly weight: number;
  readonly patient: Entry;
  /** The same person as the payer's member. */
  readonly member: Entry;
  readonly coverage: Entry;
  readonly problems: OngoingProblem[];
}

/** Age in years. */
export function ageAt(story: Story, at: number): number {
  return (at - story.birth) / YEAR;
}

/** Is the patient grown up at this moment? */
export function isGrownUp(story: Story, at: number): boolean {
  return ageAt(story, at) >= 18;
}

/** One visit, while it is written down. */
export interface Visit {
  readonly at: number;
  readonly number: number;
  readonly encounter: Entry;
  readonly practitioner: Entry;
  /** What the visit was for, as the claim will say. */
  readonly diagnoses: Coding[];
  readonly reason: Coding;
}
