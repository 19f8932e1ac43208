import { randomBytes } from 'node:crypto';
import { grantText } from '@careledger/capabilities';
import { grantExtension, introductionExtension, termsToConsent } from '@careledger/capabilities/fhir';
import { canonicalText, toLossless } from '@careledger/fhir';
import { commitmentOf } from '@careledger/ledger';
import {
  type ChainId,
  type ConsentId,
  type OrganizationId,
  type PublicKey,
  type Signer,
  signerFromSeed,
  toHex,
  utf8,
} from '@careledger/primitives';

const KEY_BYTES = 32;
const SALT_BYTES = 32;
const CONSENT_ID_BYTES = 16;

export interface GrantedConsent {
  /** The body of `POST Consent`. */
  readonly body: string;
  readonly consentId: string;
  /** Stays with the patient: it can revoke at any member. */
  readonly key: Signer;
}

/**
 * What a patient's app does on the patient's own device, here scripted: it makes a fresh key, writes the Consent, commits
 * to it, signs, and puts the recipient's sealed introduction in. No member ever sees the key's private half.
 */
export function grantConsent(options: {
  readonly chain: ChainId;
  readonly custodian: OrganizationId;
  readonly recipient: OrganizationId;
  readonly patientId: string;
  readonly introduction: Uint8Array;
  readonly notBefore: number;
  readonly notAfter: number;
}): GrantedConsent {
  const { chain, custodian, recipient, patientId, introduction, notBefore, notAfter } = options;
  const key = signerFromSeed(Uint8Array.from(randomBytes(KEY_BYTES)));
  const salt = Uint8Array.from(randomBytes(SALT_BYTES));
  const consentId = Uint8Array.from(randomBytes(CONSENT_ID_BYTES)) as ConsentId;
  const terms = { custodian, recipient, purposes: ['TREAT' as const], notBefore, notAfter };
  const consent = {
    ...termsToConsent(terms, `Patient/${patientId}`),
    dateTime: new Date(notBefore).toISOString(),
    extension: [introductionExtension(introduction)],
  };
  const commitment = commitmentOf({ salt, bytes: utf8(canonicalText(toLossless(consent))) });
  const grant = grantExtension({
    ...{ consentId, salt, notBefore, notAfter },
    patientKey: key.publicKey as PublicKey,
    signature: key.sign(grantText(chain, { consentId, custodian, commitment, notBefore, notAfter })),
  });
  const body = canonicalText(toLossless({ ...consent, extension: [...consent.extension, grant] }));
  return { body, consentId: toHex(consentId), key };
}
