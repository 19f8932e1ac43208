import type { OperationOutcomeIssue } from '@medplum/fhirtypes';
import { issueAt } from './issue.ts';
import type { NameOf } from './structure-check.ts';

/** Texts of `@medplum/core` that never quote the resource: fixed words, type names and limits. */
const SAFE_TEXTS: readonly RegExp[] = [
  /^Missing required property$/,
  /^Expected (array of values|single value) for property$/,
  /^Invalid number of values: expected \d+\.\.(\d+|\*), but found \d+$/,
  /^Value did not match expected pattern$/,
  /^Invalid empty (value|non-primitive value)$/,
  /^Invalid (null|undefined) value$/,
  /^Invalid JSON type: expected (string|number|boolean), but got (string|number|boolean|object|undefined)$/,
  /^Invalid base64Binary format$/,
  /^base64Binary exceeds \d+ bytes$/,
  /^String (must contain non-whitespace content|cannot be larger than 1 MB)$/,
  /^Invalid [A-Za-z0-9]+ (format|value)$/,
  /^Invalid numeric value$/,
  /^Expected number to be (an integer|in the range -?\d+\.\.\d+)$/,
  /^Error evaluating invariant expression$/,
];
const CONSTRAINT = /^Constraint ([a-z]+-[a-z0-9]+) not met: /;

interface Translation {
  readonly starts: string;
  readonly code: OperationOutcomeIssue['code'];
  readonly text: string;
}
/** Texts that quote the resource, in our words. All are errors: core lets some pass as warnings, R4 does not. */
const TRANSLATIONS: readonly Translation[] = [
  { starts: 'Invalid additional property', code: 'structure', text: 'R4 defines no such element here' },
  {
    starts: 'Invalid reference',
    code: 'value',
    text: 'A reference to a resource type that is not allowed here',
  },
  {
    starts: 'Conflicting choice of type',
    code: 'structure',
    text: 'A choice of types is made more than once',
  },
  {
    starts: 'Type of primitive extension',
    code: 'structure',
    text: 'The extension of a primitive element has another type than the element',
  },
  { starts: 'Unknown data type', code: 'structure', text: 'A resource or type that R4 does not know' },
];

/** A path of core as FHIRPath: from the resource, without `[x]`, and without names that R4 does not know. */
function expressionOf(issue: OperationOutcomeIssue, resourceType: string, nameOf: NameOf): string {
  const steps = (issue.expression?.[0] ?? '').replaceAll('[x]', '').split('.');
  if (steps[0] === resourceType || steps[0] === '') steps.shift();
  return [resourceType, ...steps.map((step) => step.replace(/^[^[]*/, nameOf))].join('.');
}

/** One issue of core with nothing in it that came from the resource: neither values nor names of its own. */
export function withoutValues(
  issue: OperationOutcomeIssue,
  resourceType: string,
  nameOf: NameOf,
): OperationOutcomeIssue {
  const text = issue.details?.text ?? '';
  const expression = expressionOf(issue, resourceType, nameOf);
  const translation = TRANSLATIONS.find(({ starts }) => text.startsWith(starts));
  if (translation) return issueAt(expression, translation.code, translation.text);
  // The description of a constraint is R4's own.
  if (CONSTRAINT.test(text)) return issueAt(expression, 'invariant', text, issue.severity);
  if (!SAFE_TEXTS.some((safe) => safe.test(text))) return issueAt(expression, 'invalid', 'Not valid by R4');
  return issueAt(
    expression,
    text === 'Missing required property' ? 'required' : 'structure',
    text,
    issue.severity,
  );
}
