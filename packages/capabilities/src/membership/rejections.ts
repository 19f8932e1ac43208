/** Why a membership message can be refused. Numbers go into block results: append, never renumber. */
export const rejections = {
  'membership/not-administrator': 1,
  'membership/not-approved': 2,
  'membership/organization-taken': 3,
  'membership/organization-not-found': 4,
  'membership/node-taken': 5,
  'membership/node-not-found': 6,
  'membership/key-taken': 7,
  'membership/key-not-found': 8,
  'membership/not-own-organization': 9,
  'membership/unacceptable-key': 10,
  'membership/unacceptable-encryption-key': 11,
  'membership/standing-does-not-allow': 12,
  'membership/last-administrator': 13,
  'membership/no-validator-left': 14,
  'membership/stale-revision': 15,
  'membership/fingerprint-taken': 16,
  'membership/role-not-grantable': 17,
  'membership/not-this-key': 18,
  'membership/too-many-validators': 19,
  'membership/not-a-validator': 20,
  'membership/no-contradiction': 21,
  'membership/too-many-reports': 22,
} as const;

export type MembershipRejection = keyof typeof rejections;
