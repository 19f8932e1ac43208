/** Why a consent message can be refused. Numbers go into block results: append, never renumber. */
export const rejections = {
  'consent/id-taken': 1,
  'consent/not-custodian': 2,
  'consent/empty-period': 3,
  'consent/already-over': 4,
  'consent/key-not-fresh': 5,
  'consent/not-found': 6,
  'consent/already-revoked': 7,
  'consent/not-the-patients-key': 8,
} as const;

export type ConsentRejection = keyof typeof rejections;
