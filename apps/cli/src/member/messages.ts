import type { Fault } from '../errors.ts';

/** What the starter and a member's process say to one another over the process channel: small JSON, no clinical data. */
export type MemberRequest = {
  readonly id: number;
  readonly method: string;
  readonly parameters: Readonly<Record<string, unknown>>;
};

export type MemberMessage =
  | { readonly kind: 'ready'; readonly fhir: string; readonly node: string }
  | { readonly kind: 'failed'; readonly fault: Fault }
  | { readonly kind: 'reply'; readonly id: number; readonly result: unknown }
  | { readonly kind: 'refused'; readonly id: number; readonly fault: Fault }
  | { readonly kind: 'progress'; readonly id: number; readonly done: number; readonly total: number };
