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
  /** The expressions begin at the Bundle that the request is. */
  readonly isPlaced?: boolean;
}

/** A refusal of the FHIR API: answered with its status and an OperationOutcome. */
export class FhirError extends Error {
  override readonly name = 'FhirError';
  readonly status: number;
  readonly code: IssueCode;
  readonly help: string;
  readonly issues: readonly OperationOutcomeIssue[];
  readonly isPlaced: boolean;

  constructor(options: FhirErrorOptions) {
    super(options.message);
    this.status = options.status;
    this.code = options.code;
    this.help = options.help;
    this.isPlaced = options.isPlaced ?? false;
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
    if (this.isPlaced) return this;
    const issues = this.issues.map((issue) => ({
      ...issue,
      expression: (issue.expression ?? ['']).map((path) => placeInEntry(entry, path)),
    }));
    const { status, code, message, help } = this;
    return new FhirError({ status, code, message, help, issues, isPlaced: true });
  }
}

/** Headers that stand in an entry's request instead. */
const REQUEST_ELEMENTS: Readonly<Record<string, string>> = {
  'If-Match': 'ifMatch',
  'If-None-Match': 'ifNoneMatch',
  'If-None-Exist': 'ifNoneExist',
};

/** `Observation.subject` → `Bundle.entry[3].resource.subject`: the type is what stands in the entry. */
function placeInEntry(entry: string, expression: string): string {
  const element = REQUEST_ELEMENTS[expression];
  if (element !== undefined) return `${entry}.request.${element}`;
  if (expression === '') return entry;
  // A search parameter, not an element: it stands in the address.
  if (!/^[A-Z]/.test(expression) || expression.includes('?')) return `${entry}.request.url`;
  const dot = expression.indexOf('.');
  return `${entry}.resource${dot === -1 ? '' : expression.slice(dot)}`;
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

/** @param header The condition that does not hold. */
export function versionConflict(header: 'If-Match' | 'If-None-Match'): FhirError {
  return new FhirError({
    status: 412,
    code: 'conflict',
    message: `The resource is not at a version that ${header} permits.`,
    help: 'Read it again, apply the change to what it says now, and send that version.',
    expression: [header],
  });
}

/** What this server does not offer. */
export function notSupported(): FhirError {
  return new FhirError({
    status: 404,
    code: 'not-supported',
    message: 'This server has no such resource type or operation.',
    help: 'See /fhir/R4/metadata.',
  });
}

export function methodNotAllowed(): FhirError {
  return new FhirError({
    status: 405,
    code: 'not-supported',
    message: 'This address is not served with this method.',
    help: 'See /fhir/R4/metadata.',
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
