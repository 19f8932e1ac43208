import type { Shape } from '@careledger/primitives';
import type { JsonSchema } from './components.ts';

/** Hexadecimal digits of a byte string between two lengths. */
function hexOf(bytesMin: number, bytesMax: number): JsonSchema {
  return { type: 'string', pattern: '^([0-9a-f]{2})*$', minLength: 2 * bytesMin, maxLength: 2 * bytesMax };
}

/** An object with these properties; those named in `optional` may be absent. */
export function objectOf(
  properties: Readonly<Record<string, JsonSchema>>,
  optional: readonly string[] = [],
): JsonSchema & {
  readonly properties: Readonly<Record<string, JsonSchema>>;
  readonly required: readonly string[];
} {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: 'object', properties, required, additionalProperties: false };
}

export function listOf(items: JsonSchema): JsonSchema {
  return { type: 'array', items };
}

/**
 * What a codec's value looks like in a JSON answer: bytes as lower-case hexadecimal, absent fields left out. Made from
 * the codec itself, so that the documentation cannot say something else than the code does.
 */
export function jsonSchemaOf(shape: Shape): JsonSchema {
  switch (shape.kind) {
    case 'integer':
      return { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER };
    case 'boolean':
      return { type: 'boolean' };
    case 'text':
      return {
        type: 'string',
        maxLength: shape.bytesMax,
        ...(shape.pattern !== undefined && { pattern: shape.pattern }),
      };
    case 'bytes':
      return hexOf(shape.bytesMin, shape.bytesMax);
    case 'choice':
      return { type: 'string', enum: [...shape.of] };
    case 'list':
      return { type: 'array', items: jsonSchemaOf(shape.of), maxItems: shape.countMax };
    case 'map':
      return { type: 'object', additionalProperties: jsonSchemaOf(shape.of), maxProperties: shape.countMax };
    case 'optional':
      return jsonSchemaOf(shape.of);
    case 'struct': {
      const fields = Object.entries(shape.fields);
      const optional = fields.filter(([, field]) => field.kind === 'optional').map(([name]) => name);
      return objectOf(
        Object.fromEntries(fields.map(([name, field]) => [name, jsonSchemaOf(field)])),
        optional,
      );
    }
  }
}
