import { type Interaction, isAllowed } from '../authorization/scopes.ts';
import type { Caller } from '../caller.ts';
import type { Visibility } from '../index-store/index.ts';
import type { StoredVersion } from '../vault/index.ts';
import { FhirError, forbidden } from './fhir-error.ts';

const ACTOR_CHARACTERS_MAX = 160;

/**
 * Types that are about the organization and its offers. Only these does a patient token see where they name nobody: a
 * Binary or a Bundle that names no patient may still hold somebody's record.
 */
const DIRECTORY_TYPES: ReadonlySet<string> = new Set([
  'CodeSystem',
  'Endpoint',
  'HealthcareService',
  'InsurancePlan',
  'Location',
  'Medication',
  'MedicationKnowledge',
  'Organization',
  'OrganizationAffiliation',
  'Practitioner',
  'PractitionerRole',
  'Questionnaire',
  'Substance',
  'ValueSet',
]);

/**
 * Refuses what the caller's scopes do not cover. Other members never come this way: what they may see is decided by
 * consent and policy, in `exchange/`.
 *
 * @throws {@link FhirError} 403.
 */
export function requireScope(caller: Caller, type: string, interaction: Interaction): void {
  if (caller.kind === 'organization' || !isAllowed(caller, type, interaction)) throw forbidden();
}

/**
 * Whose records of this type the caller may see. A patient token sees the records of that patient alone: not those
 * that name another patient too, because each of them would have to permit it. Directory types (Organization,
 * Practitioner) are nobody's and seen by all; whatever else names nobody, by the organization alone.
 */
export function visibilityFor(caller: Caller, type: string): Visibility {
  if (caller.kind !== 'patient') return { kind: 'all' };
  return { kind: 'patient', patient: caller.patientId ?? '', includeUnowned: DIRECTORY_TYPES.has(type) };
}

/** {@link visibilityFor}, asked of one version. */
export function isVisible(caller: Caller, version: Pick<StoredVersion, 'type' | 'subjects'>): boolean {
  const visibility = visibilityFor(caller, version.type);
  if (visibility.kind === 'all') return true;
  if (version.subjects.length === 0) return visibility.includeUnowned;
  return version.subjects.every((subject) => subject === visibility.patient);
}

/** Who is written down as the author of a version: organization and client or user id. */
export function actorOf(caller: Caller): string {
  return `${caller.organization}/${caller.kind}/${caller.subject}`.slice(0, ACTOR_CHARACTERS_MAX);
}

/**
 * May the caller correct or delete this version? The organization's users and systems may, within their scopes; a
 * patient may take back what the patient wrote, and ask the organization to amend the rest.
 *
 * @throws {@link FhirError} 403.
 */
export function requireAuthorship(caller: Caller, version: StoredVersion): void {
  if (caller.kind !== 'patient' || version.actor === actorOf(caller)) return;
  throw new FhirError({
    status: 403,
    code: 'forbidden',
    message: 'A patient token changes only what the patient has written.',
    help: 'Ask the organization to amend the record.',
  });
}
