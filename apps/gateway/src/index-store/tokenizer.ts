import { concat, utf8 } from '@careledger/primitives';

/** Length of a token: 128 bits of a keyed hash, so that two values never share one. */
const TOKEN_BYTES = 16;
/** A string is found by its first letters up to this many; what is longer is compared that far. */
export const EDGE_LETTERS_MAX = 24;
/** Words of one string that can be found on their own. */
const WORDS_MAX = 32;

export type TokenKind = 'value' | 'system' | 'reference' | 'edge' | 'exact' | 'uri' | 'present';

/** Letters without case and accents, one space between words (FHIR R4, search, section 3.1.1.4.8). */
export function normalizeString(text: string): string {
  return text
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[\s\p{P}]+/gu, ' ')
    .trim();
}

/** The beginnings under which a string is found: those of the whole and of every word. */
export function edgesOf(text: string): ReadonlySet<string> {
  const normalized = normalizeString(text);
  const edges = new Set<string>();
  for (const start of [normalized, ...normalized.split(' ').slice(0, WORDS_MAX)]) {
    const letters = [...start];
    const most = Math.min(letters.length, EDGE_LETTERS_MAX);
    for (let length = 1; length <= most; length += 1) edges.add(letters.slice(0, length).join(''));
  }
  return edges;
}

/**
 * Turns a search value into what the index holds: a keyed hash of type, parameter, kind and value. Without the key,
 * equal values can be seen to be equal, and no more.
 */
export class Tokenizer {
  readonly #mac: (message: Uint8Array) => Uint8Array;

  constructor(mac: (message: Uint8Array) => Uint8Array) {
    this.#mac = mac;
  }

  token(type: string, parameter: string, kind: TokenKind, value: string): Uint8Array {
    // None of type, parameter and kind can hold a zero character, so no two inputs run together.
    const message = concat(utf8(`${type}\u0000${parameter}\u0000${kind}\u0000`), utf8(value));
    return this.#mac(message).slice(0, TOKEN_BYTES);
  }
}
