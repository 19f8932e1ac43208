import { randomBytes } from 'node:crypto';
import { grantText } from '@careledger/capabilities';
import {
  type ConsentPurpose,
  grantExtension,
  introductionExtension,
  termsToConsent,
} from '@careledger/capabilities/fhir';
import { canonicalText, toLossless } from '@careledger/fhir';
import type { ChainId, OrganizationId, PublicKey, Signer } from '@careledger/primitives';
import { type Commitment, type ConsentId, hmacSha256, signerFromSeed, utf8 } from '@careledger/primitives';

export interface PatientGrant {
  readonly chain: ChainId;
  readonly custodian: OrganizationId;
  readonly recipient: OrganizationId;
  /** The custodian's Patient id. */
  readonly patientId: string;
  /** base64, as the recipient's desk gave it. */
  readonly introduction: string;
  readonly purposes?: readonly ConsentPurpose[];
  readonly types?: readonly string[];
  readonly notBefore: number;
  readonly notAfter: number;
}

/** What a patient's app makes: a key that nobody else sees, a salt, and the Consent with its grant. */
export function makeGrant(options: PatientGrant): {
  readonly consent: object;
  readonly consentId: ConsentId;
  readonly key: Signer;
} {
  const { chain, custodian, recipient, patientId, notBefore, notAfter, types } = options;
  const key = signerFromSeed(randomBytes(32));
  const consentId = new Uint8Array(randomBytes(16)) as ConsentId;
  const salt = new Uint8Array(randomBytes(32));
  const purposes = options.purposes ?? ['TREAT'];
  const terms = { custodian, recipient, purposes, ...(types ? { types } : {}), notBefore, notAfter };
  const introduction = introductionExtension(new Uint8Array(Buffer.from(options.introduction, 'base64')));
  const consent = {
    ...termsToConsent(terms, `Patient/${patientId}`),
    dateTime: new Date(notBefore).toISOString(),
    extension: [introduction],
  };
  const commitment = hmacSha256(salt, utf8(canonicalText(toLossless(consent)))) as Commitment;
  const signature = key.sign(grantText(chain, { consentId, custodian, commitment, notBefore, notAfter }));
  const patientKey = key.publicKey as PublicKey;
  const grant = grantExtension({ consentId, patientKey, salt, notBefore, notAfter, signature });
  return { consent: { ...consent, extension: [introduction, grant] }, consentId, key };
}
