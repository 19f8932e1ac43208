import { type ConsentId, consentIdCodec, equalBytes, toHex } from '@careledger/primitives';
import type { Invariant } from '@careledger/state-machine';
import { CONSENT_PREFIX, consentRecordCodec, PATIENT_KEY_PREFIX, readConsent } from './state.ts';

const RECORDS_MAX = 1_000_000;

export const periodsAreNotEmpty: Invariant = {
  name: 'consent/periods-are-not-empty',
  check(state) {
    for (const [key, value] of state.scan(CONSENT_PREFIX, RECORDS_MAX)) {
      const record = consentRecordCodec.decode(value);
      if (record.notAfter <= record.notBefore) return `${toHex(key)} holds an empty period`;
    }
    return undefined;
  },
};

export const everyConsentHasItsOwnKey: Invariant = {
  name: 'consent/every-consent-has-its-own-key',
  check(state) {
    let keys = 0;
    for (const [key, value] of state.scan(PATIENT_KEY_PREFIX, RECORDS_MAX)) {
      const consentId: ConsentId = consentIdCodec.decode(value);
      const record = readConsent(state, consentId);
      if (!record || !equalBytes(record.patientKey, key.subarray(PATIENT_KEY_PREFIX.length))) {
        return `a patient key points to consent ${toHex(consentId)}, which has another`;
      }
      keys += 1;
    }
    const consents = [...state.scan(CONSENT_PREFIX, RECORDS_MAX)].length;
    return keys === consents ? undefined : `${consents} consents have ${keys} keys`;
  },
};
