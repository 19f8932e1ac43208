import { sha256, toHex, utf8 } from '@careledger/primitives';
import { NodeError } from '../errors.ts';

/** So much of a query's hash stands in its cursors. */
const QUERY_DIGITS = 16;
export const CURSOR_CHARACTERS_MAX = 64;
const FORM = /^([0-9a-f]{16})-(\d{1,15})-(\d{1,9})$/;

/** Where a page ended: what stands here was the last. Blocks only ever follow, so it stays true under writes. */
export interface PageEnd {
  readonly height: number;
  readonly index: number;
}

/** A cursor belongs to the query that it was given for. */
function queryName(query: readonly unknown[]): string {
  return toHex(sha256(utf8(JSON.stringify(query)))).slice(0, QUERY_DIGITS);
}

/** The cursor of the page after this one. */
export function nextCursor(query: readonly unknown[], { height, index }: PageEnd): string {
  return `${queryName(query)}-${height}-${index}`;
}

/**
 * Where to go on, or `undefined` for the first page.
 * @throws NodeError `api/cursor` for a cursor that another query gave, or nobody.
 */
export function positionAfter(query: readonly unknown[], cursor: string | undefined): PageEnd | undefined {
  if (cursor === undefined) return undefined;
  const [, name, height, index] = FORM.exec(cursor) ?? [];
  if (name === queryName(query)) return { height: Number(height), index: Number(index) };
  throw new NodeError(
    'api/cursor',
    'the cursor does not belong to this query',
    'Repeat the query exactly as it was, with the cursor of its last answer; or begin without one.',
  );
}

/** The first items; `last` is the one after which there are more. */
export function takePage<Item>(
  found: Iterable<Item>,
  limit: number,
): { readonly items: readonly Item[]; readonly last: Item | undefined } {
  const items: Item[] = [];
  for (const item of found) {
    if (items.length === limit) return { items, last: items.at(-1) };
    items.push(item);
  }
  return { items, last: undefined };
}
