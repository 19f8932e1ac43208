import type { Step } from './step.ts';
import { loadRecords } from './step-1-load.ts';
import type { World } from './world.ts';

/** The main job, in the order of the way of the data. */
export const mainJob: readonly Step<World>[] = [loadRecords];
