/** Why an import cannot begin. Once it runs, problems are findings in its report. */
export class ImportError extends Error {
  override readonly name = 'ImportError';
  readonly code: 'import/no-such-path';
  readonly help: string;

  constructor(path: string, cause?: unknown) {
    super(`There is no file or folder ${path} that can be read.`, { cause });
    this.code = 'import/no-such-path';
    this.help =
      'Give the path of a FHIR bundle (.json), of NDJSON (.ndjson, .jsonl), or of a folder of them.';
  }
}
