import { fromHex } from '@careledger/primitives';
import { ProofMismatchError } from './errors.ts';
import type { LedgerClient } from './ledger-client.ts';
import { ask, chainPath } from './transport.ts';

export const JSON_TYPE = 'application/json';
const LIST_BYTES_MAX = 16 * 1024 * 1024;

export type JsonFields = Readonly<Record<string, unknown>>;

/** A node's JSON is a list of what to ask for, never what is believed. */
function malformed(): ProofMismatchError {
  return new ProofMismatchError('form', 'its JSON has another form');
}

export function fieldsOf(value: unknown): JsonFields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonFields;
  throw malformed();
}

export function listOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw malformed();
}

export function heightOf(value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw malformed();
}

export function bytesOf(value: unknown): Uint8Array {
  const bytes = typeof value === 'string' ? fromHex(value) : undefined;
  if (bytes) return bytes;
  throw malformed();
}

/** Values of a query; those that are absent are left out. */
export type Query = Readonly<Record<string, string | number | undefined>>;

export function queryText(query: Query): string {
  const present = Object.entries(query).filter(([, value]) => value !== undefined);
  const pairs = present.map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`);
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`;
}

/** Asks for JSON below the chain. @throws ProofMismatchError `form`, and what {@link ask} throws. */
export async function askJson(
  client: LedgerClient,
  parts: readonly string[],
  options: { readonly query: Query; readonly subject: string },
): Promise<JsonFields> {
  const answer = await ask(
    client.transport,
    {
      method: 'GET',
      path: `${chainPath(client.chain, ...parts)}${queryText(options.query)}`,
      accept: JSON_TYPE,
      bytesMax: LIST_BYTES_MAX,
    },
    options.subject,
  );
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(answer));
  } catch {
    throw malformed();
  }
  return fieldsOf(value);
}

/** Pages of a list that a node may not spin out for ever. */
const PAGES_MAX = 100_000;

/** Follows the cursors of a list, page by page, as it is consumed. */
export async function* askPages(
  client: LedgerClient,
  parts: readonly string[],
  options: { readonly query: Query; readonly subject: string; readonly list: string },
): AsyncGenerator<JsonFields> {
  let cursor: string | undefined;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const query = { ...options.query, ...(cursor === undefined ? {} : { cursor }) };
    const answer = await askJson(client, parts, { ...options, query });
    for (const item of listOf(answer[options.list])) yield fieldsOf(item);
    const { next } = answer;
    if (typeof next !== 'string') return;
    if (next === cursor) throw new ProofMismatchError('list', 'its pages lead in a circle');
    cursor = next;
  }
  throw new ProofMismatchError('list', 'its pages have no end');
}
