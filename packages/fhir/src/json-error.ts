/** Why a text is not JSON that we accept. */
export type JsonErrorCode =
  | 'json/syntax'
  | 'json/duplicate-key'
  | 'json/forbidden-key'
  | 'json/lone-surrogate'
  | 'json/number'
  | 'json/too-deep'
  | 'json/too-large';

const HELP: Readonly<Record<JsonErrorCode, string>> = {
  'json/syntax': 'Check the text at this offset against RFC 8259.',
  'json/duplicate-key': 'Name each member of an object once: readers disagree on which one counts.',
  'json/forbidden-key': 'No FHIR element is named so; take the member out.',
  'json/lone-surrogate': 'Send UTF-8 text; half of a surrogate pair has no UTF-8 encoding.',
  'json/number': 'Write numbers as RFC 8259 says, within the range of a double.',
  'json/too-deep': 'Nest less deeply; FHIR resources rarely need more than 20 levels.',
  'json/too-large': 'Split the text into smaller resources or bundles.',
};

/** A text that is not acceptable JSON. Says where and why, never what stood there. */
export class JsonError extends Error {
  override readonly name = 'JsonError';
  readonly code: JsonErrorCode;
  readonly help: string;
  /** UTF-16 code units from the start of the text, where there is a place to point at. */
  readonly offset: number | undefined;

  constructor(code: JsonErrorCode, problem: string, offset?: number) {
    super(offset === undefined ? problem : `${problem} (at offset ${offset})`);
    this.code = code;
    this.help = HELP[code];
    this.offset = offset;
  }
}
