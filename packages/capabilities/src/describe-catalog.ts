import type { Shape } from '@careledger/primitives';
import type { Catalog } from '@careledger/state-machine';
import { catalog as defaultCatalog } from './catalog.ts';

/** One kind of message for API documentation, the CLI and the explorer. */
export interface MessageDescription {
  readonly capability: string;
  /** `consent/grant`. */
  readonly type: string;
  /** What its body may hold. Anything else is refused. */
  readonly schema: Shape;
  /** No body of this type is longer, in bytes of CBOR. */
  readonly bodyBytesMax: number;
  /** Result codes by name: permanent numbers. */
  readonly rejections: Readonly<Record<string, number>>;
}

/** A machine-readable schema for every transaction type. */
export function describeCatalog(
  catalog: Pick<Catalog, 'capabilities'> = defaultCatalog,
): readonly MessageDescription[] {
  return catalog.capabilities.flatMap(({ name, codeBase, rejections, messages }) => {
    const codes = Object.fromEntries(
      Object.entries(rejections).map(([rejection, number]) => [rejection, codeBase + number]),
    );
    return Object.entries(messages).map(([type, { codec }]) => ({
      capability: name,
      type,
      schema: codec.shape,
      bodyBytesMax: bytesMaxOf(codec.shape),
      rejections: codes,
    }));
  });
}

const HEAD_BYTES_MAX = 9;

function headBytes(argument: number): number {
  if (argument < 24) return 1;
  if (argument < 256) return 2;
  return argument < 65_536 ? 3 : 5;
}

/** The longest encoding of a shape, in bytes of CBOR: the on-ledger budget of a message type. */
export function bytesMaxOf(shape: Shape): number {
  switch (shape.kind) {
    case 'integer':
      return HEAD_BYTES_MAX;
    case 'boolean':
      return 1;
    case 'text':
    case 'bytes':
      return headBytes(shape.bytesMax) + shape.bytesMax;
    case 'choice':
      return Math.max(...shape.of.map((word) => headBytes(word.length) + word.length));
    case 'list':
      return headBytes(shape.countMax) + shape.countMax * bytesMaxOf(shape.of);
    case 'map':
      return headBytes(shape.countMax) + 2 * shape.countMax * bytesMaxOf(shape.of);
    case 'optional':
      return bytesMaxOf(shape.of);
    case 'struct': {
      const fields = Object.entries(shape.fields);
      const sizes = fields.map(([name, field]) => headBytes(name.length) + name.length + bytesMaxOf(field));
      return sizes.reduce((sum, size) => sum + size, headBytes(fields.length));
    }
  }
}

/** One field that may stand on the ledger. */
export interface AllowedField {
  readonly type: string;
  /** `retirements[].successor`. */
  readonly field: string;
  readonly kind: 'integer' | 'boolean' | 'text' | 'bytes' | 'choice';
  readonly bytesMax: number;
  /** The form that a text field must have as a whole; a text without one would be free text. */
  readonly pattern?: string;
}

/**
 * Every field that any transaction may hold, with its type and limit: the consensus rule itself, read off the codecs,
 * so that this list cannot say something else than the code does.
 */
export function phiAllowList(
  catalog: Pick<Catalog, 'capabilities'> = defaultCatalog,
): readonly AllowedField[] {
  return describeCatalog(catalog).flatMap(({ type, schema }) =>
    leavesOf(schema, '').map((leaf) => ({ type, ...leaf })),
  );
}

function leavesOf(shape: Shape, path: string): readonly Omit<AllowedField, 'type'>[] {
  switch (shape.kind) {
    case 'struct':
      return Object.entries(shape.fields).flatMap(([name, field]) =>
        leavesOf(field, path === '' ? name : `${path}.${name}`),
      );
    case 'list':
      return leavesOf(shape.of, `${path}[]`);
    case 'map':
      return leavesOf(shape.of, `${path}{}`);
    case 'optional':
      return leavesOf(shape.of, path);
    default: {
      const pattern = shape.kind === 'text' && shape.pattern !== undefined ? { pattern: shape.pattern } : {};
      return [{ field: path, kind: shape.kind, bytesMax: bytesMaxOf(shape), ...pattern }];
    }
  }
}
