/** Why a locator message can be refused. Numbers go into block results: append, never renumber. */
export const rejections = {
  'locator/not-custodian': 1,
  'locator/entry-taken': 2,
  'locator/entry-not-found': 3,
  'locator/not-own-entry': 4,
} as const;

export type LocatorRejection = keyof typeof rejections;
