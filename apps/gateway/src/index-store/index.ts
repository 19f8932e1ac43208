export { type DateRange, dateRangeOf } from './date-range.ts';
export { type Found, type IndexChange, IndexStore, wouldFind } from './index-store.ts';
export { Indexer } from './indexer.ts';
export { type IndexedParameter, type IndexedType, searchParametersOf } from './search-parameters.ts';
export type {
  Criterion,
  DateComparison,
  Page,
  SearchPlan,
  SortOrder,
  Visibility,
  VisibleSubjects,
} from './search-plan.ts';
export { type SearchValues, searchValuesOf } from './search-values.ts';
export { EDGE_LETTERS_MAX, normalizeString, Tokenizer } from './tokenizer.ts';
