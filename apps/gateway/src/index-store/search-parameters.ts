import { createHash } from 'node:crypto';
import { getSearchParameters } from '@medplum/core';
import type { SearchParameter } from '@medplum/fhirtypes';
import { loadDefinitions } from '../validation/index.ts';
import { branchesOf, type ElementPath, type GeneralExpression, parseElementPath } from './element-path.ts';

/** Search parameter types whose values the index holds. */
export type IndexedType = 'token' | 'reference' | 'string' | 'uri' | 'date' | 'number' | 'quantity';

/** A component of a composite, within one element. */
export interface CompositeComponent {
  readonly type: IndexedType;
  /** Paths from the element, or from the resource (`%resource`). */
  readonly branches: readonly ElementPath[];
  /** Under this name the index holds the component's values: `Observation.component:code`. */
  readonly name: string;
}

/** A composite's element that occurs more than once: its components must match together. */
export interface CompositeElement {
  readonly path: ElementPath;
  readonly components: readonly CompositeComponent[];
}

interface NamedParameter {
  readonly code: string;
  readonly definition: SearchParameter;
}

/** A parameter whose values the index holds. */
export interface IndexedParameter extends NamedParameter {
  readonly type: IndexedType;
  /** Stands for the parameter where the index holds numbers and links. */
  readonly number: number;
  readonly branches: readonly (ElementPath | GeneralExpression)[];
  /** Resource types that a reference may point to. */
  readonly targets: readonly string[];
}

export interface CompositeParameter extends NamedParameter {
  readonly type: 'composite';
  readonly elements: readonly CompositeElement[];
  /** Codes of the parameters that must all match, where the resource itself is the element. */
  readonly together: readonly string[];
}

/** A parameter that this server cannot answer, and refuses by name. */
export interface RefusedParameter extends NamedParameter {
  readonly type: 'special';
}

export type KnownParameter = IndexedParameter | CompositeParameter | RefusedParameter;

const INDEXED: ReadonlySet<string> = new Set([
  'token',
  'reference',
  'string',
  'uri',
  'date',
  'number',
  'quantity',
]);
/** Of the parameters that every type has, those whose values stand in the resource. */
const COMMON: ReadonlySet<string> = new Set(['_tag', '_security', '_profile', '_source']);

interface TypeParameters {
  readonly all: ReadonlyMap<string, KnownParameter>;
  readonly indexed: readonly IndexedParameter[];
  readonly elements: readonly CompositeElement[];
}

const byType = new Map<string, TypeParameters>();

/** 48 bits that stand for a parameter of a type. */
export function parameterNumber(type: string, code: string): number {
  return createHash('sha256').update(`${type}.${code}`).digest().readUIntBE(0, 6);
}

function isIndexed(parameter: KnownParameter | undefined): parameter is IndexedParameter {
  return parameter !== undefined && INDEXED.has(parameter.type);
}

function indexedParameter(resourceType: string, definition: SearchParameter): IndexedParameter {
  const { code, type, expression = '', target = [] } = definition;
  return {
    code,
    definition,
    type: type as IndexedType,
    number: parameterNumber(resourceType, code),
    branches: branchesOf(expression, resourceType),
    targets: target,
  };
}

type Component = NonNullable<SearchParameter['component']>[number];

/** The parameter that holds just what a component's expression says of the resource itself. */
function parameterAt(
  known: ReadonlyMap<string, KnownParameter>,
  resourceType: string,
  { expression, definition }: Component,
): string | undefined {
  const first = expression?.split(' | ')[0]?.replace(/^(\w+).*/, '$1') ?? '';
  const named = [...known.values()].find((parameter) => parameter.definition.url === definition);
  const candidates = [...known.values()].filter(isIndexed).filter(({ type, branches }) => {
    return type === named?.type && branches.length > 0 && branches.every((branch) => isAt(branch, first));
  });
  const own = candidates.find(({ code }) => code === named?.code);
  return (own ?? candidates.find(({ definition: { expression: at } }) => at?.includes(`${resourceType}.`)))
    ?.code;
}

function isAt(branch: ElementPath | GeneralExpression, first: string): boolean {
  if ('general' in branch) return false;
  const [step] = branch.steps;
  return step?.kind === 'element' && step.name === first;
}

function componentOf(
  known: ReadonlyMap<string, KnownParameter>,
  elementName: string,
  { definition, expression = '' }: Component,
): CompositeComponent | undefined {
  const named = [...known.values()].find((parameter) => parameter.definition.url === definition);
  if (!isIndexed(named)) return undefined;
  const branches = expression.split(' | ').flatMap((branch) => {
    const path = parseElementPath(branch.startsWith('%') ? branch : `Element.${branch}`);
    return path ? [path] : [];
  });
  return { type: named.type, branches, name: `${elementName}:${expression}` };
}

function compositeParameter(
  resourceType: string,
  definition: SearchParameter,
  known: ReadonlyMap<string, KnownParameter>,
): CompositeParameter | undefined {
  const { code, expression = '', component = [] } = definition;
  const elements: CompositeElement[] = [];
  let together: readonly string[] = [];
  for (const branch of expression.split(' | ').map((text) => text.trim())) {
    const path = parseElementPath(branch);
    if (path?.root !== resourceType) continue;
    if (path.steps.length === 0) {
      together = component.flatMap((one) => parameterAt(known, resourceType, one) ?? []);
    } else {
      const components = component.flatMap((one) => componentOf(known, branch, one) ?? []);
      if (components.length === component.length) elements.push({ path, components });
    }
  }
  if (elements.length === 0 && together.length !== component.length) return undefined;
  return { code, definition, type: 'composite', elements, together };
}

function readParameters(resourceType: string): ReadonlyMap<string, KnownParameter> {
  loadDefinitions();
  const parameters = new Map<string, KnownParameter>();
  const composites: SearchParameter[] = [];
  for (const definition of Object.values(getSearchParameters(resourceType) ?? {})) {
    const { code, type } = definition;
    if (!code || (code.startsWith('_') && !COMMON.has(code))) continue;
    if (type === 'composite') composites.push(definition);
    else if (type === 'special') parameters.set(code, { code, definition, type });
    else if (INDEXED.has(type)) parameters.set(code, indexedParameter(resourceType, definition));
  }
  for (const definition of composites) {
    const composite = compositeParameter(resourceType, definition, parameters);
    if (composite) parameters.set(definition.code, composite);
  }
  return parameters;
}

/** The elements of the composites, each once with the components of all. */
function elementsOf(parameters: Iterable<KnownParameter>): readonly CompositeElement[] {
  const elements = new Map<string, CompositeElement>();
  for (const parameter of parameters) {
    if (parameter.type !== 'composite') continue;
    for (const { path, components } of parameter.elements) {
      const key = JSON.stringify(path);
      const others = elements.get(key)?.components ?? [];
      const names = new Set(others.map(({ name }) => name));
      elements.set(key, {
        path,
        components: [...others, ...components.filter(({ name }) => !names.has(name))],
      });
    }
  }
  return [...elements.values()];
}

function parametersOf(resourceType: string): TypeParameters {
  const found = byType.get(resourceType);
  if (found) return found;
  const all = readParameters(resourceType);
  const read = { all, indexed: [...all.values()].filter(isIndexed), elements: elementsOf(all.values()) };
  byType.set(resourceType, read);
  return read;
}

/** R4's search parameters of a resource type, by code. */
export function searchParametersOf(resourceType: string): ReadonlyMap<string, KnownParameter> {
  return parametersOf(resourceType).all;
}

/** The parameters of a type whose values the index holds. */
export function indexedParametersOf(resourceType: string): readonly IndexedParameter[] {
  return parametersOf(resourceType).indexed;
}

/** The elements of a type's composites that occur more than once. */
export function compositeElementsOf(resourceType: string): readonly CompositeElement[] {
  return parametersOf(resourceType).elements;
}
