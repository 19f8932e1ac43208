import { equalBytes } from '@careledger/primitives';
import {
  accepted,
  type Outcome,
  rejected,
  type StateReader,
  type TransitionContext,
} from '@careledger/state-machine';
import { consentGranted, consentRevoked } from './events.ts';
import type { GrantConsent, RevokeConsent } from './messages.ts';
import type { ConsentRejection } from './rejections.ts';
import { isPatientKeyUsed, readConsent, writeConsent, writePatientKey } from './state.ts';

export function grantConsent(
  state: StateReader,
  message: GrantConsent,
  context: TransitionContext,
): Outcome<ConsentRejection> {
  const { consentId, custodian, commitment, patientKey, notBefore, notAfter } = message;
  if (!context.roles.includes('custodian') || custodian !== context.signer) {
    return rejected('consent/not-custodian');
  }
  if (readConsent(state, consentId)) return rejected('consent/id-taken');
  if (notAfter <= notBefore) return rejected('consent/empty-period');
  if (notAfter <= context.blockTime) return rejected('consent/already-over');
  // A key seen twice would tell every member that two consents are of one patient.
  if (isPatientKeyUsed(state, patientKey)) return rejected('consent/key-not-fresh');

  const record = { custodian, commitment, patientKey, notBefore, notAfter };
  return accepted(
    [writeConsent(consentId, record), writePatientKey(patientKey, consentId)],
    [consentGranted(consentId, custodian)],
  );
}

/** By the custodian itself, or by any member that brings the signature of the consent's patient key. */
export function revokeConsent(
  state: StateReader,
  message: RevokeConsent,
  context: TransitionContext,
): Outcome<ConsentRejection> {
  const { consentId, patientProof } = message;
  const record = readConsent(state, consentId);
  if (!record) return rejected('consent/not-found');
  if (patientProof) {
    if (!equalBytes(patientProof.patientKey, record.patientKey))
      return rejected('consent/not-the-patients-key');
  } else if (!context.roles.includes('custodian') || record.custodian !== context.signer) {
    return rejected('consent/not-custodian');
  }
  if (record.revokedAt !== undefined) return rejected('consent/already-revoked');

  // The record stays: an auditor must be able to prove that access before this block was allowed.
  const revoked = { ...record, revokedAt: context.blockTime };
  return accepted([writeConsent(consentId, revoked)], [consentRevoked(consentId, record.custodian)]);
}
