import type { OrganizationId } from '@careledger/primitives';

/** HL7 v3 PurposeOfUse codes that a request may name. */
export const PURPOSES = ['TREAT', 'ETREAT', 'HPAYMT', 'HOPERAT', 'PUBHLTH', 'HRESCH', 'PATRQT'] as const;
export type Purpose = (typeof PURPOSES)[number];

/** Finding out that a custodian holds something, or getting it. */
export type Act = 'locate' | 'fetch';

/** What kind of organization asks: as the ledger's membership names it. */
export type EntityType =
  | 'provider'
  | 'payer'
  | 'pharmacy'
  | 'manufacturer'
  | 'regulator'
  | 'public-health'
  | 'laboratory'
  | 'other';

/** How far a consent reaches into records of substance use treatment (42 CFR 2.31). */
export type PartTwoConsent = 'none' | 'named-recipient' | 'treatment-payment-operations';

/** One consent as the custodian holds it, and what ledger and clock say of it under the release lock. */
export interface ConsentFacts {
  readonly isActive: boolean;
  readonly recipient: OrganizationId;
  readonly purposes: readonly Purpose[];
  /** FHIR resource types; absent for all. */
  readonly types?: readonly string[];
  readonly partTwo: PartTwoConsent;
}

/** Everything that a release is decided on. What is not stated here does not count. */
export interface ReleaseFacts {
  readonly act: Act;
  readonly purpose: Purpose;
  readonly recipient: { readonly organization: OrganizationId; readonly entityType: EntityType };
  /** FHIR resource type of the record; absent when the question is about the patient as a whole. */
  readonly recordType?: string;
  /** Codes of the record's security labels (HL7 v3 ActCode): `42CFRPart2`, `PSYTHPN`, ... */
  readonly labels: readonly string[];
  readonly consent?: ConsentFacts;
  /** A practitioner attests an emergency, with a reason that is journalled. */
  readonly isEmergency: boolean;
  /** The recipient has, or had, a relationship with this patient (45 CFR 164.506(c)(4)). */
  readonly hasRelationship: boolean;
  /** The custodian has recorded the legal duty that asks for this release (45 CFR 164.512(a)). */
  readonly isLegallyRequired: boolean;
}
