import type {
  CodeSystem,
  CodeSystemConcept,
  ValueSet,
  ValueSetComposeInclude,
  ValueSetComposeIncludeFilter,
} from '@medplum/fhirtypes';

/** A code system whose every code is known. */
export interface CodeSystemCodes {
  readonly codes: readonly string[];
  readonly ignoresCase: boolean;
}

/** What a value set allows, as far as the definitions at hand say. */
export interface ValueSetCodes {
  /** Complete code systems that belong to it whole. */
  readonly whole: readonly string[];
  /** The codes that it takes from other systems. */
  readonly some: Readonly<Record<string, readonly string[]>>;
  /** True when a part of it cannot be enumerated here (SNOMED CT, a filter): then absence proves nothing. */
  readonly isOpen: boolean;
}

const HIERARCHY_FILTERS: ReadonlySet<string | undefined> = new Set(['is-a', 'descendent-of']);
/** Value sets inside value sets: deeper ones are not followed. */
const VALUE_SET_DEPTH_MAX = 8;

/** A canonical URL without its `|version`. */
export function withoutVersion(canonical: string): string {
  return canonical.split('|', 1)[0] ?? canonical;
}

function visitConcepts(
  concepts: readonly CodeSystemConcept[],
  ancestors: readonly string[],
  visit: (concept: CodeSystemConcept, ancestors: readonly string[]) => void,
): void {
  for (const concept of concepts) {
    visit(concept, ancestors);
    visitConcepts(concept.concept ?? [], [...ancestors, concept.code ?? ''], visit);
  }
}

/** The codes of a code system, or `undefined` when it does not say them all. */
export function codesOf(system: CodeSystem): CodeSystemCodes | undefined {
  if (system.content !== 'complete' || !system.concept) return undefined;
  const codes: string[] = [];
  visitConcepts(system.concept, [], ({ code }) => codes.push(code ?? ''));
  // v2 tables say that case counts where HL7 v2 itself does not.
  return { codes, ignoresCase: system.caseSensitive === false };
}

function parentsOf(concept: CodeSystemConcept): readonly string[] {
  return (concept.property ?? [])
    .filter(({ code }) => code === 'subsumedBy' || code === 'parent')
    .flatMap(({ valueCode }) => valueCode ?? []);
}

function isUnder(code: string, root: string, parents: ReadonlyMap<string, readonly string[]>): boolean {
  const open = [code];
  const seen = new Set<string>();
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (seen.has(next)) continue;
    seen.add(next);
    const above = parents.get(next) ?? [];
    if (above.includes(root)) return true;
    open.push(...above);
  }
  return false;
}

/** The codes that all filters let through; `undefined` for a filter that we do not evaluate. */
function filteredCodes(
  system: CodeSystem,
  filters: readonly ValueSetComposeIncludeFilter[],
): readonly string[] | undefined {
  if (!filters.every(({ property, op }) => property === 'concept' && HIERARCHY_FILTERS.has(op)))
    return undefined;
  const parents = new Map<string, readonly string[]>();
  visitConcepts(system.concept ?? [], [], (concept, ancestors) => {
    const above = [...ancestors.slice(-1), ...parentsOf(concept)];
    parents.set(concept.code ?? '', above);
  });
  return [...parents.keys()].filter((code) =>
    filters.every(({ op, value = '' }) => (op === 'is-a' && code === value) || isUnder(code, value, parents)),
  );
}

/** Expands value sets by the definitions of R4 alone. */
export class ValueSetExpander {
  readonly valueSets = new Map<string, ValueSet>();
  readonly codeSystems = new Map<string, CodeSystem>();
  readonly #isKnownElsewhere: (system: string) => boolean;

  /** @param isKnownElsewhere - Is this a complete code system that whoever asks has from elsewhere? */
  constructor(isKnownElsewhere: (system: string) => boolean = () => false) {
    this.#isKnownElsewhere = isKnownElsewhere;
  }

  add(resource: ValueSet | CodeSystem): void {
    if (!resource.url) return;
    if (resource.resourceType === 'CodeSystem') this.codeSystems.set(resource.url, resource);
    else this.valueSets.set(resource.url, resource);
  }

  /** What the value set at this URL allows; `undefined` when it is not defined here. */
  expand(url: string, depth = 0): ValueSetCodes | undefined {
    const valueSet = this.valueSets.get(url);
    if (!valueSet || depth > VALUE_SET_DEPTH_MAX) return undefined;
    const parts = (valueSet.compose?.include ?? []).map((include) => this.#include(include, depth));
    const excluded = (valueSet.compose?.exclude ?? []).map((exclude) => this.#include(exclude, depth));
    const union = {
      whole: new Set<string>(),
      some: new Map<string, Set<string>>(),
      isOpen: parts.length === 0,
    };
    for (const part of parts) {
      union.isOpen ||= part.isOpen;
      for (const system of part.whole) union.whole.add(system);
      for (const [system, codes] of Object.entries(part.some)) {
        union.some.set(system, new Set([...(union.some.get(system) ?? []), ...codes]));
      }
    }
    for (const { some, whole } of excluded) {
      // What is taken out of a whole system is rare in R4: then the set is simply not enumerated.
      union.isOpen ||= whole.length > 0 || Object.keys(some).some((system) => union.whole.has(system));
      for (const [system, codes] of Object.entries(some)) {
        for (const code of codes) union.some.get(system)?.delete(code);
      }
    }
    return {
      whole: [...union.whole],
      some: Object.fromEntries([...union.some].map(([system, codes]) => [system, [...codes]])),
      isOpen: union.isOpen,
    };
  }

  #include(include: ValueSetComposeInclude, depth: number): ValueSetCodes {
    const open: ValueSetCodes = { whole: [], some: {}, isOpen: true };
    const { system, concept, filter, valueSet } = include;
    if (valueSet) {
      // Several value sets, or one with a system, mean what is in all of them: R4 itself has one alone.
      if (system || valueSet.length > 1) return open;
      return this.expand(withoutVersion(valueSet[0] ?? ''), depth + 1) ?? open;
    }
    if (!system) return open;
    if (concept)
      return { whole: [], some: { [system]: concept.map(({ code }) => code ?? '') }, isOpen: false };
    const codeSystem = this.codeSystems.get(system);
    if (!codeSystem && !filter && this.#isKnownElsewhere(system))
      return { whole: [system], some: {}, isOpen: false };
    if (codeSystem?.content !== 'complete') return open;
    if (!filter) return { whole: [system], some: {}, isOpen: false };
    const codes = filteredCodes(codeSystem, filter);
    return codes ? { whole: [], some: { [system]: codes }, isOpen: false } : open;
  }
}
