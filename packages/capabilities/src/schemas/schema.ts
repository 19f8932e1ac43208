import {
  type CborMap,
  type CborValue,
  concat,
  decodeCbor,
  encodeCbor,
  invariant,
  type Shape,
  sha256,
  utf8,
} from '@careledger/primitives';
import type { Capability, StateReader, Write } from '@careledger/state-machine';

export const SCHEMAS_PREFIX: Uint8Array = utf8('schemas/type/');
export const SCHEMAS_MAX = 10_000;
export const FIRST_VERSION = 1;

/** What the body of one version of a transaction type may hold, as it stands on the ledger (LED-04). */
export interface TypeSchema {
  /** `consent/grant`: without its version. */
  readonly name: string;
  readonly version: number;
  readonly body: Shape;
}

/** The name and version behind a transaction's type: `consent/grant` is version 1, `consent/grant@2` version 2. */
export function versionOf(type: string): { readonly name: string; readonly version: number } {
  const [name = '', version] = type.split('@');
  return { name, version: version === undefined ? FIRST_VERSION : Number(version) };
}

/** `schemas/type/<name>/<version>` → the schema's CBOR. */
export function schemaKey(type: string): Uint8Array {
  const { name, version } = versionOf(type);
  return concat(SCHEMAS_PREFIX, utf8(`${name}/${version}`));
}

function plain(value: unknown): CborValue {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).filter(([, content]) => content !== undefined);
    return new Map(entries.map(([name, content]) => [name, plain(content)]));
  }
  return value as CborValue;
}

function readable(value: CborValue): unknown {
  if (Array.isArray(value)) return (value as readonly CborValue[]).map(readable);
  if (!(value instanceof Map)) return value;
  const entries = [...(value as CborMap)].map(([name, content]) => [String(name), readable(content)]);
  return Object.fromEntries(entries);
}

/** The one form of a schema. Its SHA-256 is what administrators approve. */
export function encodeSchema({ name, version, body }: TypeSchema): Uint8Array {
  return encodeCbor(
    new Map<string, CborValue>([
      ['name', name],
      ['version', version],
      ['body', plain(body)],
    ]),
  );
}

/** @throws CborError for bytes that are no schema of the ledger. */
export function decodeSchema(encoded: Uint8Array): TypeSchema {
  const value = readable(decodeCbor(encoded));
  invariant(typeof value === 'object' && value !== null && 'body' in value, 'a stored schema has a body');
  return value as TypeSchema;
}

export function schemaHash(schema: TypeSchema): Uint8Array {
  return sha256(encodeSchema(schema));
}

/** The schemas of everything that these capabilities can read. */
export function schemasOf(capabilities: readonly Pick<Capability, 'messages'>[]): readonly TypeSchema[] {
  return capabilities.flatMap(({ messages }) =>
    Object.entries(messages).map(([type, { codec }]) => ({ ...versionOf(type), body: codec.shape })),
  );
}

export function writeSchema(schema: TypeSchema): Write {
  const { name, version } = schema;
  return {
    key: schemaKey(version === FIRST_VERSION ? name : `${name}@${version}`),
    value: encodeSchema(schema),
  };
}

/** Does this version of a type stand on the ledger? A version that nobody adopted is refused. */
export function isSchemaInForce(state: StateReader, type: string): boolean {
  return state.get(schemaKey(type)) !== undefined;
}

/** Every schema in force, by name and version. */
export function listSchemas(state: StateReader): readonly TypeSchema[] {
  return [...state.scan(SCHEMAS_PREFIX, SCHEMAS_MAX)].map(([, value]) => decodeSchema(value));
}
