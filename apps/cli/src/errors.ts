/** Something the person at the command line should know. `code` is for programs, `help` says what to do next. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly code: string;
  readonly help: string;

  constructor(code: string, message: string, help: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
    this.help = help;
  }
}
