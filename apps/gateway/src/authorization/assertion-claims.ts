/** UDAP's `hl7-b2b` extension object (HL7 UDAP Security IG, section 5.2.1.1): who asks, for whom, why. */
export interface Hl7B2b {
  readonly version: '1';
  /** The asking organization. */
  readonly organization_id: string;
  /** HL7 v3 PurposeOfUse codes, most specific first; one is what a decision needs. */
  readonly purpose_of_use: readonly string[];
  /** The requesting user as the asking organization names them. Never a person's name. */
  readonly subject_id?: string;
  /** Consent ids in hexadecimal that the request relies on. */
  readonly consent_reference?: readonly string[];
}

/** What an assertion may carry in `extensions`. */
export interface AssertionExtensions {
  readonly b2b?: Hl7B2b;
  /** Patient resource id that an operator's token shall speak for. */
  readonly patient?: string;
  /** User id that an operator's token shall speak for. */
  readonly user?: string;
}

export const B2B_EXTENSION = 'hl7-b2b';
/** Only a local operator's assertion may carry this one. */
export const OPERATOR_EXTENSION = 'careledger-operator';

const PURPOSE = /^[A-Z]{2,16}$/;
/** As long as a journal entry names a user: a question that cannot be journalled is not asked. */
const SUBJECT = /^[A-Za-z0-9][A-Za-z0-9._@:/-]{0,95}$/;
const CONSENT = /^[0-9a-f]{32}$/;
const FHIR_ID = /^[A-Za-z0-9.-]{1,64}$/;
const PURPOSES_MAX = 4;
const CONSENTS_MAX = 4;

type Json = Record<string, unknown>;

function asObject(value: unknown): Json | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
}

function textsOf(value: unknown, form: RegExp, countMax: number): readonly string[] | undefined {
  if (!Array.isArray(value) || value.length > countMax) return undefined;
  return value.every((entry): entry is string => typeof entry === 'string' && form.test(entry))
    ? value
    : undefined;
}

/** Reads `hl7-b2b` as it stands in an assertion or a token; a text says what is wrong with it. */
export function readB2b(value: unknown): Hl7B2b | string {
  const claims = asObject(value);
  if (!claims) return 'hl7-b2b is not an object';
  if (claims.version !== '1') return 'hl7-b2b.version is not "1"';
  const organization = claims.organization_id;
  if (typeof organization !== 'string' || !SUBJECT.test(organization)) {
    return 'hl7-b2b.organization_id is missing or not of the agreed form';
  }
  const purposes = textsOf(claims.purpose_of_use, PURPOSE, PURPOSES_MAX);
  if (!purposes || purposes.length === 0) {
    return 'hl7-b2b.purpose_of_use is missing or not of the agreed form';
  }
  const subject = claims.subject_id;
  if (subject !== undefined && (typeof subject !== 'string' || !SUBJECT.test(subject))) {
    return 'hl7-b2b.subject_id is not of the agreed form';
  }
  const consents =
    claims.consent_reference === undefined ? [] : textsOf(claims.consent_reference, CONSENT, CONSENTS_MAX);
  if (!consents) return 'hl7-b2b.consent_reference is not a list of consent ids';
  return {
    version: '1',
    organization_id: organization,
    purpose_of_use: purposes,
    ...(subject === undefined ? {} : { subject_id: subject }),
    ...(consents.length === 0 ? {} : { consent_reference: consents }),
  };
}

function readOperator(value: unknown): Pick<AssertionExtensions, 'patient' | 'user'> | string {
  const claims = asObject(value);
  if (!claims) return `${OPERATOR_EXTENSION} is not an object`;
  const { patient, user } = claims;
  if (patient !== undefined && (typeof patient !== 'string' || !FHIR_ID.test(patient))) {
    return `${OPERATOR_EXTENSION}.patient is not a resource id`;
  }
  if (user !== undefined && (typeof user !== 'string' || !SUBJECT.test(user))) {
    return `${OPERATOR_EXTENSION}.user is not of the agreed form`;
  }
  return {
    ...(typeof patient === 'string' ? { patient } : {}),
    ...(typeof user === 'string' ? { user } : {}),
  };
}

/** Reads an assertion's `extensions`; a text says what is wrong. Names fields, never their values. */
export function readExtensions(value: unknown): AssertionExtensions | string {
  if (value === undefined) return {};
  const extensions = asObject(value);
  if (!extensions) return 'extensions is not an object';
  const unknown = Object.keys(extensions).find(
    (name) => name !== B2B_EXTENSION && name !== OPERATOR_EXTENSION,
  );
  if (unknown !== undefined) return 'an extension is not known here';
  const b2b = extensions[B2B_EXTENSION] === undefined ? undefined : readB2b(extensions[B2B_EXTENSION]);
  if (typeof b2b === 'string') return b2b;
  const operator =
    extensions[OPERATOR_EXTENSION] === undefined ? {} : readOperator(extensions[OPERATOR_EXTENSION]);
  if (typeof operator === 'string') return operator;
  return { ...operator, ...(b2b ? { b2b } : {}) };
}
