export { type DateRange, dateRangeOf } from './date-range.ts';
export { boundValueSet } from './element-path.ts';
export { type Found, type IndexChange, IndexStore, wouldFind } from './index-store.ts';
export { Indexer, type IndexerOptions, plainOf } from './indexer.ts';
export { RECORDS_SORTED_MAX, SearchTooCostlyError, TEXTS_COMPARED_MAX } from './record-texts.ts';
export { referenceTarget } from './references.ts';
export {
  type CompositeComponent,
  type CompositeParameter,
  type IndexedParameter,
  type IndexedType,
  indexedParametersOf,
  type KnownParameter,
  parameterNumber,
  searchParametersOf,
} from './search-parameters.ts';
export type {
  Comparison,
  CompositePart,
  Criterion,
  Page,
  SearchPlan,
  Selection,
  SortBy,
  SortKey,
  SortValues,
  SpanComparison,
  TextCriterion,
  Visibility,
  VisibleSubjects,
} from './search-plan.ts';
export {
  addressesAbove,
  componentNumber,
  elementsAt,
  type SearchValues,
  searchValuesOf,
  textsOf,
} from './search-values.ts';
export {
  EDGE_LETTERS_MAX,
  GRAM_LETTERS,
  gramsOf,
  normalizeString,
  startsOf,
  Tokenizer,
  type TokenKind,
} from './tokenizer.ts';
export { canonicalUnit, UCUM_SYSTEM } from './ucum.ts';
