import { JsonError } from './json-error.ts';
import { isLosslessArray, LosslessNumber, type LosslessValue } from './lossless-value.ts';

/** What `JSON.stringify` would escape: everything else is written as it is, which is much faster for long texts. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what JSON escapes.
const NEEDS_ESCAPE = /["\\\u0000-\u001f\ud800-\udfff]/;

function stringText(text: string): string {
  if (!NEEDS_ESCAPE.test(text)) return `"${text}"`;
  if (!text.isWellFormed()) throw new JsonError('json/lone-surrogate', 'a string holds a lone surrogate');
  // ECMA-262 and RFC 8785 (section 3.2.2.2) prescribe the same escapes.
  return JSON.stringify(text);
}

function arrayText(items: readonly LosslessValue[]): string {
  let text = '[';
  for (let index = 0; index < items.length; index += 1) {
    if (index > 0) text += ',';
    text += canonicalText(items[index] as LosslessValue);
  }
  return `${text}]`;
}

/**
 * The one text of a value: members in the order of RFC 8785 (UTF-16 code units), its string escapes, no white space;
 * but a number keeps the text it was written with, because in FHIR `1.10` is not `1.1`. This text is the stored truth:
 * commitments are made over its UTF-8 bytes.
 *
 * @throws {@link JsonError} for a string that has no UTF-8 encoding.
 */
export function canonicalText(value: LosslessValue): string {
  if (typeof value === 'string') return stringText(value);
  if (value instanceof LosslessNumber) return value.text;
  if (value === null || typeof value === 'boolean') return String(value);
  if (isLosslessArray(value)) return arrayText(value);
  let text = '{';
  for (const key of Object.keys(value).sort()) {
    if (text.length > 1) text += ',';
    text += `${stringText(key)}:${canonicalText(value[key] as LosslessValue)}`;
  }
  return `${text}}`;
}
