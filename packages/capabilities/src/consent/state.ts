import {
  type Codec,
  type Commitment,
  type ConsentId,
  commitmentCodec,
  concat,
  consentIdCodec,
  type OrganizationId,
  optional,
  organizationIdCodec,
  type PublicKey,
  publicKeyCodec,
  struct,
  uint,
  utf8,
} from '@careledger/primitives';
import type { StateReader, Write } from '@careledger/state-machine';

export interface ConsentRecord {
  readonly custodian: OrganizationId;
  readonly commitment: Commitment;
  readonly patientKey: PublicKey;
  readonly notBefore: number;
  readonly notAfter: number;
  /** Block time of the revocation; absent while the consent stands. */
  readonly revokedAt?: number;
}

export const consentRecordCodec: Codec<ConsentRecord> = struct({
  custodian: organizationIdCodec,
  commitment: commitmentCodec,
  patientKey: publicKeyCodec,
  notBefore: uint,
  notAfter: uint,
  revokedAt: optional(uint),
});

export const CONSENT_PREFIX: Uint8Array = utf8('consent/record/');
export const PATIENT_KEY_PREFIX: Uint8Array = utf8('consent/patient-key/');

/** `consent/record/<consentId>` → ConsentRecord. */
export function consentKey(consentId: ConsentId): Uint8Array {
  return concat(CONSENT_PREFIX, consentId);
}

/** `consent/patient-key/<public key>` → consent id: the key was used, and for what. */
export function patientKeyKey(patientKey: PublicKey): Uint8Array {
  return concat(PATIENT_KEY_PREFIX, patientKey);
}

export function readConsent(state: StateReader, consentId: ConsentId): ConsentRecord | undefined {
  const bytes = state.get(consentKey(consentId));
  return bytes === undefined ? undefined : consentRecordCodec.decode(bytes);
}

export function isPatientKeyUsed(state: StateReader, patientKey: PublicKey): boolean {
  return state.get(patientKeyKey(patientKey)) !== undefined;
}

export function writeConsent(consentId: ConsentId, record: ConsentRecord): Write {
  return { key: consentKey(consentId), value: consentRecordCodec.encode(record) };
}

export function writePatientKey(patientKey: PublicKey, consentId: ConsentId): Write {
  return { key: patientKeyKey(patientKey), value: consentIdCodec.encode(consentId) };
}
