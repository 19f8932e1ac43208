/** Elements that R4 allows in a narrative: chapters 7-11 and 15 of HTML 4.0, without forms, objects and scripts. */
const ELEMENTS: ReadonlySet<string> = new Set(
  (
    'a abbr acronym b big blockquote br caption cite code col colgroup dd dfn div dl dt em h1 h2 h3 h4 h5 h6 hr i img ' +
    'li ol p pre q samp small span strong sub sup table tbody td tfoot th thead tr tt ul var kbd del ins bdo'
  ).split(' '),
);
const EMPTY_ELEMENTS: ReadonlySet<string> = new Set(['br', 'col', 'hr', 'img']);
const TAG = /<(\/?)([A-Za-z][A-Za-z0-9:-]*)((?:[^<>"']|"[^"<]*"|'[^'<]*')*?)(\/?)>/y;
const COMMENT = /<!--(?:[^-]|-(?!-))*-->/y;
const EVENT_ATTRIBUTE = /\son[a-z]+\s*=/i;
const ATTRIBUTE_URL = /\s(?:href|src|cite|background)\s*=\s*["']\s*([^"']*)/gi;
const ALLOWED_URL = /^(?:https?:|ftp:|mailto:|urn:|#|data: ?image\/|[^:]*$)/i;
export const NARRATIVE_DEPTH_MAX = 64;

function attributeProblem(attributes: string): string | undefined {
  if (EVENT_ATTRIBUTE.test(attributes)) return 'A narrative holds an event attribute';
  for (const [, url = ''] of attributes.matchAll(ATTRIBUTE_URL)) {
    // Browsers skip control characters and decode entities inside a scheme, so these are refused with it.
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for.
    if (!ALLOWED_URL.test(url) || /[\u0000-\u001f]|^[^/?#]*&#/.test(url))
      return 'A narrative links to an active address';
  }
  return undefined;
}

const NOT_WELL_FORMED = 'A narrative is not well-formed XHTML';
const NOT_ONE_DIV = 'A narrative must be one div element';

/** Reads a narrative from its start to its end, or to the first thing that is wrong with it. */
class NarrativeReader {
  readonly text: string;
  readonly stack: string[] = [];
  position = 0;
  hasContent = false;

  constructor(text: string) {
    this.text = text;
  }

  /** Reads up to the next `<`; false at the end. */
  skipText(): boolean {
    const next = this.text.indexOf('<', this.position);
    const end = next === -1 ? this.text.length : next;
    if (this.text.slice(this.position, end).trim() !== '') this.hasContent = true;
    this.position = end;
    return next !== -1;
  }

  /** Reads a comment or a tag; says what is wrong with it. */
  readMarkup(): string | undefined {
    COMMENT.lastIndex = this.position;
    if (COMMENT.test(this.text)) {
      this.position = COMMENT.lastIndex;
      return undefined;
    }
    TAG.lastIndex = this.position;
    const tag = TAG.exec(this.text);
    if (!tag) return NOT_WELL_FORMED;
    this.position = TAG.lastIndex;
    const [, slash, name = '', attributes = '', selfClosing] = tag;
    if (!ELEMENTS.has(name)) return 'A narrative holds an element that FHIR does not allow there';
    if (slash) return this.stack.pop() === name ? undefined : NOT_WELL_FORMED;
    return attributeProblem(attributes) ?? this.open(name, selfClosing === '/');
  }

  open(name: string, isClosed: boolean): string | undefined {
    if (this.stack.length === 0 && name !== 'div') return NOT_ONE_DIV;
    if (name === 'img') this.hasContent = true;
    if (!isClosed && EMPTY_ELEMENTS.has(name)) return NOT_WELL_FORMED;
    if (!isClosed) this.stack.push(name);
    return this.stack.length > NARRATIVE_DEPTH_MAX ? 'A narrative is nested too deeply' : undefined;
  }
}

/**
 * What is wrong with the XHTML of a narrative, or `undefined`: R4's txt-1 (only formatting: no script, form, object,
 * event attribute or active link) and txt-2 (some content), which FHIRPath libraries take for granted.
 */
export function narrativeProblem(div: string): string | undefined {
  const reader = new NarrativeReader(div.trim());
  if (!reader.text.startsWith('<div')) return NOT_ONE_DIV;
  while (reader.skipText()) {
    const problem = reader.readMarkup();
    if (problem) return problem;
    if (reader.stack.length === 0) break;
  }
  if (reader.stack.length > 0) return NOT_WELL_FORMED;
  if (reader.position < reader.text.length) return NOT_ONE_DIV;
  return reader.hasContent ? undefined : 'A narrative must have some content';
}
