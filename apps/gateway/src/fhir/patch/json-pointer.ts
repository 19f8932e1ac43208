import {
  isLosslessArray,
  isLosslessObject,
  type LosslessValue,
  withField,
  withoutField,
} from '@careledger/fhir';
import { malformedPatch, PATCH_PATH_CHARACTERS_MAX, patchDoesNotFit } from './patch-error.ts';

/** Unescaped steps of a JSON Pointer (RFC 6901). */
export type Pointer = readonly string[];

/** Names that mean something to JavaScript objects and nothing to FHIR. */
const FORBIDDEN: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);
const INDEX = /^(?:0|[1-9]\d{0,8})$/;

/** @throws {@link FhirError} 400 for what is no pointer, or names a member that no resource has. */
export function parsePointer(text: string, expression: string): Pointer {
  if (text === '') return [];
  if (!text.startsWith('/') || text.length > PATCH_PATH_CHARACTERS_MAX || /~(?![01])/.test(text)) {
    throw malformedPatch(expression, 'A path is not a JSON Pointer.');
  }
  const steps = text
    .slice(1)
    .split('/')
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  if (steps.some((step) => FORBIDDEN.has(step))) {
    throw malformedPatch(expression, 'A path names a member that no resource has.');
  }
  return steps;
}

function nowhere(expression: string): never {
  throw patchDoesNotFit(expression, 'A path leads nowhere in the stored resource.');
}

function indexOf(step: string, lengthMax: number, expression: string): number {
  const index = INDEX.test(step) ? Number(step) : Number.NaN;
  return index <= lengthMax ? index : nowhere(expression);
}

/** The value that a pointer leads to. @throws {@link FhirError} 422 where it leads nowhere. */
export function valueAtPointer(root: LosslessValue, pointer: Pointer, expression: string): LosslessValue {
  let value = root;
  for (const step of pointer) {
    if (isLosslessArray(value)) {
      value = value[indexOf(step, value.length - 1, expression)] ?? nowhereNull(value, step);
    } else if (isLosslessObject(value) && Object.hasOwn(value, step)) {
      value = value[step] as LosslessValue;
    } else nowhere(expression);
  }
  return value;
}

/** An array may hold null (FHIR pads arrays of primitives with it): that is a value. */
function nowhereNull(array: readonly LosslessValue[], step: string): LosslessValue {
  return array[Number(step)] ?? null;
}

/** What happens at the end of a pointer: to a member of an object, or to an item of an array. */
export interface Edit {
  readonly kind: 'add' | 'remove' | 'replace';
  readonly value?: LosslessValue;
}

function editArray(
  array: readonly LosslessValue[],
  step: string,
  edit: Edit,
  expression: string,
): LosslessValue {
  const { kind, value = null } = edit;
  if (kind === 'add') {
    const index = step === '-' ? array.length : indexOf(step, array.length, expression);
    return [...array.slice(0, index), value, ...array.slice(index)];
  }
  const index = indexOf(step, array.length - 1, expression);
  return [...array.slice(0, index), ...(kind === 'replace' ? [value] : []), ...array.slice(index + 1)];
}

/**
 * The root with one edit at a pointer; everything else is shared with the original, texts of numbers included.
 *
 * @throws {@link FhirError} 422 where the pointer leads nowhere.
 */
export function withEdit(
  root: LosslessValue,
  pointer: Pointer,
  edit: Edit,
  expression: string,
): LosslessValue {
  const [step, ...rest] = pointer;
  if (step === undefined) return edit.kind === 'remove' ? nowhere(expression) : (edit.value ?? null);
  if (rest.length > 0) {
    const child = valueAtPointer(root, [step], expression);
    const edited = withEdit(child, rest, edit, expression);
    if (isLosslessArray(root)) return root.map((item, index) => (index === Number(step) ? edited : item));
    return isLosslessObject(root) ? withField(root, step, edited) : nowhere(expression);
  }
  if (isLosslessArray(root)) return editArray(root, step, edit, expression);
  if (!isLosslessObject(root)) return nowhere(expression);
  if (edit.kind === 'add') return withField(root, step, edit.value ?? null);
  if (!Object.hasOwn(root, step)) return nowhere(expression);
  return edit.kind === 'remove' ? withoutField(root, step) : withField(root, step, edit.value ?? null);
}
