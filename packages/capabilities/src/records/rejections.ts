/** Why a records message can be refused. Numbers go into block results: append, never renumber. */
export const rejections = {
  'records/not-custodian': 1,
  'records/already-retired': 2,
} as const;

export type RecordsRejection = keyof typeof rejections;
