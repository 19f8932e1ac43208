/** Read access to JSON of foreign origin: nothing is assumed, nothing throws. */
export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The items of a repeating element; a single value where a list belongs counts as malformed and yields `undefined`. */
export function listAt(object: JsonObject, name: string): readonly unknown[] | undefined {
  const value = object[name];
  if (value === undefined) return [];
  return Array.isArray(value) ? value : undefined;
}

/** The first key that is not allowed here, or `undefined`. Order is that of the document. */
export function strangerIn(object: JsonObject, allowed: readonly string[]): string | undefined {
  return Object.keys(object).find((key) => !allowed.includes(key));
}
