import type { ValidatorOptions } from '@medplum/core';
import type { OperationOutcomeIssue } from '@medplum/fhirtypes';
import type { CodeLookup, Definitions } from './definitions.ts';
import { issueAt } from './issue.ts';
import type { NameOf } from './structure-check.ts';
import { withoutVersion } from './value-set-codes.ts';

/** What core collects while it validates: the coded values under each required value set. */
export type CollectedTokens = NonNullable<NonNullable<ValidatorOptions['collect']>['tokens']>;
type Token = CollectedTokens[string][number];

/** Required value sets that R4 binds but leaves to another standard: only the form of a code can be checked. */
const CODE_PATTERNS: Readonly<Record<string, RegExp>> = {
  'http://hl7.org/fhir/ValueSet/mimetypes': /^[a-z]+\/[\w.+-]+(\s*;.*)?$/i,
  'http://hl7.org/fhir/ValueSet/currencies': /^[A-Z]{3}$/,
};

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null
    ? (value as Readonly<Record<string, unknown>>)[name]
    : undefined;
}

function isBound({ type, value }: Token, lookup: CodeLookup): boolean {
  const hasCoding = (coding: unknown) =>
    lookup.has(String(member(coding, 'system') ?? ''), String(member(coding, 'code') ?? ''));
  switch (type) {
    case 'code':
      // A code that is only an extension is an object here, and has no code to check.
      return typeof value !== 'string' || lookup.hasCode(value);
    case 'Coding':
      return hasCoding(value);
    case 'CodeableConcept': {
      const list: unknown = member(value, 'coding');
      return Array.isArray(list) && list.some(hasCoding);
    }
    default:
      return true;
  }
}

function isWellFormed({ type, value }: Token, pattern: RegExp): boolean {
  return type !== 'code' || typeof value !== 'string' || pattern.test(value);
}

/** Codes outside the value set that R4 requires for their element. */
export function checkBindings(
  tokens: CollectedTokens,
  definitions: Definitions,
  nameOf: NameOf,
): OperationOutcomeIssue[] {
  const issues: OperationOutcomeIssue[] = [];
  for (const [canonical, values] of Object.entries(tokens)) {
    const url = withoutVersion(canonical);
    const required = definitions.valueSet(url);
    const pattern = CODE_PATTERNS[url];
    for (const token of values) {
      const holds =
        required && !required.isOpen ? isBound(token, required) : !pattern || isWellFormed(token, pattern);
      if (holds) continue;
      const [root, ...steps] = token.path.replaceAll('[x]', '').split('.');
      const expression = [root, ...steps.map((step) => step.replace(/^[^[]*/, nameOf))].join('.');
      issues.push(issueAt(expression, 'code-invalid', `A code outside the required value set ${url}`));
    }
  }
  return issues;
}
