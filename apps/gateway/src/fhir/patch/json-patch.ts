import {
  canonicalText,
  isLosslessArray,
  isLosslessObject,
  JSON_LIMITS,
  LosslessNumber,
  type LosslessValue,
} from '@careledger/fhir';
import { FhirError } from '../fhir-error.ts';
import { type Edit, type Pointer, parsePointer, valueAtPointer, withEdit } from './json-pointer.ts';
import { malformedPatch, patchDoesNotFit, requireOperationCount } from './patch-error.ts';

/** One operation of RFC 6902, its pointers parsed. */
type Operation =
  | { readonly op: 'add' | 'replace' | 'test'; readonly path: Pointer; readonly value: LosslessValue }
  | { readonly op: 'remove'; readonly path: Pointer }
  | { readonly op: 'move' | 'copy'; readonly path: Pointer; readonly from: Pointer };

function operationOf(value: LosslessValue, at: string): Operation {
  if (!isLosslessObject(value)) throw malformedPatch(at, 'An operation is not an object.');
  const { op, path: pathText, from: fromText } = value;
  if (typeof pathText !== 'string') throw malformedPatch(at, 'An operation has no path.');
  const path = parsePointer(pathText, at);
  switch (op) {
    case 'add':
    case 'replace':
    case 'test':
      if (value.value === undefined) throw malformedPatch(at, 'An operation has no value.');
      return { op, path, value: value.value };
    case 'remove':
      return { op, path };
    case 'move':
    case 'copy':
      if (typeof fromText !== 'string') throw malformedPatch(at, 'An operation has no from.');
      return { op, path, from: parsePointer(fromText, at) };
    default:
      throw malformedPatch(at, 'An operation is none of add, remove, replace, move, copy and test.');
  }
}

/** Values in a patched resource: copies of copies double with every operation. */
const VALUES_MAX = 250_000;

function countValues(value: LosslessValue, from: number, depth: number): number {
  if (from > VALUES_MAX || depth > JSON_LIMITS.depthMax) return Number.POSITIVE_INFINITY;
  const children = isLosslessArray(value) ? value : isLosslessObject(value) ? Object.values(value) : [];
  let count = from + 1;
  for (const child of children) {
    count = countValues(child, count, depth + 1);
    if (count > VALUES_MAX) return count;
  }
  return count;
}

/** @throws {@link FhirError} 413 for a resource that a patch would blow up. */
function requireSize(value: LosslessValue, at: string): LosslessValue {
  if (countValues(value, 0, 0) <= VALUES_MAX) return value;
  throw new FhirError({
    status: 413,
    code: 'too-long',
    message: 'The patch makes the resource too large or too deep.',
    help: 'Send the whole resource by PUT.',
    expression: [at],
  });
}

/** Numbers are compared by their value (RFC 6902, section 4.6): `1.10` equals `1.1`. */
function comparable(value: LosslessValue): LosslessValue {
  if (value instanceof LosslessNumber) return new LosslessNumber(String(value.toNumber()));
  if (isLosslessArray(value)) return value.map(comparable);
  if (!isLosslessObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, comparable(member)]));
}

function isSame(left: LosslessValue, right: LosslessValue): boolean {
  return canonicalText(comparable(left)) === canonicalText(comparable(right));
}

function isInside(path: Pointer, from: Pointer): boolean {
  return path.length > from.length && from.every((step, index) => path[index] === step);
}

function applied(root: LosslessValue, operation: Operation, at: string): LosslessValue {
  const { path } = operation;
  const edited = (edit: Edit, on: LosslessValue = root) => withEdit(on, path, edit, at);
  switch (operation.op) {
    case 'add':
    case 'replace':
      return requireSize(edited({ kind: operation.op, value: operation.value }), at);
    case 'remove':
      return edited({ kind: 'remove' });
    case 'copy':
      return requireSize(edited({ kind: 'add', value: valueAtPointer(root, operation.from, at) }), at);
    case 'move': {
      if (isInside(path, operation.from)) throw malformedPatch(at, 'An operation moves a value into itself.');
      const value = valueAtPointer(root, operation.from, at);
      return edited({ kind: 'add', value }, withEdit(root, operation.from, { kind: 'remove' }, at));
    }
    case 'test':
      if (isSame(valueAtPointer(root, path, at), operation.value)) return root;
      throw patchDoesNotFit(at, 'A test of the patch does not hold.');
  }
}

/**
 * Applies a JSON Patch (RFC 6902) to a lossless tree: all of its operations, or none. What it does not touch keeps its
 * text: `1.10` stays `1.10`.
 *
 * @throws {@link FhirError} 400 for a malformed patch, 422 for one that does not fit; no value is quoted.
 */
export function applyJsonPatch(root: LosslessValue, patch: LosslessValue): LosslessValue {
  if (!isLosslessArray(patch)) throw malformedPatch('Patch', 'A JSON Patch is a list of operations.');
  requireOperationCount('Patch', patch.length);
  return patch
    .map((operation, index) => ({
      operation: operationOf(operation, `Patch[${index}]`),
      at: `Patch[${index}]`,
    }))
    .reduce((tree, { operation, at }) => applied(tree, operation, at), root);
}
