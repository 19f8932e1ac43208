import type { Resource } from '@medplum/fhirtypes';
import { type Interaction, isAllowed } from '../authorization/scopes.ts';
import type { Caller } from '../caller.ts';
import { type Visibility, type VisibleSubjects, wouldFind } from '../index-store/index.ts';
import type { StoredVersion } from '../vault/index.ts';
import { FhirError, forbidden } from './fhir-error.ts';
import type { RecordStoreOptions } from './record-store.ts';
import { restrictionCriteria } from './search/restriction.ts';

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

/** Is this type about the organization and its offers, rather than about patients? */
export function isDirectoryType(type: string): boolean {
  return DIRECTORY_TYPES.has(type);
}

/**
 * Refuses what the caller's scopes do not cover. Other members never come this way: what they may see is decided by
 * consent and policy, in `exchange/`.
 *
 * @throws {@link FhirError} 403.
 */
export function requireScope(caller: Caller, type: string, interaction: Interaction): void {
  if (!isScopeCovered(caller, type, interaction)) throw forbidden();
}

/** {@link requireScope}, as a question. */
export function isScopeCovered(caller: Caller, type: string, interaction: Interaction): boolean {
  return caller.kind !== 'organization' && isAllowed(caller, type, interaction);
}

/** What deciding about granular scopes needs. */
export type AccessContext = Pick<RecordStoreOptions, 'index' | 'indexer' | 'baseUrl'>;

/** One letter of a scope. */
export type Permission = 'create' | 'read' | 'update' | 'delete' | 'search';

/** A version as far as access depends on it. */
export type AccessedVersion = Pick<StoredVersion, 'type' | 'id' | 'subjects'>;

/**
 * What of this type the caller may see. A patient token sees the records of that patient alone: not those that name
 * another patient too, because each of them would have to permit it. Directory types (Organization, Practitioner) are
 * nobody's and seen by all; whatever else names nobody, by the organization alone. Where all scopes for the permission
 * are granular, a record must meet one of them as it is *now*: current labels govern old versions too.
 */
export function visibilityFor(
  context: AccessContext,
  caller: Caller,
  type: string,
  permission: Permission,
): Visibility {
  const granted = grantedCriteria(context, caller, type, permission);
  return { ...subjectsFor(caller, type), ...(granted ? { granted } : {}) };
}

function subjectsFor(caller: Caller, type: string): VisibleSubjects {
  if (caller.kind !== 'patient') return { kind: 'all' };
  return { kind: 'patient', patient: caller.patientId ?? '', includeUnowned: DIRECTORY_TYPES.has(type) };
}

/** The granular scopes as groups of criteria, or `undefined` where one scope covers the whole type. */
function grantedCriteria(
  { indexer, baseUrl }: AccessContext,
  caller: Caller,
  type: string,
  permission: Permission,
): Visibility['granted'] {
  const restrictions: (readonly (readonly [string, string])[])[] = [];
  for (const scope of caller.scopes) {
    if (!scope[permission] || (scope.type !== '*' && scope.type !== type)) continue;
    if (!scope.restriction || scope.restriction.length === 0) return undefined;
    restrictions.push(scope.restriction);
  }
  const { tokenizer } = indexer;
  return restrictions.flatMap((restriction) => {
    const criteria = restrictionCriteria(type, restriction, { tokenizer, baseUrl });
    return criteria ? [criteria] : [];
  });
}

function isSubjectVisible(subjects: readonly string[], visible: VisibleSubjects): boolean {
  if (visible.kind === 'all') return true;
  if (subjects.length === 0) return visible.includeUnowned;
  return subjects.every((subject) => subject === visible.patient);
}

/**
 * {@link visibilityFor}, asked of one version, old or new. The index is asked only where every scope for the permission
 * is granular.
 */
export async function maySee(
  context: AccessContext,
  caller: Caller,
  version: AccessedVersion,
  permission: Permission,
): Promise<boolean> {
  if (!isSubjectVisible(version.subjects, subjectsFor(caller, version.type))) return false;
  const visibility = visibilityFor(context, caller, version.type, permission);
  if (!visibility.granted) return true;
  const { total } = await context.index.search({
    type: version.type,
    visibility,
    criteria: [{ kind: 'ids', any: [version.id] }],
    sort: [],
    countMax: 0,
    countTotal: true,
  });
  return total === 1;
}

/**
 * May the caller bring in a version that says this? The content itself must meet a granular scope. A patient's writes
 * about others, or about nobody, look like writes about patients who do not exist.
 */
export async function mayWrite(
  context: AccessContext,
  caller: Caller,
  version: AccessedVersion & Pick<StoredVersion, 'time'>,
  plain: Resource,
  permission: 'create' | 'update',
): Promise<boolean> {
  if (caller.kind === 'patient') {
    const visible = subjectsFor(caller, version.type);
    if (version.subjects.length === 0 || !isSubjectVisible(version.subjects, visible)) return false;
  }
  const visibility = visibilityFor(context, caller, version.type, permission);
  if (!visibility.granted) return true;
  const values = context.indexer.valuesOf(plain);
  return wouldFind({ ...version, seq: 1, deleted: false, values }, visibility);
}

/** Who is written down as the author of a version: organization and client or user id. */
export function actorOf(caller: Caller): string {
  const kind = caller.isOnBehalf ? 'user' : caller.kind;
  return `${caller.organization}/${kind}/${caller.subject}`.slice(0, ACTOR_CHARACTERS_MAX);
}

/**
 * May the caller correct or delete this version? The organization's users and systems may, within their scopes; a
 * patient may take back what the patient wrote, and ask the organization to amend the rest.
 *
 * @throws {@link FhirError} 403.
 */
export function requireAuthorship(caller: Caller, version: StoredVersion): void {
  if (caller.kind !== 'patient' || caller.isOnBehalf || version.actor === actorOf(caller)) return;
  throw new FhirError({
    status: 403,
    code: 'forbidden',
    message: 'A patient token changes only what the patient has written.',
    help: 'Ask the organization to amend the record.',
  });
}
