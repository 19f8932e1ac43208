import { type Criterion, type IndexedParameter, searchParametersOf } from '../../index-store/index.ts';
import { isR4ResourceType } from '../../validation/index.ts';
import { FhirError, invalidParameter } from '../fhir-error.ts';
import { criterionOf, isSearchedBy, oneOf } from './criteria.ts';
import { CHAIN_TYPES_MAX, HOPS_MAX } from './limits.ts';
import {
  type Parameter,
  type SearchContext,
  sayable,
  splitName,
  unsupportedModifier,
} from './search-context.ts';

const HAS = /^_has:([A-Z][A-Za-z]*):([A-Za-z][A-Za-z0-9-]*):(.+)$/;

/** A condition, and how many references it follows. */
export interface HoppedCriterion {
  readonly criterion: Criterion;
  readonly hops: number;
}

function tooFar(name: string): FhirError {
  return invalidParameter(sayable(name), `A search parameter follows more than ${HOPS_MAX} references.`);
}

function referenceParameter(type: string, code: string, name: string): IndexedParameter {
  const parameter = isR4ResourceType(type) ? searchParametersOf(type).get(code) : undefined;
  if (parameter?.type === 'reference') return parameter;
  throw invalidParameter(
    sayable(name),
    'A part of this search parameter is no reference that can be followed.',
  );
}

/**
 * The condition of any parameter: of the type itself, over references (`subject:Patient.name`), or of what refers to it
 * (`_has:Observation:patient:code`). Each hop finds only what the caller may search and see of its type.
 *
 * @returns `undefined` when the type has no such parameter.
 * @throws {@link FhirError} 400, or 403 where a hop's type may not be searched.
 */
export function conditionOf(
  type: string,
  parameter: Parameter,
  context: SearchContext,
  depth = 0,
): HoppedCriterion | undefined {
  const [name] = parameter;
  if (depth > HOPS_MAX) throw tooFar(name);
  if (name.startsWith('_has:')) return hasCondition(type, parameter, context, depth);
  const dot = name.indexOf('.');
  if (dot !== -1) return chainCondition(type, parameter, dot, context, depth);
  const criterion = criterionOf(type, parameter, context);
  return criterion && { criterion, hops: 0 };
}

function visibilityAt(type: string, name: string, context: SearchContext) {
  if (context.visibilityOf) return context.visibilityOf(type);
  throw invalidParameter(sayable(name), 'References are not followed here.');
}

/** The condition at the other end of a hop. A name that is unknown there is refused: ignoring it would find too much. */
function conditionAt(
  type: string,
  [name, value]: Parameter,
  context: SearchContext,
  depth: number,
): HoppedCriterion {
  const found = conditionOf(type, [name, value], context, depth);
  if (found) return found;
  throw invalidParameter(sayable(name), 'This server does not know this search parameter.');
}

function hasCondition(
  type: string,
  [name, value]: Parameter,
  context: SearchContext,
  depth: number,
): HoppedCriterion {
  const match = HAS.exec(name);
  if (!match) throw invalidParameter('_has', '_has takes a type, a reference and a search parameter.');
  const [, source = '', reference = '', rest = ''] = match;
  const { targets, number } = referenceParameter(source, reference, name);
  if (!targets.includes(type as never)) {
    throw invalidParameter(sayable(name), 'This reference does not lead to the type that is searched.');
  }
  const visibility = visibilityAt(source, name, context);
  const { criterion, hops } = conditionAt(source, [rest, value], { ...context, visibility }, depth + 1);
  const selection = { type: source, criteria: [criterion], visibility };
  return { criterion: { kind: 'has', parameter: number, source: selection }, hops: hops + 1 };
}

/** The types that a step of a chain may lead to: the one that is named, or those that have the next parameter. */
function chainTypes(
  { targets }: IndexedParameter,
  modifier: string | undefined,
  next: string,
  name: string,
): readonly string[] {
  if (modifier !== undefined) {
    if (targets.includes(modifier as never) && isR4ResourceType(modifier)) return [modifier];
    return unsupportedModifier(name);
  }
  const { code } = splitName(next.split('.', 1)[0] ?? '');
  const types = targets.filter((type) => isR4ResourceType(type) && isSearchedBy(type, code));
  if (types.length > CHAIN_TYPES_MAX) {
    throw invalidParameter(
      sayable(name),
      `A reference leads to more than ${CHAIN_TYPES_MAX} types: name one.`,
    );
  }
  return types;
}

function chainCondition(
  type: string,
  [name, value]: Parameter,
  dot: number,
  context: SearchContext,
  depth: number,
): HoppedCriterion | undefined {
  const { code, modifier } = splitName(name.slice(0, dot));
  if (!searchParametersOf(type).has(code)) return undefined;
  const parameter = referenceParameter(type, code, name);
  const next = name.slice(dot + 1);
  const types = chainTypes(parameter, modifier, next, name);
  const found: HoppedCriterion[] = [];
  let refused: unknown;
  for (const target of types) {
    try {
      const visibility = visibilityAt(target, name, context);
      const inner = conditionAt(target, [next, value], { ...context, visibility }, depth + 1);
      const selection = { type: target, criteria: [inner.criterion], visibility };
      const criterion: Criterion = { kind: 'chain', parameter: parameter.number, target: selection };
      found.push({ criterion, hops: inner.hops + 1 });
    } catch (error) {
      // Among several possible types those that the token does not cover are left out; they would find nothing.
      if (!(error instanceof FhirError) || error.status !== 403) throw error;
      refused = error;
    }
  }
  if (found.length === 0) {
    throw refused ?? invalidParameter(sayable(name), 'This server does not know this search parameter.');
  }
  const criterion = oneOf(found.map((one) => one.criterion));
  return { criterion, hops: Math.max(...found.map(({ hops }) => hops)) };
}
