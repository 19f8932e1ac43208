/** What the starter and a member's process say to one another over the process channel: small JSON, no clinical data. */
export type MemberRequest = {
  readonly id: number;
  readonly method: string;
  readonly parameters: Readonly<Record<string, unknown>>;
};

export interface MemberFault {
  readonly code: string;
  readonly message: string;
  readonly help: string;
}

export type MemberMessage =
  | { readonly kind: 'ready'; readonly fhir: string; readonly node: string }
  | { readonly kind: 'failed'; readonly fault: MemberFault }
  | { readonly kind: 'reply'; readonly id: number; readonly result: unknown }
  | { readonly kind: 'refused'; readonly id: number; readonly fault: MemberFault }
  | { readonly kind: 'progress'; readonly id: number; readonly done: number; readonly total: number };

/** Code, sentence and advice of whatever was thrown, for a process that cannot see the object. */
export function faultOf(thrown: unknown): MemberFault {
  const fields = (thrown ?? {}) as { code?: unknown; message?: unknown; help?: unknown };
  return {
    code: typeof fields.code === 'string' ? fields.code : 'member/fault',
    message: typeof fields.message === 'string' ? fields.message : 'an unknown fault',
    help: typeof fields.help === 'string' ? fields.help : "See the member's log for what happened before.",
  };
}
