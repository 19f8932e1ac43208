import type { OperationOutcomeIssue } from '@medplum/fhirtypes';

/** An error at a place in a resource. `text` is ours or R4's: it never quotes the resource. */
export function issueAt(
  expression: string,
  code: OperationOutcomeIssue['code'],
  text: string,
  severity: OperationOutcomeIssue['severity'] = 'error',
): OperationOutcomeIssue {
  return { severity, code, details: { text }, expression: [expression] };
}
