import {
  isLosslessArray,
  isLosslessObject,
  type LosslessObject,
  type LosslessValue,
} from './lossless-value.ts';

/** Member names and array positions from the root to a value. */
export type LosslessPath = readonly (string | number)[];

/** The object with this member set; the other members and their texts are untouched. */
export function withField(object: LosslessObject, key: string, value: LosslessValue): LosslessObject {
  return { ...object, [key]: value };
}

/** The object without this member. */
export function withoutField(object: LosslessObject, key: string): LosslessObject {
  if (!Object.hasOwn(object, key)) return object;
  const { [key]: _removed, ...rest } = object;
  return rest;
}

/** The value at a path, or `undefined` where the path leads nowhere. */
export function valueAt(root: LosslessValue, path: LosslessPath): LosslessValue | undefined {
  let value: LosslessValue | undefined = root;
  for (const step of path) {
    if (typeof step === 'number') value = isLosslessArray(value) ? value[step] : undefined;
    else value = isLosslessObject(value) && Object.hasOwn(value, step) ? value[step] : undefined;
  }
  return value;
}

/**
 * The root with the value at a path replaced; missing objects on the way are made, an array grows by one at most.
 * @throws RangeError when a step does not fit what stands there.
 */
export function withValueAt(root: LosslessValue, path: LosslessPath, value: LosslessValue): LosslessValue {
  const [step, ...rest] = path;
  if (step === undefined) return value;
  if (typeof step === 'string') {
    if (!isLosslessObject(root))
      throw new RangeError('a path names a member of something that is not an object');
    const before = Object.hasOwn(root, step) ? root[step] : undefined;
    return withField(root, step, withValueAt(before ?? (typeof rest[0] === 'number' ? [] : {}), rest, value));
  }
  if (!isLosslessArray(root) || step < 0 || step > root.length) {
    throw new RangeError('a path names an item outside its array');
  }
  const items = [...root];
  items[step] = withValueAt(root[step] ?? (typeof rest[0] === 'number' ? [] : {}), rest, value);
  return items;
}
