/** Length of a token: 128 bits of a keyed hash, so that two values never share one. */
export const TOKEN_BYTES = 16;
/** Bytes of a token that number a parameter with its unit: what a double holds exactly. */
const NUMBER_BYTES = 6;
/** A beginning of up to this many letters is looked up; a longer one is compared with the record. */
export const EDGE_LETTERS_MAX = 24;
/** Letters of the pieces that tell which texts may hold a piece of text. */
export const GRAM_LETTERS = 3;
/** Words of one text that can be found on their own. */
const WORDS_MAX = 32;
/** Letters of a text that are looked up; what holds more is compared with the record. */
const TEXT_LETTERS_MAX = 1_000;
/** Tokens of frequent values that are kept: codes and units recur, computing one costs microseconds. */
const KNOWN_MAX = 8_192;

/**
 * `value`, `system`: codes and identifiers; `of-type`: an identifier with its type; `reference`, `identifier`: what a
 * reference says; `exact`: a string as it stands; `text`: its normalized letters; `edge`, `gram`: their pieces; `more`:
 * there is more text than pieces; `uri`, `under`: an address and what it lies under; `unit`: of a quantity; `present`:
 * the element is there.
 */
export type TokenKind =
  | 'value'
  | 'system'
  | 'of-type'
  | 'reference'
  | 'identifier'
  | 'exact'
  | 'text'
  | 'edge'
  | 'gram'
  | 'more'
  | 'uri'
  | 'under'
  | 'unit'
  | 'present';

const RECURRENT: ReadonlySet<TokenKind> = new Set(['value', 'system', 'uri', 'unit', 'present']);

/** Letters without case and accents, one space between words (FHIR R4, search, section 3.1.1.4.8). */
export function normalizeString(text: string): string {
  return text
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[\s\p{P}]+/gu, ' ')
    .trim();
}

/** Where a search may begin in a text: at its start and at every word. */
export function startsOf(normalized: string): readonly string[] {
  const starts = [normalized];
  for (let at = normalized.indexOf(' '); at !== -1 && starts.length < WORDS_MAX; ) {
    starts.push(normalized.slice(at + 1));
    at = normalized.indexOf(' ', at + 1);
  }
  return starts;
}

function addEdges(text: string, edges: Set<string>): void {
  const letters = [...text.slice(0, 2 * EDGE_LETTERS_MAX)];
  const most = Math.min(letters.length, EDGE_LETTERS_MAX);
  for (let length = 1; length <= most; length += 1) edges.add(letters.slice(0, length).join(''));
}

/** The pieces by which `contains` narrows texts down. */
export function gramsOf(normalized: string): ReadonlySet<string> {
  const grams = new Set<string>();
  const letters = [...normalized];
  for (let at = 0; at + GRAM_LETTERS <= letters.length; at += 1) {
    grams.add(letters.slice(at, at + GRAM_LETTERS).join(''));
  }
  return grams;
}

/** What a text is found by. */
export function piecesOf(normalized: string): {
  readonly edges: ReadonlySet<string>;
  readonly grams: ReadonlySet<string>;
  readonly hasMore: boolean;
} {
  const edges = new Set<string>();
  for (const start of startsOf(normalized)) addEdges(start, edges);
  const hasMore = normalized.length > TEXT_LETTERS_MAX;
  return { edges, grams: gramsOf(normalized.slice(0, TEXT_LETTERS_MAX)), hasMore };
}

/**
 * Turns a search value into what the index holds: a keyed hash of type, parameter, kind and value. Without the key,
 * equal values can be seen to be equal, and no more.
 */
export class Tokenizer {
  readonly #mac: (message: Uint8Array) => Uint8Array;
  readonly #known = new Map<string, Uint8Array>();

  constructor(mac: (message: Uint8Array) => Uint8Array) {
    this.#mac = mac;
  }

  token(type: string, parameter: string, kind: TokenKind, value: string): Uint8Array {
    // None of type, parameter and kind can hold a zero character, so no two inputs run together.
    const message = `${type}\u0000${parameter}\u0000${kind}\u0000${value}`;
    if (!RECURRENT.has(kind)) return this.#tokenOf(message);
    const known = this.#known.get(message);
    if (known) return known;
    const token = this.#tokenOf(message);
    this.#known.set(message, token);
    if (this.#known.size > KNOWN_MAX) {
      const oldest = this.#known.keys().next().value;
      if (oldest !== undefined) this.#known.delete(oldest);
    }
    return token;
  }

  /** A number that stands for a parameter with a unit. */
  unitNumber(type: string, parameter: string, unit: string): number {
    return Buffer.from(this.token(type, parameter, 'unit', unit)).readUIntBE(0, NUMBER_BYTES);
  }

  #tokenOf(message: string): Uint8Array {
    return this.#mac(Buffer.from(message)).slice(0, TOKEN_BYTES);
  }
}
