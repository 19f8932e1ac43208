import { CborError, err, type OrganizationId, ok, organizationId, type Result } from '@careledger/primitives';
import {
  type ConsentIssue,
  codeIn,
  conceptCode,
  itemsAt,
  objectAt,
  onlyKeys,
  Refusal,
  required,
  unsupported,
} from './elements.ts';
import { isObject, type JsonObject } from './json.ts';
import { formatInstant, parseFhirTime } from './time.ts';

/** HL7 v3 PurposeOfUse codes that a release decision knows. */
export const CONSENT_PURPOSES = [
  'TREAT',
  'ETREAT',
  'HPAYMT',
  'HOPERAT',
  'PUBHLTH',
  'HRESCH',
  'PATRQT',
] as const;
export type ConsentPurpose = (typeof CONSENT_PURPOSES)[number];

/** The part of a FHIR R4 Consent that decides a release. */
export interface ConsentTerms {
  /** From `Consent.organization`: whose records. */
  readonly custodian: OrganizationId;
  readonly recipient: OrganizationId;
  readonly purposes: readonly ConsentPurpose[];
  /** FHIR resource types; absent for all. */
  readonly types?: readonly string[];
  /** Milliseconds, included. */
  readonly notBefore: number;
  /** Milliseconds, not included. */
  readonly notAfter: number;
}

/** A FHIR R4 Consent as plain JSON. */
export interface FhirConsent extends JsonObject {
  readonly resourceType: 'Consent';
}

const SCOPE_SYSTEM = 'http://terminology.hl7.org/CodeSystem/consentscope';
const CATEGORY_SYSTEM = 'http://loinc.org';
const POLICY_SYSTEM = 'http://terminology.hl7.org/CodeSystem/v3-ActCode';
const REASON_SYSTEM = 'http://terminology.hl7.org/CodeSystem/v3-ActReason';
const ACTION_SYSTEM = 'http://terminology.hl7.org/CodeSystem/consentaction';
const ROLE_SYSTEM = 'http://terminology.hl7.org/CodeSystem/v3-ParticipationType';
const TYPE_SYSTEM = 'http://hl7.org/fhir/resource-types';
const RECIPIENT_ROLES = ['IRCP', 'PRCP'];
const ACTIONS = ['access', 'disclose'];
const RESOURCE_TYPE = /^[A-Z][A-Za-z]{1,63}$/;
/** Elements of a provision that {@link consentToTerms} evaluates. Every other one is refused, never ignored. */
const EVALUATED = ['id', 'type', 'period', 'actor', 'action', 'purpose', 'class'];

function organizationIn(reference: unknown, expression: string): OrganizationId {
  const target = isObject(reference) ? reference.reference : undefined;
  if (typeof target !== 'string' || !target.startsWith('Organization/')) {
    return unsupported(
      expression,
      'Only a reference to an Organization of this consortium can be evaluated.',
    );
  }
  try {
    return organizationId(target.slice('Organization/'.length));
  } catch (error) {
    if (error instanceof CborError)
      return unsupported(expression, 'This is not an organization id of this consortium.');
    throw error;
  }
}

function readRecipient(provision: JsonObject): OrganizationId {
  const expression = 'Consent.provision.actor';
  const actors = itemsAt(provision, 'actor', expression);
  const [actor] = actors;
  if (!actor || actors.length !== 1) unsupported(expression, 'Exactly one recipient can be evaluated.');
  onlyKeys(actor, ['id', 'role', 'reference'], `${expression}[0]`);
  const role = conceptCode(
    objectAt(actor, 'role', `${expression}[0].role`),
    ROLE_SYSTEM,
    `${expression}[0].role`,
  );
  if (!RECIPIENT_ROLES.includes(role)) {
    unsupported(`${expression}[0].role`, 'Only an information recipient can be evaluated.');
  }
  return organizationIn(actor.reference, `${expression}[0].reference`);
}

function readPurposes(provision: JsonObject): readonly ConsentPurpose[] {
  const expression = 'Consent.provision.purpose';
  const purposes = itemsAt(provision, 'purpose', expression).map((coding, index) => {
    const code = codeIn(coding, REASON_SYSTEM, `${expression}[${index}]`);
    const known = CONSENT_PURPOSES.find((purpose) => purpose === code);
    return known ?? unsupported(`${expression}[${index}]`, 'This purpose of use cannot be evaluated.');
  });
  return purposes.length > 0 ? purposes : required(expression, 'At least one purpose of use is needed.');
}

function readTypes(provision: JsonObject): readonly string[] | undefined {
  const expression = 'Consent.provision.class';
  const types = itemsAt(provision, 'class', expression).map((coding, index) => {
    const code = codeIn(coding, TYPE_SYSTEM, `${expression}[${index}]`);
    return RESOURCE_TYPE.test(code)
      ? code
      : unsupported(`${expression}[${index}]`, 'This is not a resource type.');
  });
  return types.length > 0 ? types : undefined;
}

function checkActions(provision: JsonObject): void {
  const expression = 'Consent.provision.action';
  for (const [index, concept] of itemsAt(provision, 'action', expression).entries()) {
    const code = conceptCode(concept, ACTION_SYSTEM, `${expression}[${index}]`);
    if (!ACTIONS.includes(code))
      unsupported(`${expression}[${index}]`, 'Only access and disclosure can be evaluated.');
  }
}

function readPeriod(provision: JsonObject): { readonly notBefore: number; readonly notAfter: number } {
  const expression = 'Consent.provision.period';
  const period = objectAt(provision, 'period', expression);
  onlyKeys(period, ['id', 'start', 'end'], expression);
  const notBefore = parseFhirTime(period.start, 'start');
  const notAfter = parseFhirTime(period.end, 'end');
  const isTime = 'A date, or a date and time with a time zone, is needed.';
  if (notBefore === undefined) return required(`${expression}.start`, isTime);
  if (notAfter === undefined) return required(`${expression}.end`, isTime);
  if (notAfter <= notBefore) throw new Refusal('value', expression, 'The period ends before it starts.');
  return { notBefore, notAfter };
}

function checkFrame(consent: JsonObject): void {
  if (consent.resourceType !== 'Consent') throw new Refusal('value', 'Consent', 'This is not a Consent.');
  for (const modifier of ['modifierExtension', 'implicitRules']) {
    if (consent[modifier] !== undefined)
      unsupported(`Consent.${modifier}`, 'This changes the meaning in unknown ways.');
  }
  if (consent.status !== 'active')
    throw new Refusal('value', 'Consent.status', 'Only an active consent can be granted.');
  const scope = conceptCode(objectAt(consent, 'scope', 'Consent.scope'), SCOPE_SYSTEM, 'Consent.scope');
  if (scope !== 'patient-privacy') unsupported('Consent.scope', 'Only privacy consents can be evaluated.');
  if (isObject(consent.policyRule)) {
    const rule = conceptCode(consent.policyRule, POLICY_SYSTEM, 'Consent.policyRule');
    if (rule !== 'OPTIN') unsupported('Consent.policyRule', 'Only an opt-in can be evaluated.');
  }
}

function readTerms(consent: JsonObject): ConsentTerms {
  checkFrame(consent);
  const organizations = itemsAt(consent, 'organization', 'Consent.organization');
  if (organizations.length !== 1)
    unsupported('Consent.organization', 'Exactly one custodian can be evaluated.');
  const custodian = organizationIn(organizations[0], 'Consent.organization[0]');
  const provision = objectAt(consent, 'provision', 'Consent.provision');
  onlyKeys(provision, EVALUATED, 'Consent.provision');
  if (provision.type !== 'permit')
    unsupported('Consent.provision.type', 'Only a permission can be evaluated.');
  checkActions(provision);
  const types = readTypes(provision);
  return {
    custodian,
    recipient: readRecipient(provision),
    purposes: readPurposes(provision),
    ...(types ? { types } : {}),
    ...readPeriod(provision),
  };
}

/**
 * Reads the terms of a FHIR Consent. Whatever in it would narrow or change the permission and cannot be evaluated makes
 * it refused: a provision that is ignored would release what the patient kept back.
 *
 * @example
 * const terms = consentToTerms(resource);
 * if (!terms.ok) throw outcome(terms.error);
 */
export function consentToTerms(consent: unknown): Result<ConsentTerms, ConsentIssue> {
  if (!isObject(consent)) {
    return err({ code: 'value', expression: 'Consent', text: 'This is not a Consent.' });
  }
  try {
    return ok(readTerms(consent));
  } catch (error) {
    if (error instanceof Refusal) return err(error.issue);
    throw error;
  }
}

function concept(system: string, code: string): JsonObject {
  return { coding: [{ system, code }] };
}

/** The Consent that says exactly these terms. {@link consentToTerms} reads them back. */
export function termsToConsent(terms: ConsentTerms, patientReference: string): FhirConsent {
  const { custodian, recipient, purposes, types, notBefore, notAfter } = terms;
  return {
    resourceType: 'Consent',
    status: 'active',
    scope: concept(SCOPE_SYSTEM, 'patient-privacy'),
    category: [concept(CATEGORY_SYSTEM, '59284-0')],
    patient: { reference: patientReference },
    organization: [{ reference: `Organization/${custodian}` }],
    policyRule: concept(POLICY_SYSTEM, 'OPTIN'),
    provision: {
      type: 'permit',
      period: { start: formatInstant(notBefore), end: formatInstant(notAfter) },
      actor: [{ role: concept(ROLE_SYSTEM, 'IRCP'), reference: { reference: `Organization/${recipient}` } }],
      action: [concept(ACTION_SYSTEM, 'access')],
      purpose: purposes.map((code) => ({ system: REASON_SYSTEM, code })),
      ...(types ? { class: types.map((code) => ({ system: TYPE_SYSTEM, code })) } : {}),
    },
  };
}
