import { JsonError } from './json-error.ts';
import { LosslessNumber, type LosslessValue } from './lossless-value.ts';

export interface JsonLimits {
  /** Objects and arrays inside one another. */
  readonly depthMax: number;
  /** Length of the text in UTF-16 code units. */
  readonly charactersMax: number;
  /** Length of one number. */
  readonly numberCharactersMax: number;
}

/** For one resource or one bundle that arrives over HTTP. */
export const JSON_LIMITS: JsonLimits = {
  depthMax: 64,
  charactersMax: 16 * 1024 * 1024,
  numberCharactersMax: 64,
};

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const HEX_DIGITS = /^[0-9a-fA-F]{4}$/;
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};
/** What continues a number: `01`, `1.`, `1e` and `0x1` are read up to here and then refused. */
const NUMBER_GOES_ON = /[0-9a-zA-Z.+-]/;

class LosslessParser {
  readonly text: string;
  readonly limits: JsonLimits;
  position = 0;

  constructor(text: string, limits: JsonLimits) {
    this.text = text;
    this.limits = limits;
  }

  document(): LosslessValue {
    const value = this.value(0);
    this.skipSpace();
    if (this.position !== this.text.length) this.refuse('there is text after the value');
    return value;
  }

  refuse(problem: string): never {
    throw new JsonError('json/syntax', problem, this.position);
  }

  /** Skips white space and returns the code unit after it (NaN at the end). */
  skipSpace(): number {
    let code = this.text.charCodeAt(this.position);
    while (code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09) {
      this.position += 1;
      code = this.text.charCodeAt(this.position);
    }
    return code;
  }

  value(depth: number): LosslessValue {
    switch (this.skipSpace()) {
      case QUOTE:
        return this.string();
      case OPEN_OBJECT:
        return this.object(this.deeper(depth));
      case OPEN_ARRAY:
        return this.array(this.deeper(depth));
      case 0x74:
        return this.literal('true', true);
      case 0x66:
        return this.literal('false', false);
      case 0x6e:
        return this.literal('null', null);
      default:
        return this.number();
    }
  }

  deeper(depth: number): number {
    if (depth >= this.limits.depthMax) {
      throw new JsonError(
        'json/too-deep',
        `the text nests deeper than ${this.limits.depthMax}`,
        this.position,
      );
    }
    return depth + 1;
  }

  literal<Value extends boolean | null>(word: string, value: Value): Value {
    if (!this.text.startsWith(word, this.position)) this.refuse('a value is expected');
    this.position += word.length;
    return value;
  }

  number(): LosslessNumber {
    NUMBER.lastIndex = this.position;
    const text = NUMBER.exec(this.text)?.[0];
    if (text === undefined) this.refuse('a value is expected');
    const start = this.position;
    this.position += text.length;
    if (NUMBER_GOES_ON.test(this.text.charAt(this.position))) {
      throw new JsonError('json/number', 'a number is not written as JSON writes it', start);
    }
    if (text.length > this.limits.numberCharactersMax || !Number.isFinite(Number(text))) {
      throw new JsonError('json/number', 'a number is longer or larger than its limit', start);
    }
    return new LosslessNumber(text);
  }

  object(depth: number): LosslessValue {
    const members: Record<string, LosslessValue> = {};
    this.position += 1;
    if (this.skipSpace() === CLOSE_OBJECT) {
      this.position += 1;
      return members;
    }
    for (;;) {
      const key = this.key();
      if (Object.hasOwn(members, key)) {
        throw new JsonError('json/duplicate-key', 'an object names a member twice', this.position);
      }
      if (this.skipSpace() !== COLON) this.refuse('a colon is expected');
      this.position += 1;
      members[key] = this.value(depth);
      if (!this.another(CLOSE_OBJECT)) return members;
    }
  }

  key(): string {
    if (this.skipSpace() !== QUOTE) this.refuse('a member name is expected');
    const key = this.string();
    if (key === '__proto__') {
      throw new JsonError('json/forbidden-key', 'an object names a member __proto__', this.position);
    }
    return key;
  }

  array(depth: number): LosslessValue {
    const items: LosslessValue[] = [];
    this.position += 1;
    if (this.skipSpace() === CLOSE_ARRAY) {
      this.position += 1;
      return items;
    }
    for (;;) {
      items.push(this.value(depth));
      if (!this.another(CLOSE_ARRAY)) return items;
    }
  }

  /** After a member or item: true when a comma announces another, false when the container closed. */
  another(close: number): boolean {
    const code = this.skipSpace();
    if (code !== COMMA && code !== close) this.refuse('a comma or a closing bracket is expected');
    this.position += 1;
    return code === COMMA;
  }

  string(): string {
    const start = this.position + 1;
    let end = start;
    let code = this.text.charCodeAt(end);
    while (code !== QUOTE && code !== BACKSLASH && code >= 0x20) {
      end += 1;
      code = this.text.charCodeAt(end);
    }
    this.position = end;
    if (code === QUOTE) {
      this.position += 1;
      return this.text.slice(start, end);
    }
    return this.escapedString(start);
  }

  escapedString(start: number): string {
    let decoded = this.text.slice(start, this.position);
    for (;;) {
      const code = this.text.charCodeAt(this.position);
      if (code === BACKSLASH) decoded += this.escape();
      else if (code >= 0x20 && code !== QUOTE) {
        const from = this.position;
        this.position = this.runEnd(from);
        decoded += this.text.slice(from, this.position);
      } else break;
    }
    if (this.text.charCodeAt(this.position) !== QUOTE)
      this.refuse('a string is not closed, or holds a control character');
    this.position += 1;
    if (!decoded.isWellFormed()) {
      throw new JsonError('json/lone-surrogate', 'a string holds a lone surrogate', this.position);
    }
    return decoded;
  }

  runEnd(from: number): number {
    let end = from;
    let code = this.text.charCodeAt(end);
    while (code !== QUOTE && code !== BACKSLASH && code >= 0x20) {
      end += 1;
      code = this.text.charCodeAt(end);
    }
    return end;
  }

  escape(): string {
    const letter = this.text.charAt(this.position + 1);
    const simple = ESCAPES[letter];
    if (simple !== undefined) {
      this.position += 2;
      return simple;
    }
    const digits = this.text.slice(this.position + 2, this.position + 6);
    if (letter !== 'u' || !HEX_DIGITS.test(digits)) this.refuse('an escape is not one of JSON');
    this.position += 6;
    return String.fromCharCode(Number.parseInt(digits, 16));
  }
}

/**
 * Reads JSON (RFC 8259) so that it can be written back as it was: numbers keep their text. Stricter than
 * `JSON.parse`: a member named twice, a lone surrogate, too much depth or a number beyond a double is refused,
 * because two readers would understand them differently.
 *
 * @throws {@link JsonError} with a code and an offset; it never quotes the text.
 * @example parseLossless('{"value": 1.10}')
 */
export function parseLossless(text: string, limits: JsonLimits = JSON_LIMITS): LosslessValue {
  if (text.length > limits.charactersMax) {
    throw new JsonError('json/too-large', `the text is longer than ${limits.charactersMax} characters`);
  }
  if (!text.isWellFormed()) throw new JsonError('json/lone-surrogate', 'the text holds a lone surrogate');
  return new LosslessParser(text, limits).document();
}
