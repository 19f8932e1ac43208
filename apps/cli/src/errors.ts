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

/** What a person and a program are told of something that was thrown. */
export interface Fault {
  readonly code: string;
  readonly message: string;
  readonly help: string;
}

/** Code, sentence and advice of whatever was thrown. `help` is the advice where the thrown thing brings none. */
export function faultOf(thrown: unknown, help: string): Fault {
  const fields: { code?: unknown; message?: unknown; help?: unknown; port?: unknown } =
    typeof thrown === 'object' && thrown !== null ? thrown : {};
  if (fields.code === 'EADDRINUSE') {
    return {
      code: 'port/in-use',
      message: `Port ${String(fields.port)} is in use.`,
      help: 'Stop what listens there, or give another first port with --port.',
    };
  }
  return {
    code: typeof fields.code === 'string' ? fields.code : 'cli/fault',
    message: typeof fields.message === 'string' ? fields.message : String(thrown),
    help: typeof fields.help === 'string' ? fields.help : help,
  };
}
