import type { OrganizationId } from '@careledger/primitives';

/** One granted SMART scope: `patient/Observation.rs`. */
export interface Scope {
  readonly context: 'patient' | 'user' | 'system';
  /** A FHIR resource type or `*`. */
  readonly type: string;
  readonly create: boolean;
  readonly read: boolean;
  readonly update: boolean;
  readonly delete: boolean;
  readonly search: boolean;
  /** Search parameters of a granular scope (`?category=...`, decoded, in order): all of them must hold. */
  readonly restriction?: readonly (readonly [name: string, value: string])[];
}

/** Who asks, as the token and the client certificate prove it. Made by `authorization/`, judged everywhere else. */
export interface Caller {
  /** `organization`: another member's gateway with `hl7-b2b` claims over mutual TLS. */
  readonly kind: 'patient' | 'user' | 'system' | 'organization';
  /** The caller's own organization. */
  readonly organization: OrganizationId;
  /** Client or user id: never a patient's name or number. */
  readonly subject: string;
  readonly scopes: readonly Scope[];
  /** The Patient resource id of this gateway that a patient token speaks for. */
  readonly patientId?: string;
  /**
   * `patient` callers: true when the token is not the patient's own but that of this organization's user, whose app is
   * bound to this one patient's records. What is the patient's alone to do (grants, revocations, the access history) is
   * not theirs.
   */
  readonly isOnBehalf?: boolean;
  /** A signed-in user's roles, which have already cut `scopes`. */
  readonly roles?: readonly string[];
  /** HL7 v3 PurposeOfUse code: `TREAT`, `HPAYMT`, `HOPERAT`, `PUBHLTH`, `ETREAT`. */
  readonly purpose?: string;
  /** Requesting user, as the calling organization names them (`hl7-b2b`). */
  readonly requestingUser?: string;
  /** Consent id in hexadecimal, where the caller relies on one. */
  readonly consentId?: string;
}
