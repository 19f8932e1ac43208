/** Why a disclosures message can be refused. Numbers go into block results: append, never renumber. */
export const rejections = {
  'disclosures/not-custodian': 1,
  'disclosures/size-not-padded': 2,
} as const;

export type DisclosuresRejection = keyof typeof rejections;
