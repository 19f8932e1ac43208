import type { ConsentRecord } from './state.ts';

/** Does this consent open records at this time (milliseconds)? A revoked one never does, whatever the clock says. */
export function isConsentActive(record: ConsentRecord, time: number): boolean {
  return record.revokedAt === undefined && record.notBefore <= time && time < record.notAfter;
}

/** Did this consent open records at an earlier time? For auditors: what happened before the revocation was allowed. */
export function wasConsentActive(record: ConsentRecord, time: number): boolean {
  const isBeforeRevocation = record.revokedAt === undefined || time < record.revokedAt;
  return isBeforeRevocation && record.notBefore <= time && time < record.notAfter;
}
