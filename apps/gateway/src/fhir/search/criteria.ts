import {
  addressesAbove,
  type CompositeComponent,
  type CompositeParameter,
  type CompositePart,
  type Criterion,
  componentNumber,
  EDGE_LETTERS_MAX,
  GRAM_LETTERS,
  gramsOf,
  type IndexedParameter,
  type KnownParameter,
  normalizeString,
  referenceTarget,
  type SpanComparison,
  searchParametersOf,
} from '../../index-store/index.ts';
import { isR4ResourceType } from '../../validation/index.ts';
import { FhirError, invalidParameter } from '../fhir-error.ts';
import { ALTERNATIVES_MAX } from './limits.ts';
import { type AskedRange, askedDate, askedNumber, askedQuantity } from './ranges.ts';
import {
  type Parameter,
  type SearchContext,
  sayable,
  splitName,
  splitValue,
  unescaped,
  unsupportedModifier,
} from './search-context.ts';
import { codeTokens, type TokenFor, tokenCriterion } from './token-criteria.ts';

/** Pieces of a text that narrow a search down; more would not narrow it much further. */
const GRAMS_ASKED_MAX = 16;
const BARE_ID = /^[A-Za-z0-9\-.]{1,64}$/;

/** Parameters of R4 that this server refuses by name: to ignore them would find too much. */
const NOT_ANSWERED: ReadonlySet<string> = new Set([
  '_contained',
  '_containedType',
  '_content',
  '_filter',
  '_list',
  '_query',
  '_text',
]);

/** A parameter, or a component of a composite, as values of a type are looked for under it. */
interface Place {
  /** As the request says it, for refusals. */
  readonly name: string;
  readonly type: string;
  readonly code: string;
  readonly number: number;
  readonly context: SearchContext;
}

/** What is separated by commas. @throws {@link FhirError} 400 for nothing or too much. */
export function alternativesOf(name: string, value: string): readonly string[] {
  const alternatives = splitValue(value, ',').filter((one) => one !== '');
  if (alternatives.length === 0) throw invalidParameter(sayable(name), 'A search parameter has no value.');
  if (alternatives.length > ALTERNATIVES_MAX) {
    throw invalidParameter(sayable(name), `A search parameter lists more than ${ALTERNATIVES_MAX} values.`);
  }
  return alternatives;
}

/** One group suffices: without a choice, the criteria themselves. */
export function oneOf(criteria: readonly Criterion[]): Criterion {
  const [only, ...others] = criteria;
  if (only && others.length === 0) return only;
  return { kind: 'any', groups: criteria.map((criterion) => [criterion]) };
}

function tokensAt({ context, type, code }: Place): TokenFor {
  return (kind, value) => context.tokenizer.token(type, code, kind, value);
}

/** @throws {@link FhirError} 400 for what R4 defines and this server does not answer. */
export function refuseUnanswered(name: string): void {
  if (NOT_ANSWERED.has(splitName(name).code)) throw notAnswered(name);
}

function notAnswered(name: string): FhirError {
  return new FhirError({
    status: 400,
    code: 'not-supported',
    message: 'This server does not answer this search parameter.',
    help: 'See /fhir/R4/metadata for those that it answers.',
    expression: [sayable(name)],
  });
}

/** `_lastUpdated` and `_id`, which the index holds beside the parameters. */
function entryCriterion(name: string, value: string): Criterion | undefined {
  const alternatives = () => alternativesOf(name, value);
  switch (name) {
    case '_id':
      return { kind: 'ids', any: alternatives().map(unescaped) };
    case '_lastUpdated':
      return { kind: 'last-updated', any: alternatives().map((one) => askedDate(name, one, Date.now())) };
    default:
      return undefined;
  }
}

/** Can a type be searched by this name, without its modifier? */
export function isSearchedBy(type: string, code: string): boolean {
  return ['_id', '_lastUpdated', '_has'].includes(code) || searchParametersOf(type).has(code);
}

/**
 * The condition of a parameter of the type itself, chains and `_has` apart; undefined when the type has none of this name.
 * @throws {@link FhirError} 400.
 */
export function criterionOf(
  type: string,
  [name, value]: Parameter,
  context: SearchContext,
): Criterion | undefined {
  refuseUnanswered(name);
  const { code, modifier } = splitName(name);
  const entry = entryCriterion(code, value);
  if (entry) return modifier === undefined ? entry : unsupportedModifier(name);
  const parameter = searchParametersOf(type).get(code);
  if (!parameter) return undefined;
  return parameterCriterion(type, parameter, [name, value], context);
}

function parameterCriterion(
  type: string,
  parameter: KnownParameter,
  [name, value]: Parameter,
  context: SearchContext,
): Criterion {
  const { modifier } = splitName(name);
  if (parameter.type === 'special') throw notAnswered(name);
  if (parameter.type === 'composite') {
    if (modifier !== undefined) unsupportedModifier(name);
    return oneOf(
      alternativesOf(name, value).flatMap((one) => compositeCriteria(type, parameter, [name, one], context)),
    );
  }
  const place = { name, type, code: parameter.code, number: parameter.number, context };
  if (modifier === 'missing') return missingCriterion(name, value, tokensAt(place));
  return indexedCriterion(place, parameter, modifier, value);
}

function missingCriterion(name: string, value: string, tokenFor: TokenFor): Criterion {
  if (value !== 'true' && value !== 'false') {
    throw invalidParameter(sayable(name), ':missing takes true or false.');
  }
  return { kind: 'tokens', any: [tokenFor('present', '')], negate: value === 'true' };
}

function indexedCriterion(
  place: Place,
  parameter: IndexedParameter,
  modifier: string | undefined,
  value: string,
): Criterion {
  const { name } = place;
  const alternatives = alternativesOf(name, value);
  switch (parameter.type) {
    case 'token':
      return modifier === 'text'
        ? oneOf(alternatives.map((one) => startCriterion(place, unescaped(one))))
        : tokenCriterion(name, parameter, modifier, alternatives, tokensAt(place));
    case 'reference':
      return referenceCriterion(place, parameter, modifier, alternatives);
    case 'string':
      return oneOf(alternatives.map((one) => stringCriterion(place, modifier, unescaped(one))));
    case 'uri':
      return uriCriterion(place, modifier, alternatives.map(unescaped));
    default:
      if (modifier !== undefined) unsupportedModifier(name);
      return { kind: 'span', any: alternatives.map((one) => spanOf(place, parameter.type, one)) };
  }
}

function spanOf(place: Place, type: IndexedParameter['type'], text: string): SpanComparison {
  const { name, number, context, code } = place;
  const under = (asked: AskedRange, parameter: number): SpanComparison => {
    const { comparison, low, high } = asked;
    return { parameter, comparison, low, high };
  };
  if (type === 'date') return under(askedDate(name, unescaped(text), Date.now()), number);
  if (type === 'number') return under(askedNumber(name, unescaped(text)), number);
  const asked = askedQuantity(name, text);
  const { unit } = asked;
  return under(asked, unit === undefined ? number : context.tokenizer.unitNumber(place.type, code, unit));
}

function lettersOf(name: string, text: string): string {
  const letters = normalizeString(text);
  if (letters !== '') return letters;
  throw invalidParameter(sayable(name), 'A search parameter has no letters to look for.');
}

/** Texts that begin with this, or have a word that does. */
function startCriterion(place: Place, text: string): Criterion {
  const letters = lettersOf(place.name, text);
  const first = [...letters].slice(0, EDGE_LETTERS_MAX).join('');
  const gram = tokensAt(place)('edge', first);
  if (first === letters) return { kind: 'grams', any: [gram] };
  const { type, code: parameter } = place;
  return { kind: 'text', type, parameter, grams: [gram], overflow: gram, letters, match: 'starts' };
}

function stringCriterion(place: Place, modifier: string | undefined, text: string): Criterion {
  const tokenFor = tokensAt(place);
  if (modifier === undefined) return startCriterion(place, text);
  if (modifier === 'exact') return { kind: 'tokens', any: [tokenFor('exact', text)], negate: false };
  if (modifier !== 'contains') return unsupportedModifier(place.name);
  const letters = lettersOf(place.name, text);
  const grams = [...gramsOf(letters)].slice(0, GRAMS_ASKED_MAX).map((gram) => tokenFor('gram', gram));
  if (grams.length === 0) {
    throw invalidParameter(sayable(place.name), `:contains takes ${GRAM_LETTERS} letters at least.`);
  }
  const { type, code: parameter } = place;
  return { kind: 'text', type, parameter, grams, overflow: tokenFor('more', ''), letters, match: 'contains' };
}

function uriCriterion(place: Place, modifier: string | undefined, uris: readonly string[]): Criterion {
  const tokenFor = tokensAt(place);
  switch (modifier) {
    case undefined:
      return { kind: 'tokens', any: uris.map((uri) => tokenFor('uri', uri)), negate: false };
    case 'below':
      return {
        kind: 'tokens',
        any: uris.map((uri) => tokenFor('under', uri.replace(/\/$/, ''))),
        negate: false,
      };
    case 'above': {
      const above = uris.flatMap(addressesAbove);
      return {
        kind: 'tokens',
        any: above.flatMap((uri) => [uri, `${uri}/`].map((one) => tokenFor('uri', one))),
        negate: false,
      };
    }
    default:
      return unsupportedModifier(place.name);
  }
}

function referenceCriterion(
  place: Place,
  parameter: IndexedParameter,
  modifier: string | undefined,
  alternatives: readonly string[],
): Criterion {
  const tokenFor = tokensAt(place);
  if (modifier === 'identifier') {
    const any = alternatives.flatMap((one) => codeTokens(one, 'identifier', tokenFor));
    return { kind: 'tokens', any, negate: false };
  }
  if (
    modifier !== undefined &&
    !(parameter.targets.includes(modifier as never) && isR4ResourceType(modifier))
  ) {
    return unsupportedModifier(place.name);
  }
  const links: { type?: string; id: string }[] = [];
  const addresses: Uint8Array[] = [];
  for (const one of alternatives.map(unescaped)) {
    const { local, address } = referenceTarget(one, `${place.context.baseUrl}/`);
    if (local) {
      if (modifier === undefined || modifier === local.type) links.push(local);
    } else if (BARE_ID.test(one))
      links.push(modifier === undefined ? { id: one } : { type: modifier, id: one });
    else if (address !== undefined && modifier === undefined) addresses.push(tokenFor('reference', address));
  }
  const criteria: Criterion[] = [];
  if (links.length > 0) criteria.push({ kind: 'link', parameter: place.number, any: links });
  if (addresses.length > 0) criteria.push({ kind: 'tokens', any: addresses, negate: false });
  return oneOf(criteria);
}

/** `code$value`: within one element, or within the resource where that is the element. */
function compositeCriteria(
  type: string,
  { elements, together }: CompositeParameter,
  [name, value]: Parameter,
  context: SearchContext,
): readonly Criterion[] {
  const values = splitValue(value, '$');
  const width = elements[0]?.components.length ?? together.length;
  if (values.length !== width || values.includes('')) {
    throw invalidParameter(
      sayable(name),
      `A value has not the ${width} parts of this parameter, joined by $.`,
    );
  }
  const groups: Criterion[] = elements.map(({ components }) => ({
    kind: 'composite',
    parts: components.map((component, index) =>
      partOf(type, component, [name, values[index] ?? ''], context),
    ),
  }));
  if (together.length === 0) return groups;
  const all = together.map((code, index) => {
    const parameter = searchParametersOf(type).get(code);
    if (!parameter) throw new Error('a composite names a parameter that is not there');
    return parameterCriterion(type, parameter, [code, values[index] ?? ''], context);
  });
  return [{ kind: 'any', groups: [all] }, ...groups];
}

function partOf(
  type: string,
  component: CompositeComponent,
  [name, value]: Parameter,
  context: SearchContext,
): CompositePart {
  const code = component.name;
  const place = { name, type, code, number: componentNumber(context.tokenizer, type, code), context };
  const tokenFor = tokensAt(place);
  switch (component.type) {
    case 'token':
      return { kind: 'tokens', any: codeTokens(value, 'value', tokenFor) };
    case 'reference': {
      const { local, address } = referenceTarget(unescaped(value), `${context.baseUrl}/`);
      const reference = local
        ? `${local.type}/${local.id}`
        : BARE_ID.test(value)
          ? value
          : (address ?? value);
      return { kind: 'tokens', any: [tokenFor('reference', reference)] };
    }
    case 'string':
      return { kind: 'tokens', any: [tokenFor('exact', unescaped(value))] };
    case 'uri':
      return { kind: 'tokens', any: [tokenFor('uri', unescaped(value))] };
    default:
      return { kind: 'span', any: [spanOf(place, component.type, value)] };
  }
}
