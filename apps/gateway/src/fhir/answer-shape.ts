import {
  isLosslessArray,
  isLosslessObject,
  type LosslessObject,
  type LosslessValue,
  parseLossless,
  withField,
} from '@careledger/fhir';
import { loadDefinitions } from '../validation/index.ts';
import { invalidParameter } from './fhir-error.ts';
import { parameterOf } from './fhir-request.ts';
import type { SearchParameters } from './search-route.ts';
import { JsonText, StoredResource } from './stored-resource.ts';

/** Elements that one `_elements` may name. */
export const ELEMENTS_MAX = 64;

type Summary = 'true' | 'text' | 'data' | 'count' | 'false';
const SUMMARIES: ReadonlySet<string> = new Set(['true', 'text', 'data', 'count', 'false']);
const ELEMENT = /^(?:([A-Z][A-Za-z]+)\.)?([a-z][A-Za-z0-9]{0,63})$/;
const SUBSETTED = {
  system: 'http://terminology.hl7.org/CodeSystem/v3-ObservationValue',
  code: 'SUBSETTED',
};
/** What every resource keeps, whatever was asked for: without them it could not be told which one it is. */
const ALWAYS: ReadonlySet<string> = new Set(['resourceType', 'id', 'meta']);

/** How much of a resource an answer shows. Who asks for less gets a plain object: it is no longer what was committed. */
export interface AnswerShape {
  readonly summary: Exclude<Summary, 'false'> | undefined;
  /** Element names, each for one type or (empty) for all. */
  readonly elements: readonly (readonly [type: string, name: string])[];
}

/** Top-level elements of a type that shaping goes by, choices without their `[x]`. */
interface TopElements {
  readonly summary: ReadonlySet<string>;
  readonly mandatory: ReadonlySet<string>;
  readonly modifiers: ReadonlySet<string>;
  /** Choices, whose members carry a type in their name: `value` of `valueQuantity`. */
  readonly choices: readonly string[];
}

const known = new Map<string, TopElements>();

function topElements(type: string): TopElements {
  const before = known.get(type);
  if (before) return before;
  const elements = (loadDefinitions().type(type)?.definition.snapshot?.element ?? []).flatMap((element) => {
    const [, name = '', ...deeper] = (element.path ?? '').split('.');
    return name === '' || deeper.length > 0
      ? []
      : [{ ...element, name: name.replace('[x]', ''), path: name }];
  });
  const names = (isOne: (element: (typeof elements)[number]) => boolean) =>
    new Set(elements.filter(isOne).map(({ name }) => name));
  const top = {
    summary: names(({ isSummary }) => isSummary === true),
    mandatory: names(({ min }) => (min ?? 0) > 0),
    modifiers: names(({ isModifier }) => isModifier === true),
    choices: [...names(({ path }) => path.endsWith('[x]'))],
  };
  known.set(type, top);
  return top;
}

function elementOf(text: string): readonly [string, string] {
  const [, type = '', name] = ELEMENT.exec(text.trim()) ?? [];
  if (name === undefined) throw invalidParameter('_elements', '_elements names what is no element.');
  return [type, name];
}

/**
 * What `_summary` and `_elements` ask for; `undefined` for the whole.
 * @throws {@link FhirError} 400.
 */
export function shapeOf(parameters: SearchParameters): AnswerShape | undefined {
  const summary = parameterOf(parameters, '_summary');
  const listed = parameterOf(parameters, '_elements');
  if (summary !== undefined && !SUMMARIES.has(summary)) {
    throw invalidParameter('_summary', '_summary is none of true, text, data, count and false.');
  }
  const asked = (listed ?? '').split(',').filter((text) => text !== '');
  if (asked.length > ELEMENTS_MAX) {
    throw invalidParameter('_elements', `_elements names more than ${ELEMENTS_MAX} elements.`);
  }
  const elements = asked.map(elementOf);
  if ((summary === undefined || summary === 'false') && elements.length === 0) return undefined;
  return { summary: summary === 'false' ? undefined : (summary as AnswerShape['summary']), elements };
}

/** The element that a JSON member is: `_valueString` is `value`. */
function elementName(key: string, { choices }: TopElements): string {
  const bare = key.startsWith('_') ? key.slice(1) : key;
  return (
    choices.find((choice) => bare.startsWith(choice) && /^[A-Z]/.test(bare.slice(choice.length))) ?? bare
  );
}

function isKept(name: string, type: string, { summary, elements }: AnswerShape, top: TopElements): boolean {
  if (ALWAYS.has(name)) return true;
  if (summary === 'data') return name !== 'text';
  if (summary === 'text') return name === 'text' || top.mandatory.has(name);
  if (summary === 'true') return top.summary.has(name) || top.mandatory.has(name) || top.modifiers.has(name);
  // R4 (search, section 3.1.1.7.2): mandatory and modifier elements are needed to read the rest.
  if (top.mandatory.has(name) || top.modifiers.has(name)) return true;
  return elements.some(([of, element]) => element === name && (of === '' || of === type));
}

function withSubsettedTag(resource: LosslessObject): LosslessObject {
  const meta = isLosslessObject(resource.meta) ? resource.meta : {};
  const tags: readonly LosslessValue[] = isLosslessArray(meta.tag) ? meta.tag : [];
  return withField(resource, 'meta', withField(meta, 'tag', [...tags, SUBSETTED]));
}

/** A resource's text, cut to a shape and marked so that nobody takes it for the whole. */
export function shapedText(type: string, text: string, shape: AnswerShape): JsonText {
  const tree = parseLossless(text) as LosslessObject;
  const top = topElements(type);
  const kept = Object.entries(tree).filter(([key]) => isKept(elementName(key, top), type, shape, top));
  return new JsonText(withSubsettedTag(Object.fromEntries(kept)));
}

interface Entry {
  readonly resource?: unknown;
  readonly search?: { readonly mode?: string };
}

/**
 * A bundle whose stored resources are cut to a shape. `_elements` is about what matched, not about what was included
 * with it, unless it names the included type.
 */
export function shapedBundle(bundle: object, shape: AnswerShape): object {
  const { entry } = bundle as { readonly entry?: readonly Entry[] };
  if (!entry) return bundle;
  const shaped = entry.map((one) => {
    if (!(one.resource instanceof StoredResource)) return one;
    const { type, text } = one.resource.stored;
    const isOther = one.search?.mode === 'include' && shape.summary === undefined;
    if (isOther && !shape.elements.some(([of]) => of === type)) return one;
    return { ...one, resource: shapedText(type, text, shape) };
  });
  return { ...bundle, entry: shaped };
}

const INDENT = '  ';

/** The same JSON over several lines: texts of numbers and strings stay as they are. */
export function prettyText(text: string): string {
  let depth = 0;
  return text.replace(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^"{}[\],:\s]+/g, (token, offset: number) => {
    const line = () => `\n${INDENT.repeat(depth)}`;
    if (token === '{' || token === '[') {
      const isEmpty = text[offset + 1] === (token === '{' ? '}' : ']');
      depth += 1;
      return isEmpty ? token : token + line();
    }
    if (token === '}' || token === ']') {
      depth -= 1;
      const isEmpty = text[offset - 1] === (token === '}' ? '{' : '[');
      return isEmpty ? token : line() + token;
    }
    if (token === ',') return token + line();
    return token === ':' ? ': ' : token;
  });
}
