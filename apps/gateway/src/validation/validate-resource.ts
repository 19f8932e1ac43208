import { MEDPLUM_VERSION } from '@medplum/core';
import type { OperationOutcomeIssue } from '@medplum/fhirtypes';
import { version as fhirpathVersion } from 'fhirpath';
import { FHIR_VERSION } from './definition-texts.ts';
import { type Definitions, loadDefinitions } from './definitions.ts';
import { checkResource } from './element-check.ts';
import { issueAt } from './issue.ts';
import { isObject, type JsonObject } from './json-object.ts';
import { checkProfile } from './profile-check.ts';
import { checkStructure, type NameOf, RESOURCE_LIMITS, type ResourceLimits } from './structure-check.ts';
import { Walk } from './walk.ts';

/** Who validates, as it is recorded with each record. `version` changes whenever an answer could. */
export interface Validator {
  readonly name: string;
  readonly version: string;
}

/** Our own checks' part of the version: raise it with every change to this folder that changes an answer. */
const CHECKS_VERSION = '2';
export const VALIDATOR: Validator = {
  name: 'careledger-r4',
  version: `${CHECKS_VERSION}+fhir-${FHIR_VERSION}.medplum-${MEDPLUM_VERSION}.fhirpath-${fhirpathVersion}`,
};
/** Issues that one answer lists: more help nobody. */
export const ISSUES_MAX = 100;

export interface ValidationOptions {
  readonly limits?: ResourceLimits;
  /** Canonical URLs of profiles to validate against besides those that the resource declares. */
  readonly profiles?: readonly string[];
}

/** What is recorded with a record version: who judged it, by which version, and how (LED-28). */
export interface Validation {
  readonly validator: Validator;
  readonly valid: boolean;
  readonly issues: readonly OperationOutcomeIssue[];
  /**
   * Outside code systems (`LOINC`, `SNOMED CT`, `other`) with codes in the resource of which only the form was checked:
   * their lists are their publishers'.
   */
  readonly systemsNotLookedUp: readonly string[];
}

function namesFor(definitions: Definitions): NameOf {
  return (key) => {
    const bare = key.startsWith('_') ? key.slice(1) : key;
    return definitions.elementNames.has(bare.toLowerCase()) ? key : '(unknown)';
  };
}

/** Each expression once with the first thing said about it at its severity; errors first. */
function distinct(issues: readonly OperationOutcomeIssue[]): readonly OperationOutcomeIssue[] {
  const seen = new Map<string, OperationOutcomeIssue>();
  for (const issue of issues) {
    const key = `${issue.severity} ${issue.expression?.[0]} ${issue.details?.text}`;
    if (!seen.has(key)) seen.set(key, issue);
  }
  const all = [...seen.values()];
  const errors = all.filter(isError);
  return [...errors, ...all.filter((issue) => !isError(issue))].slice(0, ISSUES_MAX);
}

function isError(issue: OperationOutcomeIssue): boolean {
  return issue.severity === 'error' || issue.severity === 'fatal';
}

function checkAskedProfiles(
  walk: Walk,
  resource: JsonObject,
  type: string,
  profiles: readonly string[],
): void {
  const scope = { resource, root: resource, entries: new Map() };
  const item = {
    value: resource,
    shadow: undefined,
    type: { code: type, targets: [], profiles: [] },
    at: type,
  };
  for (const canonical of profiles) {
    const profile = walk.definitions.profile(canonical);
    if (profile) checkProfile(walk, profile, item, scope);
    else walk.report(type, 'not-found', 'The profile to validate against is not known here');
  }
}

interface Findings {
  readonly issues: readonly OperationOutcomeIssue[];
  readonly systemsNotLookedUp: readonly string[];
}

function examine(
  resource: unknown,
  { limits = RESOURCE_LIMITS, profiles = [] }: ValidationOptions,
): Findings {
  const definitions = loadDefinitions();
  const only = (issue: OperationOutcomeIssue) => ({ issues: [issue], systemsNotLookedUp: [] });
  if (!isObject(resource)) return only(issueAt('Resource', 'structure', 'A resource must be a JSON object'));
  const { resourceType } = resource;
  if (typeof resourceType !== 'string' || !definitions.resourceTypes.has(resourceType)) {
    return only(issueAt('Resource.resourceType', 'structure', 'R4 defines no such resource type'));
  }
  const nameOf = namesFor(definitions);
  const structure = checkStructure(resource, { resourceType, limits, nameOf });
  if (structure.exceeded) return { issues: distinct(structure.issues), systemsNotLookedUp: [] };
  const walk = new Walk(definitions, limits, nameOf);
  checkResource(walk, resource, resourceType);
  checkAskedProfiles(walk, resource, resourceType, profiles);
  return {
    issues: distinct([...structure.issues, ...walk.issues]),
    systemsNotLookedUp: [...walk.systemsNotLookedUp].sort(),
  };
}

/**
 * Validates a resource of any R4 type: structure, cardinality, types, formats, invariants, targets of references, required
 * bindings that can be enumerated, narrative, limits, and the profiles that it declares and this process knows
 * (`loadProfiles`). Not covered: whether a reference's target exists, whether a code of SNOMED CT, LOINC or another
 * outside system exists (its form is checked).
 *
 * @param resource - Plain JSON; of a lossless one its `toPlain`.
 * @returns Issues with FHIRPath expressions and without any value of the resource; no errors among them when it is valid.
 */
export function validateResource(
  resource: unknown,
  options: ValidationOptions = {},
): readonly OperationOutcomeIssue[] {
  return examine(resource, options).issues;
}

/** {@link validateResource} as the record that is kept beside a record version. */
export function validationOf(resource: unknown, options: ValidationOptions = {}): Validation {
  const findings = examine(resource, options);
  return { validator: VALIDATOR, valid: !findings.issues.some(isError), ...findings };
}

/** What is kept of a validation beside its record: its issues, and a note of the codes that nobody looked up (IOP-05). */
export function issuesToRecord({
  issues,
  systemsNotLookedUp,
}: Pick<Validation, 'issues' | 'systemsNotLookedUp'>): readonly OperationOutcomeIssue[] {
  if (systemsNotLookedUp.length === 0) return issues;
  const text = `Codes of ${systemsNotLookedUp.join(', ')}: written as they should be, not looked up`;
  return [...issues, { severity: 'information', code: 'not-supported', details: { text } }];
}

/** Does R4 define this resource type (abstract ones apart)? */
export function isR4ResourceType(type: string): boolean {
  return loadDefinitions().resourceTypes.has(type);
}
