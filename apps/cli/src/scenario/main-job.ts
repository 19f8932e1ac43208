import type { Step } from './step.ts';
import { loadRecords } from './step-1-load.ts';
import { askAndConsent } from './step-2-consent.ts';
import { fetchAndVerify } from './step-3-fetch.ts';
import { correctAndRetract } from './step-4-correct.ts';
import { revokeAndAccount } from './step-5-revoke.ts';
import { tamper } from './step-6-tamper.ts';
import { killOneMember } from './step-7-kill.ts';
import type { World } from './world.ts';

/** The main job, in the order of the way of the data. */
export const mainJob: readonly Step<World>[] = [
  loadRecords,
  askAndConsent,
  fetchAndVerify,
  correctAndRetract,
  revokeAndAccount,
  tamper,
  killOneMember,
];
