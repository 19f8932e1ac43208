/**
 * Why the state machine itself refuses a transaction, before any capability sees it. Numbers go into block results:
 * append, never renumber. 1 to 19 are faults of form that anyone can see without state: no honest proposer includes
 * such bytes, and they are not remembered against replay. From 20 on it takes state or time to tell.
 */
export const refusals = {
  'transaction/too-large': 1,
  'transaction/not-canonical': 2,
  'transaction/not-cose-sign1': 3,
  'transaction/protected-header': 4,
  'transaction/unprotected-header': 5,
  'transaction/payload': 6,
  'transaction/signature-length': 7,
  'transaction/foreign-chain': 8,
  'transaction/unknown-type': 9,
  'transaction/body': 10,
  'transaction/signature': 11,
  'transaction/inner-signature': 12,
  'transaction/identifier': 13,
  'transaction/expired': 20,
  'transaction/expires-too-late': 21,
  'transaction/replayed': 22,
  'transaction/signer-not-in-force': 23,
  'transaction/version-not-in-force': 24,
} as const;

export type Refusal = keyof typeof refusals;

const FORM_CODE_MAX = 19;

/** Is this the code of a fault of form? Such a transaction has no trustworthy id and is not remembered. */
export function isFormCode(code: number): boolean {
  return code > 0 && code <= FORM_CODE_MAX;
}
