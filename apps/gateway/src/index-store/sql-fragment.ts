import type { SQLInputValue } from 'node:sqlite';

/** A piece of SQL with the values of its question marks. */
export interface SqlFragment {
  readonly text: string;
  readonly values: readonly SQLInputValue[];
}

function isFragment(part: SqlFragment | SQLInputValue): part is SqlFragment {
  return typeof part === 'object' && part !== null && 'text' in part;
}

/** SQL as a template: fragments are put in, every other value becomes a bound parameter. */
export function sql(
  strings: TemplateStringsArray,
  ...parts: readonly (SqlFragment | SQLInputValue)[]
): SqlFragment {
  let text = strings[0] ?? '';
  const values: SQLInputValue[] = [];
  parts.forEach((part, index) => {
    if (isFragment(part)) {
      text += part.text;
      values.push(...part.values);
    } else {
      text += '?';
      values.push(part);
    }
    text += strings[index + 1] ?? '';
  });
  return { text, values };
}

/** A name of ours: a table, a column, an alias. Never anything that came from outside. */
export function name(text: string): SqlFragment {
  return { text, values: [] };
}

export function joined(fragments: readonly SqlFragment[], separator: ' and ' | ' or ' | ', '): SqlFragment {
  return {
    text: fragments.map(({ text }) => text).join(separator),
    values: fragments.flatMap(({ values }) => values),
  };
}

export const ALWAYS = sql`1`;
export const NEVER = sql`0`;

export function allOf(conditions: readonly SqlFragment[]): SqlFragment {
  return conditions.length === 0 ? ALWAYS : sql`(${joined(conditions, ' and ')})`;
}

export function anyOf(conditions: readonly SqlFragment[]): SqlFragment {
  return conditions.length === 0 ? NEVER : sql`(${joined(conditions, ' or ')})`;
}

/**
 * `column in (?, ?, ...)`. The list is filled up to a power of two with its last value, so that lists of all lengths
 * share few texts and their prepared plans.
 */
export function isOneOf(column: SqlFragment, values: readonly SQLInputValue[]): SqlFragment {
  const last = values.at(-1);
  if (last === undefined) return NEVER;
  if (values.length === 1) return sql`${column} = ${last}`;
  const size = 2 ** Math.ceil(Math.log2(values.length));
  const filled = [...values, ...Array.from({ length: size - values.length }, () => last)];
  return sql`${column} in (${joined(
    filled.map((value) => sql`${value}`),
    ', ',
  )})`;
}
