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
const ALLOWED_URL = /^(?:https?:|mailto:|urn:|#|data:image\/|[^:]*$)/i;
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

/** Closes or opens one element on the stack; says what is wrong with it. */
function tagProblem(
  stack: string[],
  [, slash, name = '', attributes = '', selfClosing]: readonly string[],
): string | undefined {
  if (!ELEMENTS.has(name)) return 'A narrative holds an element that FHIR does not allow there';
  if (slash) return stack.pop() === name ? undefined : 'A narrative is not well-formed XHTML';
  const problem = attributeProblem(attributes);
  if (problem) return problem;
  if (stack.length === 0 && name !== 'div') return 'A narrative must be one div element';
  if (!selfClosing && !EMPTY_ELEMENTS.has(name)) stack.push(name);
  else if (!selfClosing) return 'A narrative is not well-formed XHTML';
  return stack.length > NARRATIVE_DEPTH_MAX ? 'A narrative is nested too deeply' : undefined;
}

/**
 * What is wrong with the XHTML of a narrative, or `undefined`: R4's txt-1 (only formatting: no script, form, object,
 * event attribute or active link) and txt-2 (some content), which `@medplum/core` takes for granted.
 */
export function narrativeProblem(div: string): string | undefined {
  const stack: string[] = [];
  const text = div.trim();
  if (!text.startsWith('<div')) return 'A narrative must be one div element';
  let content = false;
  let position = 0;
  while (position < text.length) {
    const next = text.indexOf('<', position);
    const run = text.slice(position, next === -1 ? text.length : next);
    if (run.trim() !== '') content = true;
    if (next === -1) break;
    if (position > 0 && stack.length === 0) return 'A narrative must be one div element';
    COMMENT.lastIndex = next;
    TAG.lastIndex = next;
    const comment = COMMENT.exec(text);
    const tag = comment ? null : TAG.exec(text);
    if (!comment && !tag) return 'A narrative is not well-formed XHTML';
    if (tag) {
      if (tag[2] === 'img') content = true;
      const problem = tagProblem(stack, tag);
      if (problem) return problem;
    }
    position = comment ? COMMENT.lastIndex : TAG.lastIndex;
    if (stack.length === 0 && text.slice(position).trim() !== '')
      return 'A narrative must be one div element';
  }
  if (stack.length > 0) return 'A narrative is not well-formed XHTML';
  return content ? undefined : 'A narrative must have some content';
}
