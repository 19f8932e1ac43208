import type { StateStore } from './application.ts';

/** A store before genesis. */
export const emptyStore: StateStore = {
  get: () => undefined,
  scan: () => [],
  node: () => undefined,
};
