/** Why a records message can be refused. Numbers go into block results: append, never renumber. */
export const rejections = {
  'records/not-custodian': 1,
  'records/already-retired': 2,
  'records/not-anchored': 3,
  'records/already-disputed': 4,
  'records/not-disputed': 5,
} as const;

export type RecordsRejection = keyof typeof rejections;
