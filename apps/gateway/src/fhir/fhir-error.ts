import type { OperationOutcome, OperationOutcomeIssue } from '@medplum/fhirtypes';

/** FHIR issue types that this API answers with (http://hl7.org/fhir/R4/valueset-issue-type.html). */
export type IssueCode = OperationOutcomeIssue['code'];

export interface FhirErrorOptions {
  /** HTTP status. */
  readonly status: number;
  readonly code: IssueCode;
  /** What happened, without any value of the request or of a record. */
  readonly message: string;
  /** What to do about it. */
  readonly help: string;
  /** FHIRPath, or the name of a search parameter or header. */
  readonly expression?: readonly string[];
  /** Several findings instead of one, from validation. */
  readonly issues?: readonly OperationOutcomeIssue[];
}

/** A refusal of the FHIR API: answered with its status and an OperationOutcome. */
export class FhirError extends Error {
  override readonly name = 'FhirError';
  readonly status: number;
  readonly code: IssueCode;
  readonly help: string;
  readonly issues: readonly OperationOutcomeIssue[];

  constructor(options: FhirErrorOptions) {
    super(options.message);
    this.status = options.status;
    this.code = options.code;
    this.help = options.help;
    this.issues = options.issues ?? [
      {
        severity: 'error',
        code: options.code,
        details: { text: options.message },
        diagnostics: options.help,
        ...(options.expression ? { expression: [...options.expression] } : {}),
      },
    ];
  }

  /** The same refusal, said of an entry of a bundle. */
  inEntry(entry: string): FhirError {
    const issues = this.issues.map((issue) => ({
      ...issue,
      expression: (issue.expression ?? ['']).map((path) => `${entry}.resource${elementsOf(path)}`),
    }));
    const { status, code, message, help } = this;
    return new FhirError({ status, code, message, help, issues });
  }
}

/** `Observation.subject` → `.subject`: the type is what stands in the entry. */
function elementsOf(expression: string): string {
  const dot = expression.indexOf('.');
  return dot === -1 ? '' : expression.slice(dot);
}

export function outcomeOf(issues: readonly OperationOutcomeIssue[]): OperationOutcome {
  return { resourceType: 'OperationOutcome', issue: [...issues] };
}

/** Also the answer for what the caller may not see: both must look alike. */
export function notFound(): FhirError {
  return new FhirError({
    status: 404,
    code: 'not-found',
    message: 'There is no such resource.',
    help: 'Check type and id; search for the resource.',
  });
}

export function gone(): FhirError {
  return new FhirError({
    status: 410,
    code: 'deleted',
    message: 'The resource has been deleted.',
    help: 'Read its history; an update brings it back.',
  });
}

export function forbidden(): FhirError {
  return new FhirError({
    status: 403,
    code: 'forbidden',
    message: 'The token does not permit this.',
    help: 'Ask for a token with a scope for this resource type and interaction.',
  });
}

export function versionConflict(): FhirError {
  return new FhirError({
    status: 412,
    code: 'conflict',
    message: 'The resource is not at the version that If-Match names.',
    help: 'Read it again, apply the change to what it says now, and send that version.',
    expression: ['If-Match'],
  });
}

export function invalidParameter(parameter: string, message: string): FhirError {
  return new FhirError({
    status: 400,
    code: 'invalid',
    message,
    help: 'See /fhir/R4/metadata for the parameters, and FHIR R4 (search) for their form.',
    expression: [parameter],
  });
}
