/** Why an import cannot begin or go on. What is wrong with one entry is a finding in its report instead. */
export type ImportErrorCode =
  /** Neither a file nor a folder that can be read. */
  | 'import/no-such-path'
  /** Not an http or https URL of a FHIR server, or one with a password, a query or a fragment in it. */
  | 'import/source-address'
  /** The server asks for another token, or for one at all. */
  | 'import/source-denied'
  /** The server answered something else than success, several times over where that may help. */
  | 'import/source-refused'
  /** No answer came, several times over. */
  | 'import/source-unreachable'
  /** The answer is no searchset bundle, no JSON, or longer than its limit. */
  | 'import/source-answer'
  /** A next link leads to another origin, in a circle, or on without end. */
  | 'import/source-link'
  /** The state file of an interrupted import cannot be read, written, or belongs to another source. */
  | 'import/state';

/** Why an import cannot begin or go on. Names no address below the origin, no query and no content. */
export class ImportError extends Error {
  override readonly name = 'ImportError';
  readonly code: ImportErrorCode;
  readonly help: string;

  constructor(code: ImportErrorCode, message: string, help: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
    this.help = help;
  }
}
