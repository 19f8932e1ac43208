import type { DateRange } from './date-range.ts';

/** How a date is compared (FHIR R4, search, section 3.1.1.4.4). */
export type DateComparison = 'eq' | 'ne' | 'gt' | 'lt' | 'ge' | 'le' | 'sa' | 'eb' | 'ap';

/** One condition; all conditions of a plan must hold. */
export type Criterion =
  /** At least one of the tokens is there; with `negate`, none of them. */
  | { readonly kind: 'tokens'; readonly any: readonly Uint8Array[]; readonly negate: boolean }
  | {
      readonly kind: 'date';
      readonly parameter: string;
      readonly any: readonly { readonly comparison: DateComparison; readonly range: DateRange }[];
    }
  | { readonly kind: 'ids'; readonly any: readonly string[] }
  | {
      readonly kind: 'last-updated';
      readonly any: readonly { readonly comparison: DateComparison; readonly range: DateRange }[];
    };

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

export interface SortOrder {
  /** `_lastUpdated`, or the code of a date parameter. */
  readonly by: '_lastUpdated' | { readonly date: string };
  readonly descending: boolean;
}

/** Where a page begins: after this entry. */
export interface Page {
  readonly seq: number;
  /** The sort value of that entry. */
  readonly key: number;
}

export interface SearchPlan {
  readonly type: string;
  readonly criteria: readonly Criterion[];
  readonly visibility: Visibility;
  readonly sort: SortOrder;
  /** Entries of one page; 0 asks for the total alone. */
  readonly countMax: number;
  readonly countTotal: boolean;
  readonly after?: Page;
}
