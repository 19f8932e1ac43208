/** JSON's type for each primitive of R4 (FHIR R4, datatypes); all others are strings. */
const JSON_TYPES: Readonly<Record<string, 'boolean' | 'number'>> = {
  boolean: 'boolean',
  decimal: 'number',
  integer: 'number',
  positiveInt: 'number',
  unsignedInt: 'number',
};
const INTEGER_MAX = 2_147_483_647;
const RANGES: Readonly<Record<string, readonly [number, number]>> = {
  integer: [-INTEGER_MAX - 1, INTEGER_MAX],
  positiveInt: [1, INTEGER_MAX],
  unsignedInt: [0, INTEGER_MAX],
};
/** A string's limit in R4 (FHIR R4, datatypes, `string`), in characters; XHTML and attachments have their own. */
const STRING_CHARACTERS_MAX = 1024 * 1024;
const UNLIMITED: ReadonlySet<string> = new Set(['xhtml', 'base64Binary', 'markdown']);

const YEAR = '(?:[0-9](?:[0-9](?:[0-9][1-9]|[1-9]0)|[1-9]00)|[1-9]000)';
const MONTH = '(?:0[1-9]|1[0-2])';
const DAY = '(?:0[1-9]|[12][0-9]|3[01])';
const TIME = '(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\\.[0-9]+)?';
const ZONE = '(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))';
/** The regular expressions of R4 (FHIR R4, datatypes, section 2.24.0.1). */
const FORMATS: Readonly<Record<string, RegExp>> = {
  canonical: /^\S+$/,
  // White space is XML's: a no-break space is a character like others.
  code: /^[^ \t\r\n]+(?:[ \t\r\n][^ \t\r\n]+)*$/,
  date: new RegExp(`^${YEAR}(?:-${MONTH}(?:-${DAY})?)?$`),
  dateTime: new RegExp(`^${YEAR}(?:-${MONTH}(?:-${DAY}(?:T${TIME}${ZONE})?)?)?$`),
  id: /^[A-Za-z0-9\-.]{1,64}$/,
  'resource-id': /^[A-Za-z0-9\-.]{1,64}$/,
  instant: new RegExp(`^${YEAR}-${MONTH}-${DAY}T${TIME}${ZONE}$`),
  oid: /^urn:oid:[0-2](?:\.(?:0|[1-9][0-9]*))+$/,
  time: new RegExp(`^${TIME}$`),
  uri: /^\S+$/,
  url: /^\S+$/,
  uuid: /^urn:uuid:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
};
/** URIs whose form is known by their scheme; R4 asks for lower case only in `uuid` itself. */
const URI_FORMATS: readonly (readonly [string, RegExp])[] = [
  ['urn:oid:', /^urn:oid:[0-2](?:\.(?:0|[1-9][0-9]*))+$/],
  ['urn:uuid:', /^urn:uuid:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i],
];
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for.
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f]/;
const NOT_BLANK = /[^ \t\r\n]/;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
const DATES: ReadonlySet<string> = new Set(['date', 'dateTime', 'instant']);

/** Is this the code of a primitive type? R4 writes those, and no others, with a small letter. */
export function isPrimitiveType(code: string): boolean {
  const first = code.charCodeAt(0);
  return first >= 0x61 && first <= 0x7a;
}

/** Does the day exist in its month? The text has the form of a date. */
function isCalendarDay(text: string): boolean {
  if (text.length < 10) return true;
  const [year, month, day] = [text.slice(0, 4), text.slice(5, 7), text.slice(8, 10)].map(Number);
  return (day ?? 0) <= new Date(Date.UTC(year ?? 0, month ?? 0, 0)).getUTCDate();
}

function base64Problem(text: string, bytesMax: number): string | undefined {
  // Most data has no white space, which R4 allows, so it is copied only where there is some.
  const packed = /\s/.test(text) ? text.replace(/\s+/g, '') : text;
  if (packed.length % 4 !== 0 || !BASE64.test(packed)) return 'Invalid base64Binary format';
  const padding = packed.endsWith('==') ? 2 : packed.endsWith('=') ? 1 : 0;
  return (packed.length / 4) * 3 - padding > bytesMax ? `base64Binary exceeds ${bytesMax} bytes` : undefined;
}

function numberProblem(type: string, value: number): string | undefined {
  const range = RANGES[type];
  if (!Number.isFinite(value)) return 'Invalid numeric value';
  if (!range) return undefined;
  if (!Number.isInteger(value)) return 'Expected number to be an integer';
  const [least, most] = range;
  return value < least || value > most ? `Expected number to be in the range ${least}..${most}` : undefined;
}

function textProblem(type: string, text: string): string | undefined {
  // The structure check refuses an empty string, whatever it stands for.
  if (text === '') return undefined;
  if (!NOT_BLANK.test(text)) return 'String must contain non-whitespace content';
  if (text.length > STRING_CHARACTERS_MAX && !UNLIMITED.has(type)) return 'String cannot be larger than 1 MB';
  if (CONTROL.test(text)) return 'String must not contain control characters';
  const format = FORMATS[type];
  const shown = type === 'resource-id' ? 'id' : type;
  if (!format) return undefined;
  if (!format.test(text)) return `Invalid ${shown} format`;
  if (DATES.has(type)) return isCalendarDay(text) ? undefined : `Invalid ${shown} value`;
  if (type !== 'uri' || !text.startsWith('urn:')) return undefined;
  return URI_FORMATS.every(([scheme, form]) => !text.startsWith(scheme) || form.test(text))
    ? undefined
    : 'Invalid uri format';
}

/**
 * What is wrong with the value of a primitive element, or `undefined`.
 * @param attachmentBytesMax - Decoded length of a `base64Binary`.
 */
export function primitiveProblem(
  type: string,
  value: unknown,
  attachmentBytesMax: number,
): string | undefined {
  const expected = JSON_TYPES[type] ?? 'string';
  if (typeof value !== expected) {
    const found = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
    return `Invalid JSON type: expected ${expected}, but got ${found}`;
  }
  if (typeof value === 'number') return numberProblem(type, value);
  if (typeof value !== 'string') return undefined;
  return type === 'base64Binary' ? base64Problem(value, attachmentBytesMax) : textProblem(type, value);
}
