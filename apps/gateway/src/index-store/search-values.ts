import type { Resource } from '@medplum/fhirtypes';
import { codedValuesOf, displaysOf, stringsOf, typedIdentifiersOf } from './coded-values.ts';
import { dateRangesOf } from './date-range.ts';
import {
  type ElementPath,
  evaluateGeneral,
  follow,
  type GeneralExpression,
  type TypedElement,
} from './element-path.ts';
import { numberedRanges, quantityRangesOf } from './quantities.ts';
import { referenceIdentifier, referenceTargetOf } from './references.ts';
import { compositeElementsOf, type IndexedParameter, indexedParametersOf } from './search-parameters.ts';
import { normalizeString, piecesOf, type Tokenizer, type TokenKind } from './tokenizer.ts';

/** A text of a resource. Its pieces are only made where the index does not know the text yet. */
export interface IndexedText {
  readonly token: Uint8Array;
  readonly pieces: () => readonly Uint8Array[];
}

/** What one resource is found by. */
export interface SearchValues {
  readonly tokens: readonly { readonly token: Uint8Array; readonly element: number }[];
  readonly texts: readonly IndexedText[];
  readonly spans: readonly {
    readonly parameter: number;
    readonly element: number;
    readonly low: number;
    readonly high: number;
  }[];
  readonly links: readonly { readonly parameter: number; readonly type: string; readonly id: string }[];
}

/** Values of one resource: a limit for what a hostile resource can make the index hold. */
export const VALUES_MAX = 4_096;

/** Steps of `http://a/b/c` under which it lies. */
const SEGMENTS_MAX = 32;

/** The addresses that an address lies under, itself included: `http://a/b` of `http://a/b/c`. */
export function addressesAbove(uri: string): readonly string[] {
  const above = [uri];
  for (
    let at = uri.lastIndexOf('/');
    at > 0 && above.length < SEGMENTS_MAX;
    at = uri.lastIndexOf('/', at - 1)
  ) {
    const shorter = uri.slice(0, at);
    if (!shorter.endsWith('/') && shorter.includes(':')) above.push(shorter);
  }
  return above;
}

/** A parameter, or a component of a composite, whose values are collected. */
interface Place {
  readonly type: IndexedParameter['type'];
  readonly code: string;
  readonly number: number;
  /** 0, or the element of a composite. */
  readonly element: number;
}

/** Collects what one resource is found by. */
class Collector {
  readonly #resourceType: string;
  readonly #tokenizer: Tokenizer;
  readonly #base: string;
  readonly #tokens = new Map<string, SearchValues['tokens'][number]>();
  readonly #texts = new Map<string, IndexedText>();
  readonly #spans = new Map<string, SearchValues['spans'][number]>();
  readonly #links = new Map<string, SearchValues['links'][number]>();

  constructor(resourceType: string, tokenizer: Tokenizer, base: string) {
    this.#resourceType = resourceType;
    this.#tokenizer = tokenizer;
    this.#base = base;
  }

  values(): SearchValues {
    return {
      tokens: [...this.#tokens.values()],
      texts: [...this.#texts.values()],
      spans: [...this.#spans.values()],
      links: [...this.#links.values()],
    };
  }

  token({ code, element }: Place, kind: TokenKind, value: string): void {
    const name = `${code}\u0000${element}\u0000${kind}\u0000${value}`;
    if (this.#tokens.size >= VALUES_MAX || this.#tokens.has(name)) return;
    this.#tokens.set(name, { token: this.#tokenizer.token(this.#resourceType, code, kind, value), element });
  }

  collect(place: Place, values: readonly TypedElement[]): void {
    for (const value of values) {
      switch (place.type) {
        case 'token':
          this.#coded(place, value, 'value');
          break;
        case 'reference':
          this.#reference(place, value);
          break;
        case 'string':
          this.#strings(place, value);
          break;
        case 'uri':
          this.#uri(place, value);
          break;
        case 'date':
          for (const { low, high } of dateRangesOf(value.value)) this.#span(place, place.number, low, high);
          break;
        default:
          this.#quantity(place, value);
      }
    }
  }

  #coded(place: Place, value: TypedElement, kind: 'value' | 'identifier'): void {
    for (const { system, code } of codedValuesOf(value)) {
      if (code !== undefined) {
        this.token(place, kind, code);
        this.token(place, kind, `${system ?? ''}|${code}`);
      }
      if (system !== undefined && kind === 'value') this.token(place, 'system', system);
    }
    if (place.element !== 0 || kind === 'identifier') return;
    for (const typed of typedIdentifiersOf(value)) this.token(place, 'of-type', typed);
    for (const display of displaysOf(value)) this.#text(place, display);
  }

  #reference(place: Place, value: TypedElement): void {
    const { local, address } = referenceTargetOf(value, this.#base);
    const identifier = referenceIdentifier(value);
    if (identifier) this.#coded(place, identifier, 'identifier');
    if (address !== undefined) {
      this.token(place, 'reference', address);
      this.token(place, 'reference', address.split('|', 1)[0] ?? address);
    }
    if (!local) return;
    if (place.element !== 0) {
      this.token(place, 'reference', `${local.type}/${local.id}`);
      this.token(place, 'reference', local.id);
    } else if (this.#links.size < VALUES_MAX) {
      this.#links.set(`${place.number}/${local.type}/${local.id}`, { parameter: place.number, ...local });
    }
  }

  #strings(place: Place, value: TypedElement): void {
    for (const text of stringsOf(value)) {
      this.token(place, 'exact', text);
      this.#text(place, text);
    }
  }

  /** Finds a text by its letters; `text` is one token of the resource, the pieces belong to the text. */
  #text({ code }: Place, text: string): void {
    const letters = normalizeString(text);
    const name = `${code}\u0000${letters}`;
    if (letters === '' || this.#texts.size >= VALUES_MAX || this.#texts.has(name)) return;
    const tokenOf = (kind: TokenKind, value: string): Uint8Array =>
      this.#tokenizer.token(this.#resourceType, code, kind, value);
    this.#texts.set(name, {
      token: tokenOf('text', letters),
      pieces: () => {
        const { edges, grams, hasMore } = piecesOf(letters);
        const pieces = [...edges].map((edge) => tokenOf('edge', edge));
        for (const gram of grams) pieces.push(tokenOf('gram', gram));
        if (hasMore) pieces.push(tokenOf('more', ''));
        return pieces;
      },
    });
  }

  #uri(place: Place, { value }: TypedElement): void {
    if (typeof value !== 'string') return;
    const plain = value.split('|', 1)[0] ?? value;
    for (const uri of new Set([value, plain])) this.token(place, 'uri', uri);
    for (const above of addressesAbove(plain)) this.token(place, 'under', above);
  }

  #quantity(place: Place, value: TypedElement): void {
    const at = {
      tokenizer: this.#tokenizer,
      type: this.#resourceType,
      code: place.code,
      number: place.number,
    };
    for (const range of quantityRangesOf(value)) {
      const ranges =
        place.type === 'number' ? [{ ...range, parameter: place.number }] : numberedRanges(range, at);
      for (const { parameter, low, high } of ranges) this.#span(place, parameter, low, high);
    }
  }

  #span({ element }: Place, parameter: number, low: number, high: number): void {
    if (this.#spans.size >= VALUES_MAX) return;
    this.#spans.set(`${parameter}/${element}/${low}/${high}`, { parameter, element, low, high });
  }
}

/** What a parameter's expression says of a resource. */
export function elementsAt(
  branches: readonly (ElementPath | GeneralExpression)[],
  resource: Resource,
): readonly TypedElement[] {
  const from: TypedElement = { type: resource.resourceType, value: resource };
  const [only, ...others] = branches;
  if (only && others.length === 0 && !('general' in only)) return follow(only, from);
  return branches.flatMap((branch) =>
    'general' in branch ? evaluateGeneral(branch, resource) : follow(branch, from),
  );
}

/** The number that a composite's component has in the index. */
export function componentNumber(tokenizer: Tokenizer, type: string, name: string): number {
  return tokenizer.unitNumber(type, name, '');
}

function collectComposites(collector: Collector, resource: Resource, tokenizer: Tokenizer): void {
  const type = resource.resourceType;
  const from: TypedElement = { type, value: resource };
  let element = 0;
  for (const { path, components } of compositeElementsOf(type)) {
    for (const one of follow(path, from)) {
      element += 1;
      for (const { name, type: componentType, branches } of components) {
        const place = {
          type: componentType,
          code: name,
          number: componentNumber(tokenizer, type, name),
          element,
        };
        const values = branches.flatMap((branch) => follow(branch, branch.root.startsWith('%') ? from : one));
        collector.collect(place, values);
      }
    }
  }
}

/**
 * Everything that a resource can be found by, as the index holds it.
 * @param base FHIR base URL of this gateway, with its last slash: absolute references below it are its own.
 */
export function searchValuesOf(resource: Resource, tokenizer: Tokenizer, base: string): SearchValues {
  const type = resource.resourceType;
  const collector = new Collector(type, tokenizer, base);
  for (const { code, type: kind, number, branches } of indexedParametersOf(type)) {
    const values = elementsAt(branches, resource);
    if (values.length === 0) continue;
    const place = { type: kind, code, number, element: 0 };
    collector.token(place, 'present', '');
    collector.collect(place, values);
  }
  collectComposites(collector, resource, tokenizer);
  return collector.values();
}

/** The normalized texts that a parameter finds a resource by: its strings, or the words beside its codes. */
export function textsOf(resource: Resource, code: string): readonly string[] {
  const parameter = indexedParametersOf(resource.resourceType).find((one) => one.code === code);
  const values = parameter ? elementsAt(parameter.branches, resource) : [];
  return values.flatMap(parameter?.type === 'token' ? displaysOf : stringsOf).map(normalizeString);
}

/** What a resource is sorted by under a parameter whose values the index holds as tokens. */
export function sortTextsOf(resource: Resource, code: string): string[] {
  const parameter = indexedParametersOf(resource.resourceType).find((one) => one.code === code);
  const values = parameter ? elementsAt(parameter.branches, resource) : [];
  switch (parameter?.type) {
    case 'string':
      return values.flatMap(stringsOf).map(normalizeString);
    case 'token':
      return values.flatMap(codedValuesOf).flatMap((coded) => coded.code ?? []);
    case 'reference':
      return values.flatMap((value) => {
        const { local, address } = referenceTargetOf(value, '/');
        return local ? [`${local.type}/${local.id}`] : (address ?? []);
      });
    default:
      return values.flatMap(stringsOf);
  }
}
