import {
  evalFhirPathTyped,
  type FhirPathAtom,
  type InternalTypeSchema,
  parseFhirPath,
  toTypedValue,
  tryGetDataType,
} from '@medplum/core';
import type { Resource } from '@medplum/fhirtypes';

/** A value with the FHIR type of its element. */
export interface TypedElement {
  readonly type: string;
  readonly value: unknown;
}

/**
 * Steps of the expressions in which R4 writes its search parameters. `resolve() is X` needs no resolving: a reference
 * says the type that it points to.
 */
type Step =
  | { readonly kind: 'element'; readonly name: string }
  | { readonly kind: 'of-type'; readonly type: string }
  | { readonly kind: 'refers-to'; readonly type: string }
  | { readonly kind: 'where'; readonly name: string; readonly value: string }
  | { readonly kind: 'at'; readonly index: number };

/** One branch of an expression (`a | b`). */
export interface ElementPath {
  /** Where it begins: a resource type, or the element of a composite. */
  readonly root: string;
  readonly steps: readonly Step[];
}

/** An expression that is no path: evaluated by the general evaluator. */
export interface GeneralExpression {
  readonly general: string;
}

const STEP =
  /^\.?(?:ofType\((\w+)\)|as\((\w+)\)|where\(resolve\(\) is (\w+)\)|where\((\w+)\s*=\s*'([^']*)'\)|(\w+)(?:\[(\d+)\])?)/;

function stepOf(match: RegExpExecArray): readonly Step[] {
  const [, ofType, as, refersTo, name, value, element, index] = match;
  const type = ofType ?? as;
  if (type !== undefined) return [{ kind: 'of-type', type }];
  if (refersTo !== undefined) return [{ kind: 'refers-to', type: refersTo }];
  if (name !== undefined) return [{ kind: 'where', name, value: value ?? '' }];
  const step: Step = { kind: 'element', name: element ?? '' };
  return index === undefined ? [step] : [step, { kind: 'at', index: Number(index) }];
}

/** Reads `Patient.telecom.where(system='phone')`; undefined for what is no such path. */
export function parseElementPath(text: string): ElementPath | undefined {
  let rest = text.replace(/^\((.*?)\)$/, '$1').replace(/^\(([^()]*\([^()]*\))\)/, '$1');
  const steps: Step[] = [];
  const root = /^%?\w+/.exec(rest)?.[0];
  if (root === undefined) return undefined;
  rest = rest.slice(root.length);
  while (rest !== '') {
    const match = rest.startsWith('.') || rest.startsWith('[') ? STEP.exec(rest) : null;
    if (!match) return undefined;
    steps.push(...stepOf(match));
    rest = rest.slice(match[0].length);
  }
  return { root, steps };
}

/** The branches of an expression that begin at this root. */
export function branchesOf(expression: string, root: string): readonly (ElementPath | GeneralExpression)[] {
  return expression.split(' | ').flatMap((branch): (ElementPath | GeneralExpression)[] => {
    const text = branch.trim();
    const path = parseElementPath(text);
    if (path) return [root, 'Resource', 'DomainResource'].includes(path.root) ? [path] : [];
    return text.includes(`${root}.`) ? [{ general: text }] : [];
  });
}

interface Choice {
  readonly property: string;
  readonly type: string;
}

const choicesByType = new Map<string, Map<string, readonly Choice[]>>();

function choicesIn(schema: InternalTypeSchema | undefined, name: string): readonly Choice[] {
  const element = schema?.elements[name];
  if (element) return [{ property: name, type: element.type[0]?.code ?? '' }];
  return (schema?.elements[`${name}[x]`]?.type ?? []).map(({ code }) => ({
    property: `${name}${code.charAt(0).toUpperCase()}${code.slice(1)}`,
    type: code,
  }));
}

/** The JSON properties in which an element of a type may stand: several for a choice. */
function choicesOf(type: string, name: string): readonly Choice[] {
  let choices = choicesByType.get(type);
  if (!choices) {
    choices = new Map();
    choicesByType.set(type, choices);
  }
  let found = choices.get(name);
  if (!found) {
    found = choicesIn(tryGetDataType(type), name);
    choices.set(name, found);
  }
  return found;
}

function childrenOf(parents: readonly TypedElement[], name: string): readonly TypedElement[] {
  const children: TypedElement[] = [];
  for (const { type, value } of parents) {
    if (typeof value !== 'object' || value === null) continue;
    const own = type === 'Resource' ? (value as Resource).resourceType : type;
    for (const choice of choicesOf(own, name)) {
      const child = (value as Record<string, unknown>)[choice.property];
      if (child === undefined || child === null) continue;
      if (!Array.isArray(child)) children.push({ type: choice.type, value: child });
      else for (const one of child) if (one !== null) children.push({ type: choice.type, value: one });
    }
  }
  return children;
}

function refersTo(value: unknown, type: string): boolean {
  const { reference, type: stated } = value as { readonly reference?: unknown; readonly type?: unknown };
  if (stated === type) return true;
  return (
    typeof reference === 'string' && new RegExp(`(?:^|/)${type}/[^/]+(?:/_history/[^/]+)?$`).test(reference)
  );
}

function isKept(step: Exclude<Step, { kind: 'element' | 'at' }>, { type, value }: TypedElement): boolean {
  if (step.kind === 'of-type') return type.toLowerCase() === step.type.toLowerCase();
  if (typeof value !== 'object' || value === null) return false;
  if (step.kind === 'refers-to') return refersTo(value, step.type);
  return (value as Record<string, unknown>)[step.name] === step.value;
}

/** What a path leads to from here. */
export function follow(path: ElementPath, from: TypedElement): readonly TypedElement[] {
  let found: readonly TypedElement[] = [from];
  for (const step of path.steps) {
    if (step.kind === 'element') found = childrenOf(found, step.name);
    else if (step.kind === 'at') found = found.slice(step.index, step.index + 1);
    else found = found.filter((one) => isKept(step, one));
    if (found.length === 0) return found;
  }
  return found;
}

const parsedExpressions = new Map<string, FhirPathAtom>();

function parsed(expression: string): FhirPathAtom {
  const known = parsedExpressions.get(expression) ?? parseFhirPath(expression);
  parsedExpressions.set(expression, known);
  return known;
}

/** What an expression that is no path says of a resource. */
export function evaluateGeneral({ general }: GeneralExpression, resource: Resource): readonly TypedElement[] {
  try {
    return evalFhirPathTyped(parsed(general), [toTypedValue(resource)]);
  } catch {
    // Imported data may be invalid; what cannot be evaluated cannot be found by it, but is not lost.
    return [];
  }
}

/** The value set of the codes at a path, where they are of type `code` and so do not say their system. */
export function boundValueSet(path: ElementPath): string | undefined {
  let type = path.root;
  let valueSet: string | undefined;
  for (const step of path.steps) {
    if (step.kind !== 'element') continue;
    const element = tryGetDataType(type)?.elements[step.name];
    type = element?.type[0]?.code ?? '';
    valueSet = element?.binding?.valueSet;
  }
  return type === 'code' ? valueSet : undefined;
}
