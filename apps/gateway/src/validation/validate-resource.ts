import { MEDPLUM_VERSION, OperationOutcomeError, validateResource as validateWithCore } from '@medplum/core';
import type { OperationOutcomeIssue, Resource } from '@medplum/fhirtypes';
import { type CollectedTokens, checkBindings } from './binding-check.ts';
import { withoutValues } from './core-issues.ts';
import { FHIR_VERSION } from './definition-texts.ts';
import { type Definitions, loadDefinitions } from './definitions.ts';
import { issueAt } from './issue.ts';
import { checkStructure, type NameOf, RESOURCE_LIMITS, type ResourceLimits } from './structure-check.ts';

/** Who validates, as it is recorded with each record. `version` changes whenever an answer could. */
export interface Validator {
  readonly name: string;
  readonly version: string;
}

/** Our own checks' part of the version: raise it with every change to this folder that changes an answer. */
const CHECKS_VERSION = '1';
export const VALIDATOR: Validator = {
  name: 'careledger-r4',
  version: `${CHECKS_VERSION}+fhir-${FHIR_VERSION}.medplum-${MEDPLUM_VERSION}`,
};
/** Issues that one answer lists: more help nobody. */
export const ISSUES_MAX = 100;

/** What is recorded with a record version: who judged it, by which version, and how (LED-28). */
export interface Validation {
  readonly validator: Validator;
  readonly valid: boolean;
  readonly issues: readonly OperationOutcomeIssue[];
}

function namesFor(definitions: Definitions): NameOf {
  return (key) => {
    const bare = key.startsWith('_') ? key.slice(1) : key;
    return definitions.elementNames.has(bare.toLowerCase()) ? key : '(unknown)';
  };
}

function coreIssues(
  resource: Resource,
  limits: ResourceLimits,
): { readonly issues: readonly OperationOutcomeIssue[]; readonly tokens: CollectedTokens } {
  const tokens: CollectedTokens = {};
  try {
    const options = { base64BinaryMaxBytes: limits.attachmentBytesMax, collect: { tokens } };
    return { issues: validateWithCore(resource, options), tokens };
  } catch (error) {
    if (error instanceof OperationOutcomeError) return { issues: error.outcome.issue, tokens };
    // Core throws plain errors where a scalar stands for an object; what it says may quote the resource.
    return { issues: [issueAt(resource.resourceType, 'structure', '')], tokens };
  }
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

/**
 * Validates a resource of any R4 type: structure, cardinality, types, invariants, targets of references, required
 * bindings that R4 enumerates, narrative, limits. Not covered: profiles beyond R4, bindings to SNOMED CT, LOINC, UCUM and the like,
 * whether a reference's target exists, `contained` resources that nothing refers to (dom-3).
 *
 * @param resource - Plain JSON; of a lossless one its `toPlain`.
 * @returns Issues with FHIRPath expressions and without any value of the resource; empty when it is valid.
 */
export function validateResource(
  resource: unknown,
  limits: ResourceLimits = RESOURCE_LIMITS,
): readonly OperationOutcomeIssue[] {
  const definitions = loadDefinitions();
  if (typeof resource !== 'object' || resource === null || Array.isArray(resource)) {
    return [issueAt('Resource', 'structure', 'A resource must be a JSON object')];
  }
  const { resourceType } = resource as { resourceType?: unknown };
  if (typeof resourceType !== 'string' || !definitions.resourceTypes.has(resourceType)) {
    return [issueAt('Resource.resourceType', 'structure', 'R4 defines no such resource type')];
  }
  const nameOf = namesFor(definitions);
  const structure = checkStructure(resource, { resourceType, limits, nameOf });
  if (structure.exceeded) return distinct(structure.issues);
  const core = coreIssues(resource as Resource, limits);
  return distinct([
    ...structure.issues,
    ...core.issues.map((issue) => withoutValues(issue, resourceType, nameOf)),
    ...checkBindings(core.tokens, definitions, nameOf),
  ]);
}

/** {@link validateResource} as the record that is kept beside a record version. */
export function validationOf(resource: unknown, limits: ResourceLimits = RESOURCE_LIMITS): Validation {
  const issues = validateResource(resource, limits);
  return { validator: VALIDATOR, valid: !issues.some(isError), issues };
}

/** Does R4 define this resource type (abstract ones apart)? */
export function isR4ResourceType(type: string): boolean {
  return loadDefinitions().resourceTypes.has(type);
}
