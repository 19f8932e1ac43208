import type { CborMap, CborValue, Shape } from '@careledger/primitives';
import type { IdentifierKind } from './kinds.ts';
import { detectVersion1 } from './version-1.ts';

/** What a text gives away, or `undefined`. */
export type Detect = (text: string) => IdentifierKind | undefined;

const versions: Readonly<Record<number, Detect>> = { 1: detectVersion1 };

/**
 * The detector of one version: the chain's parameters fix it, because what it refuses is part of consensus.
 * @throws RangeError for a version that is not known here.
 */
export function detectorOf(version: number): Detect {
  const detect = versions[version];
  if (!detect) throw new RangeError(`detector version ${version} is not known here`);
  return detect;
}

export interface IdentifierFinding {
  /** `entries[3].note`. */
  readonly path: string;
  readonly kind: IdentifierKind;
}

/** The first text field of a message that holds an identifier. Bytes, numbers and fixed words are not looked at. */
export function findIdentifier(
  shape: Shape,
  value: CborValue,
  detect: Detect,
  path = '',
): IdentifierFinding | undefined {
  if (shape.kind === 'text') {
    const kind = typeof value === 'string' ? detect(value) : undefined;
    return kind && { path, kind };
  }
  if (shape.kind === 'optional') return findIdentifier(shape.of, value, detect, path);
  if (shape.kind === 'list' && Array.isArray(value)) {
    return findFirst(value as readonly CborValue[], (item, index) =>
      findIdentifier(shape.of, item, detect, `${path}[${index}]`),
    );
  }
  if (shape.kind !== 'struct' || !(value instanceof Map)) return undefined;
  const map: CborMap = value;
  return findFirst(Object.entries(shape.fields), ([name, field]) => {
    const content = map.get(name);
    if (content === undefined) return undefined;
    return findIdentifier(field, content, detect, path === '' ? name : `${path}.${name}`);
  });
}

function findFirst<Item, Found>(
  items: readonly Item[],
  find: (item: Item, index: number) => Found | undefined,
): Found | undefined {
  for (const [index, item] of items.entries()) {
    const found = find(item, index);
    if (found !== undefined) return found;
  }
  return undefined;
}
