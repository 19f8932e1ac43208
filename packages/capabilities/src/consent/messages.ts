import {
  type ChainId,
  type Codec,
  type Commitment,
  type ConsentId,
  commitmentCodec,
  consentIdCodec,
  fixedBytes,
  type OrganizationId,
  optional,
  organizationIdCodec,
  type PublicKey,
  publicKeyCodec,
  SIGNATURE_BYTES,
  struct,
  uint,
} from '@careledger/primitives';
import { signedText } from '../signed-text.ts';

/** A custodian puts a patient's consent on the ledger, under the signature of a key that the patient's app made for it. */
export interface GrantConsent {
  readonly consentId: ConsentId;
  /** Must be the signer's organization: it stands here because the patient signed it. */
  readonly custodian: OrganizationId;
  /** To the full FHIR Consent, which never stands here. */
  readonly commitment: Commitment;
  /** Fresh for every consent: two consents of one patient share nothing. */
  readonly patientKey: PublicKey;
  /** Milliseconds, included. */
  readonly notBefore: number;
  /** Milliseconds, not included. */
  readonly notAfter: number;
  readonly patientSignature: Uint8Array;
}

/** Shows that the patient wants the revocation; the custodian needs no such proof for its own. */
export interface PatientProof {
  readonly patientKey: PublicKey;
  readonly signature: Uint8Array;
}

export interface RevokeConsent {
  readonly consentId: ConsentId;
  readonly patientProof?: PatientProof;
}

export const grantConsentCodec: Codec<GrantConsent> = struct({
  consentId: consentIdCodec,
  custodian: organizationIdCodec,
  commitment: commitmentCodec,
  patientKey: publicKeyCodec,
  notBefore: uint,
  notAfter: uint,
  patientSignature: fixedBytes(SIGNATURE_BYTES),
});

export const revokeConsentCodec: Codec<RevokeConsent> = struct({
  consentId: consentIdCodec,
  patientProof: optional(
    struct({ patientKey: publicKeyCodec, signature: fixedBytes(SIGNATURE_BYTES) }),
  ) as Codec<PatientProof> & { readonly optional: true },
});

/** What a patient's key signs to grant: exactly these terms, to exactly this custodian, on exactly this chain. */
export type GrantTerms = Omit<GrantConsent, 'patientKey' | 'patientSignature'>;

export const GRANT_DOMAIN = 'careledger/consent/grant/v1';
export const REVOKE_DOMAIN = 'careledger/consent/revoke/v1';

/** `[domain, chain, consentId, custodian, commitment, notBefore, notAfter]` as CBOR. */
export function grantText(chain: ChainId, terms: GrantTerms): Uint8Array {
  const { consentId, custodian, commitment, notBefore, notAfter } = terms;
  return signedText(GRANT_DOMAIN, chain, consentId, custodian, commitment, notBefore, notAfter);
}

/** `[domain, chain, consentId]` as CBOR. */
export function revokeText(chain: ChainId, consentId: ConsentId): Uint8Array {
  return signedText(REVOKE_DOMAIN, chain, consentId);
}
