import type { OperationOutcomeIssue } from '@medplum/fhirtypes';
import { issueAt } from './issue.ts';
import { narrativeProblem } from './narrative.ts';

export interface ResourceLimits {
  /** JSON objects and arrays inside one another. */
  readonly depthMax: number;
  /** Elements in all, array items counted one by one. */
  readonly valuesMax: number;
  /** Length of all strings together, in UTF-16 code units. */
  readonly charactersMax: number;
  /** Decoded length of one attachment. */
  readonly attachmentBytesMax: number;
}
export const RESOURCE_LIMITS: ResourceLimits = {
  depthMax: 50,
  valuesMax: 100_000,
  charactersMax: 8 * 1024 * 1024,
  attachmentBytesMax: 5 * 1024 * 1024,
};

/** A member's name as an issue may show it. */
export type NameOf = (key: string) => string;

interface Walk {
  readonly limits: ResourceLimits;
  readonly nameOf: NameOf;
  readonly issues: OperationOutcomeIssue[];
  values: number;
  characters: number;
  exceeded: boolean;
}

function exceed(walk: Walk, expression: string, text: string): void {
  if (!walk.exceeded) walk.issues.push(issueAt(expression, 'too-long', text));
  walk.exceeded = true;
}

function checkText(walk: Walk, text: string, key: string, expression: string): void {
  walk.characters += text.length;
  if (walk.characters > walk.limits.charactersMax)
    exceed(walk, expression, 'The resource holds too much text');
  else if (text === '') walk.issues.push(issueAt(expression, 'structure', 'A string must not be empty'));
  else if (key === 'div') {
    const problem = narrativeProblem(text);
    if (problem) walk.issues.push(issueAt(expression, 'invalid', problem));
  }
}

function visitItems(
  walk: Walk,
  items: readonly unknown[],
  key: string,
  expression: string,
  depth: number,
): void {
  if (items.length === 0) walk.issues.push(issueAt(expression, 'structure', 'An array must not be empty'));
  for (const [index, item] of items.entries()) visit(walk, item, key, `${expression}[${index}]`, depth + 1);
}

function visitMembers(walk: Walk, object: object, expression: string, depth: number): void {
  const members = Object.entries(object);
  if (members.length === 0) walk.issues.push(issueAt(expression, 'structure', 'An object must not be empty'));
  for (const [key, member] of members) {
    const at = `${expression}.${walk.nameOf(key)}`;
    if (member === null) walk.issues.push(issueAt(at, 'structure', 'An element must not be null'));
    else visit(walk, member, key, at, depth + 1);
  }
}

function visit(walk: Walk, value: unknown, key: string, expression: string, depth: number): void {
  if (walk.exceeded) return;
  walk.values += 1;
  if (walk.values > walk.limits.valuesMax) exceed(walk, expression, 'The resource has too many elements');
  else if (depth > walk.limits.depthMax) exceed(walk, expression, 'The resource is nested too deeply');
  else if (typeof value === 'string') checkText(walk, value, key, expression);
  else if (Array.isArray(value)) visitItems(walk, value, key, expression, depth);
  else if (typeof value === 'object' && value !== null) visitMembers(walk, value, expression, depth);
}

/**
 * What JSON itself may not hold in FHIR, whatever the type: empty strings, arrays and objects, nulls, active content in
 * a narrative, and more than the limits. `exceeded` says that further checks would cost too much.
 */
export function checkStructure(
  resource: object,
  options: { readonly resourceType: string; readonly limits: ResourceLimits; readonly nameOf: NameOf },
): { readonly issues: OperationOutcomeIssue[]; readonly exceeded: boolean } {
  const { limits, nameOf, resourceType } = options;
  const walk: Walk = { limits, nameOf, issues: [], values: 0, characters: 0, exceeded: false };
  visitMembers(walk, resource, resourceType, 0);
  return { issues: walk.issues, exceeded: walk.exceeded };
}
