/** A condition of the node that a person or a program is told about. `code` is permanent, `help` says what to do. */
export class NodeError extends Error {
  override readonly name = 'NodeError';
  readonly code: string;
  readonly help: string;

  constructor(code: string, message: string, help: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
    this.help = help;
  }
}

/** The message of whatever was thrown. */
export function messageOf(fault: unknown): string {
  return fault instanceof Error ? fault.message : String(fault);
}
