import { catalog, describeCatalog } from '@careledger/capabilities';
import { CborError, type CborValue, fromHex, type Shape } from '@careledger/primitives';
import { dispatchOf } from '@careledger/state-machine';
import { CliError } from '../errors.ts';

/** The message types that this version speaks: `consent/grant`, ... */
export function messageTypes(): readonly string[] {
  return describeCatalog().map(({ type }) => type);
}

function refuse(path: string, problem: string): never {
  throw new CliError(
    'cli/message',
    `The message is wrong at ${path === '' ? 'its top' : path}: ${problem}.`,
    'Bytes are written in hexadecimal; the node lists every type and its fields.',
  );
}

/** JSON in the form of a shape, as the CBOR value that its codec reads. Bytes are hexadecimal texts. */
export function cborOf(shape: Shape, json: unknown, path = ''): CborValue {
  switch (shape.kind) {
    case 'bytes':
      return (typeof json === 'string' ? fromHex(json) : undefined) ?? refuse(path, 'not hexadecimal');
    case 'list':
      if (!Array.isArray(json)) return refuse(path, 'not a list');
      return json.map((item, index) => cborOf(shape.of, item, `${path}[${index}]`));
    case 'optional':
      return json === null ? null : cborOf(shape.of, json, path);
    case 'struct':
      return structOf(shape.fields, json, path);
    default:
      if (typeof json === 'string' || typeof json === 'number' || typeof json === 'boolean') return json;
      return refuse(path, `not ${shape.kind === 'integer' ? 'a number' : 'a text'}`);
  }
}

function structOf(fields: Readonly<Record<string, Shape>>, json: unknown, path: string): CborValue {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return refuse(path, 'not an object');
  const entries = Object.entries(json as Readonly<Record<string, unknown>>);
  return new Map(
    entries.map(([name, value]) => {
      const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
      const place = path === '' ? name : `${path}.${name}`;
      return [name, field ? cborOf(field, value, place) : refuse(place, 'there is no such field')] as const;
    }),
  );
}

/**
 * The body of a transaction from JSON, checked by the capability's own codec.
 *
 * @throws {@link CliError} `cli/message-type`, `cli/message`.
 */
export function encodeMessage(type: string, json: unknown): Uint8Array {
  const dispatch = dispatchOf(catalog, type);
  if (!dispatch) {
    throw new CliError(
      'cli/message-type',
      `No capability speaks ${JSON.stringify(type)}.`,
      `There are ${messageTypes().join(', ')}.`,
    );
  }
  const { codec } = dispatch.message;
  try {
    return codec.encode(codec.fromCbor(cborOf(codec.shape, json)));
  } catch (error) {
    if (error instanceof CborError) return refuse('', error.message);
    throw error;
  }
}
