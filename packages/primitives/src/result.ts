/** A value or the reason why there is none. For outcomes a caller is expected to handle. */
export type Result<Value, Failure> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly error: Failure };

export function ok<Value>(value: Value): { readonly ok: true; readonly value: Value } {
  return { ok: true, value };
}

export function err<Failure>(error: Failure): { readonly ok: false; readonly error: Failure } {
  return { ok: false, error };
}

/** A broken promise of our own code. Nobody catches it: the node stops. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

/** States what must hold here. @throws {@link InvariantError} when it does not. */
export function invariant(condition: unknown, statement: string): asserts condition {
  if (!condition) throw new InvariantError(`broken invariant: ${statement}`);
}
