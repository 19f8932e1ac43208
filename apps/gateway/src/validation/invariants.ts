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

/** What is asked of a container once for everything that it contains: looked up, so that many take no longer than few. */
interface Fragments {
  /** Ids of what it contains. */
  readonly ids: ReadonlySet<unknown>;
  /** Texts in it that may be references to them: `#p1`. */
  readonly texts: ReadonlySet<string>;
}
const fragmentsOf = new WeakMap<JsonObject, Fragments>();

function fragmentsIn(root: JsonObject): Fragments {
  const known = fragmentsOf.get(root);
  if (known) return known;
  const texts = new Set<string>();
  const collect = (value: unknown): void => {
    if (typeof value === 'string' && value.startsWith('#')) texts.add(value);
    else if (typeof value === 'object' && value !== null)
      for (const one of Object.values(value)) collect(one);
  };
  collect(root);
  const found = { ids: new Set(containedIn(root).map(({ id }) => id)), texts };
  fragmentsOf.set(root, found);
  return found;
}

/** dom-3: a contained resource is referred to, or refers to its container. Canonical URLs count, so any text does. */
function isReferredTo(contained: JsonObject, root: JsonObject): boolean {
  return hasTextAnywhere(contained, '#') || fragmentsIn(root).texts.has(`#${contained.id}`);
}

function isKnownFragment(reference: unknown, root: JsonObject): boolean {
  if (typeof reference !== 'string' || !reference.startsWith('#') || reference === '#') return true;
  return fragmentsIn(root).ids.has(reference.slice(1));
}

/** One text for all values that FHIRPath takes for equal: the order of members does not count. */
function equalText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(equalText).join(',')}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const names = Object.keys(value).sort();
  return `{${names.map((name) => `${JSON.stringify(name)}:${equalText(value[name])}`).join(',')}}`;
}

function codingsOf(owner: unknown): readonly string[] {
  const code = isObject(owner) ? owner.code : undefined;
  return isObject(code) ? listOf(code.coding).map(equalText) : [];
}

/** obs-7: a component that has the code of the whole would be its value, which stands there already. */
function hasValueTwice({ component }: JsonObject, resource: JsonObject): boolean {
  const whole = new Set(codingsOf(resource));
  return listOf(component).some((one) => codingsOf(one).some((coding) => whole.has(coding)));
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
  // FHIRPath compares every coding with every other one: minutes for a few thousand.
  'obs-7': (value, { resource }) =>
    !hasChoice(value, 'value') || !has(value, 'component') || !hasValueTwice(value, resource),
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
