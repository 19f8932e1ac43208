/** Entries of a page when the request does not say. */
export const PAGE_DEFAULT = 50;
/** The most entries of a page: no search is unbounded. */
export const PAGE_MAX = 200;
/** Search parameters in one request. */
export const CRITERIA_MAX = 32;
/** Alternatives (`a,b,c`) of one parameter. */
export const ALTERNATIVES_MAX = 100;
/** Alternatives of all parameters of one search together: each is looked for in every entry that the others leave. */
export const ALTERNATIVES_TOTAL_MAX = 256;
/** Texts of one search for which records are opened and compared: `:contains`, and beginnings longer than the index holds. */
export const TEXTS_MAX = 16;
/** References that one parameter follows, by chain or `_has`. */
export const HOPS_MAX = 3;
/** References that all parameters of one search follow together. */
export const HOPS_TOTAL_MAX = 8;
/** Types that one step of a chain without a type may lead to. */
export const CHAIN_TYPES_MAX = 8;
/** Keys of one `_sort`. */
export const SORT_KEYS_MAX = 4;
/** Codes of a value set that `:in` compares with. */
export const VALUE_SET_CODES_MAX = 2_000;
/** Matches up to which a total is counted when the request does not ask for an accurate one. */
export const COUNTED_MAX = 1_000;
/** `_include` and `_revinclude` of one search. */
export const INCLUDES_MAX = 16;
/** Resources that one page includes beside its matches. */
export const INCLUDED_MAX = 500;
/** How often `:iterate` follows references from what was included. */
export const INCLUDE_ROUNDS_MAX = 4;
/** Types of one search over the whole system. */
export const SYSTEM_TYPES_MAX = 20;
