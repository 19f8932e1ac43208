import { CborError, type CborValue, type Codec, codec, list } from '@careledger/primitives';

/** An unsigned integer of at most `max`. */
export function uintUpTo(max: number): Codec<number> {
  const check = (value: CborValue): number => {
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0 || value > max) {
      throw new CborError(`not an integer from 0 to ${max}`);
    }
    return value;
  };
  return codec({ kind: 'integer' }, check, check);
}

/** A list whose length is one of a few: the padded sizes that hide how much really happened. */
export function listOfSizes<Item>(item: Codec<Item>, sizes: readonly number[]): Codec<readonly Item[]> {
  const inner = list(item, { countMax: Math.max(...sizes) });
  const check = (count: number): void => {
    if (!sizes.includes(count)) throw new CborError(`not ${sizes.join(', ')} items`);
  };
  return codec(
    inner.shape,
    (values) => {
      check(values.length);
      return inner.toCbor(values);
    },
    (value) => {
      const items = inner.fromCbor(value);
      check(items.length);
      return items;
    },
  );
}

/** A list of one item at least. */
export function listOfSome<Item>(item: Codec<Item>, options: { countMax: number }): Codec<readonly Item[]> {
  const inner = list(item, options);
  const check = (items: readonly Item[]): readonly Item[] => {
    if (items.length === 0) throw new CborError('an empty list');
    return items;
  };
  return codec(
    inner.shape,
    (values) => inner.toCbor(check(values)),
    (value) => check(inner.fromCbor(value)),
  );
}
