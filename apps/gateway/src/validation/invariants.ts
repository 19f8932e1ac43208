import type { ElementDefinitionConstraint } from '@medplum/fhirtypes';
import fhirpath from 'fhirpath';
import r4 from 'fhirpath/fhir-context/r4';
import { isObject, type JsonObject, listOf } from './json-object.ts';

/** Where an invariant is evaluated. */
export interface InvariantScope {
  /** `%resource`: the resource that the element is in. */
  readonly resource: JsonObject;
  /** `%rootResource`: of a contained resource, the one that contains it. */
  readonly root: JsonObject;
}

type Rule = (value: JsonObject, scope: InvariantScope) => boolean;

/**
 * Invariants that are not evaluated: `dom-6` only recommends a narrative, `ele-1`, `txt-1` and `txt-2` are the structure
 * check's.
 */
const NOT_EVALUATED: ReadonlySet<string> = new Set(['dom-6', 'ele-1', 'txt-1', 'txt-2']);

function has(value: JsonObject, name: string): boolean {
  return value[name] !== undefined || value[`_${name}`] !== undefined;
}

function hasChoice(value: JsonObject, prefix: string): boolean {
  return Object.keys(value).some((key) => key.startsWith(prefix) || key.startsWith(`_${prefix}`));
}

function containedIn(resource: JsonObject): readonly JsonObject[] {
  return listOf(resource.contained).filter(isObject);
}

function hasTextAnywhere(value: unknown, text: string): boolean {
  if (typeof value === 'string') return value === text;
  if (typeof value !== 'object' || value === null) return false;
  return Object.values(value).some((inner) => hasTextAnywhere(inner, text));
}

/** dom-3: a contained resource is referred to, or refers to its container. Canonical URLs count, so any text does. */
function isReferredTo(contained: JsonObject, root: JsonObject): boolean {
  return hasTextAnywhere(contained, '#') || hasTextAnywhere(root, `#${contained.id}`);
}

function isKnownFragment(reference: unknown, root: JsonObject): boolean {
  if (typeof reference !== 'string' || !reference.startsWith('#') || reference === '#') return true;
  return containedIn(root).some(({ id }) => id === reference.slice(1));
}

/** Not after, as far as both say: `2024` is not after `2024-05`. With times, the instants count. */
function isNotAfter(start: unknown, end: unknown): boolean {
  if (typeof start !== 'string' || typeof end !== 'string') return true;
  if (start.length > 10 && end.length > 10) {
    const [from, to] = [Date.parse(start), Date.parse(end)];
    return Number.isNaN(from) || Number.isNaN(to) || from <= to;
  }
  const digits = Math.min(start.length, end.length, 10);
  return start.slice(0, digits) <= end.slice(0, digits);
}

/**
 * Invariants of the types that stand in every resource, in our words: FHIRPath would take most of the time of a create.
 * A test holds each against FHIRPath's own answer.
 */
export const DIRECT_RULES: Readonly<Record<string, Rule>> = {
  'ext-1': (value) => has(value, 'extension') !== hasChoice(value, 'value'),
  'dom-2': (value) => containedIn(value).every((inner) => !has(inner, 'contained')),
  'dom-3': (value) => containedIn(value).every((inner) => isReferredTo(inner, value)),
  'dom-4': (value) =>
    containedIn(value).every(
      ({ meta }) => !isObject(meta) || !(has(meta, 'versionId') || has(meta, 'lastUpdated')),
    ),
  'dom-5': (value) => containedIn(value).every(({ meta }) => !isObject(meta) || !has(meta, 'security')),
  'ref-1': (value, { root }) => isKnownFragment(value.reference, root),
  'qty-3': (value) => !has(value, 'code') || has(value, 'system'),
  'sqty-1': (value) => !has(value, 'comparator'),
  'cpt-2': (value) => !has(value, 'value') || has(value, 'system'),
  'att-1': (value) => !has(value, 'data') || has(value, 'contentType'),
  'per-1': (value) => isNotAfter(value.start, value.end),
  // R4 writes `Boolean`, which is FHIRPath's own type and not that of an element.
  'que-7': (value) => value.operator !== 'exists' || has(value, 'answerBoolean'),
  'obs-6': (value) => !has(value, 'dataAbsentReason') || !hasChoice(value, 'value'),
  'obs-7': (value, scope) =>
    !hasChoice(value, 'value') || !has(value, 'component') || byFhirPath(OBS_7, value, scope),
};
const OBS_7 = {
  base: 'Observation',
  expression: 'component.code.where(coding.intersect(%resource.code.coding).exists()).empty()',
};

type Compiled = (value: unknown, variables: Readonly<Record<string, unknown>>) => readonly unknown[];
const compiled = new Map<string, Compiled>();

function compile(base: string, expression: string): Compiled {
  const key = `${base} ${expression}`;
  let found = compiled.get(key);
  if (!found) {
    // `trace()` stands in several invariants of R4 and would print what it sees.
    const options = { async: false, traceFn: () => undefined } as const;
    found = fhirpath.compile({ base, expression }, r4, options) as unknown as Compiled;
    compiled.set(key, found);
  }
  return found;
}

/** Does this FHIRPath expression hold for an element? @throws what the library throws for an expression it cannot do. */
export function byFhirPath(
  { base, expression }: { readonly base: string; readonly expression: string },
  value: unknown,
  { resource, root }: InvariantScope,
): boolean {
  const answers = compile(base, expression)(value, { resource, rootResource: root, context: value });
  return answers.length === 1 && answers[0] === true;
}

/** Does the constraint hold? `undefined` when nobody can evaluate it. */
export function holds(
  constraint: ElementDefinitionConstraint,
  base: string,
  value: unknown,
  scope: InvariantScope,
): boolean | undefined {
  const { key = '', expression } = constraint;
  if (!expression || NOT_EVALUATED.has(key)) return true;
  const direct = Object.hasOwn(DIRECT_RULES, key) ? DIRECT_RULES[key] : undefined;
  if (direct && isObject(value)) return direct(value, scope);
  try {
    return byFhirPath({ base, expression }, value, scope);
  } catch {
    return undefined;
  }
}
