/** How a span is compared (FHIR R4, search, section 3.1.1.4.4). */
export type Comparison = 'eq' | 'ne' | 'gt' | 'lt' | 'ge' | 'le' | 'sa' | 'eb' | 'ap';

/** A date, number or quantity that is asked for. */
export interface SpanComparison {
  /** Number of the parameter, with its unit where one is asked for. */
  readonly parameter: number;
  readonly comparison: Comparison;
  readonly low: number;
  readonly high: number;
}

/** A part of a composite: one element must meet all parts. */
export type CompositePart =
  | { readonly kind: 'tokens'; readonly any: readonly Uint8Array[] }
  | { readonly kind: 'span'; readonly any: readonly SpanComparison[] };

/** Text that the index narrows down and a record decides. */
export interface TextCriterion {
  readonly kind: 'text';
  readonly type: string;
  /** Code of the parameter. */
  readonly parameter: string;
  /** All of these are in the text. */
  readonly grams: readonly Uint8Array[];
  /** Or this: the text is longer than what the index has of it. */
  readonly overflow: Uint8Array;
  /** Normalized letters. */
  readonly letters: string;
  readonly match: 'contains' | 'starts';
}

/** One condition; all conditions of a selection must hold. */
export type Criterion =
  /** At least one of the tokens is there; with `negate`, none of them. */
  | { readonly kind: 'tokens'; readonly any: readonly Uint8Array[]; readonly negate: boolean }
  /** A text that holds one of these grams. */
  | { readonly kind: 'grams'; readonly any: readonly Uint8Array[] }
  | TextCriterion
  | { readonly kind: 'span'; readonly any: readonly SpanComparison[] }
  /** Refers to one of these. Without a type, to anything with that id. */
  | {
      readonly kind: 'link';
      readonly parameter: number;
      readonly any: readonly { readonly type?: string; readonly id: string }[];
    }
  | { readonly kind: 'ids'; readonly any: readonly string[] }
  | { readonly kind: 'last-updated'; readonly any: readonly Omit<SpanComparison, 'parameter'>[] }
  | { readonly kind: 'composite'; readonly parts: readonly CompositePart[] }
  /** Refers to something that the selection holds. */
  | { readonly kind: 'chain'; readonly parameter: number; readonly target: Selection }
  /** Something that the selection holds refers to it. */
  | { readonly kind: 'has'; readonly parameter: number; readonly source: Selection }
  /** All criteria of at least one group hold. */
  | { readonly kind: 'any'; readonly groups: readonly (readonly Criterion[])[] };

/** Whose records the caller may see. */
export type VisibleSubjects =
  | { readonly kind: 'all' }
  /** Records of this patient and of nobody else; with `includeUnowned`, also those that are nobody's. */
  | { readonly kind: 'patient'; readonly patient: string; readonly includeUnowned: boolean };

/** What the caller may see of one type. */
export type Visibility = VisibleSubjects & {
  /** What granular scopes permit: all criteria of at least one of these must hold. Absent: no such limit. */
  readonly granted?: readonly (readonly Criterion[])[];
};

/** Records of one type that meet all criteria, among those that the caller may see. */
export interface Selection {
  readonly type: string;
  readonly criteria: readonly Criterion[];
  readonly visibility: Visibility;
}

export type SortBy =
  | '_lastUpdated'
  | '_id'
  /** A parameter whose spans the index holds. */
  | { readonly span: number }
  /** Code of a parameter whose values only the records themselves say. */
  | { readonly text: string };

export interface SortKey {
  readonly by: SortBy;
  readonly descending: boolean;
}

/** What an entry is sorted by, one value for each key; `null` where it has none. */
export type SortValues = readonly (number | string | null)[];

/** Where a page begins: after this entry. */
export interface Page {
  readonly seq: number;
  readonly keys: SortValues;
}

export interface SearchPlan extends Selection {
  /** Empty: by the vault's order, which is that of `_lastUpdated`. */
  readonly sort: readonly SortKey[];
  /** Entries of one page; 0 asks for the total alone. */
  readonly countMax: number;
  readonly countTotal: boolean;
  /** Where counting the total may stop; absent: it counts all. */
  readonly countedMax?: number;
  readonly after?: Page;
}
