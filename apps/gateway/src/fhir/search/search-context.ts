import type { Tokenizer, Visibility } from '../../index-store/index.ts';
import { invalidParameter } from '../fhir-error.ts';

/** Name and value of a search parameter, as they stand in a query. */
export type Parameter = readonly [name: string, value: string];

/** Names and values of a search, in the order they came. */
export type SearchParameters = readonly Parameter[];

export interface SearchContext {
  readonly tokenizer: Tokenizer;
  /** FHIR base URL, without a last slash. */
  readonly baseUrl: string;
  /** What of the searched type may be seen. */
  readonly visibility: Visibility;
  /**
   * What may be seen of a type that a chain or `_has` comes by; throws 403 where nothing may be. Without it neither is
   * answered.
   */
  readonly visibilityOf?: (type: string) => Visibility;
}

/** Splits where a separator is not escaped; the parts keep their escapes (FHIR R4, search, section 3.1.1.4.2). */
export function splitValue(value: string, separator: ',' | '|' | '$'): readonly string[] {
  const parts = [''];
  for (let at = 0; at < value.length; at += 1) {
    const letter = value.charAt(at);
    if (letter === separator) parts.push('');
    else if (letter === '\\' && at + 1 < value.length) {
      at += 1;
      parts[parts.length - 1] += `\\${value.charAt(at)}`;
    } else parts[parts.length - 1] += letter;
  }
  return parts;
}

/** The value that an escaped one stands for. */
export function unescaped(value: string): string {
  return value.replace(/\\([,|$\\])/g, '$1');
}

/** The escaped form of a value that is meant as it stands. */
export function escaped(value: string): string {
  return value.replace(/[,|$\\]/g, '\\$&');
}

/** A parameter's name without its modifier, and the modifier. */
export function splitName(name: string): { readonly code: string; readonly modifier: string | undefined } {
  const colon = name.indexOf(':');
  return colon === -1
    ? { code: name, modifier: undefined }
    : { code: name.slice(0, colon), modifier: name.slice(colon + 1) };
}

/** The name as refusals and warnings say it: never longer than a name is. */
export function sayable(name: string): string {
  return name.slice(0, 64);
}

export function unsupportedModifier(name: string): never {
  throw invalidParameter(sayable(name), 'This modifier is not supported on this search parameter.');
}
