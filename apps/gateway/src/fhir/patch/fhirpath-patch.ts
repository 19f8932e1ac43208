import {
  isLosslessArray,
  isLosslessObject,
  isResource,
  LosslessNumber,
  type LosslessObject,
  type LosslessPath,
  type LosslessResource,
  type LosslessValue,
  valueAt,
  withField,
  withoutField,
  withValueAt,
} from '@careledger/fhir';
import r4 from 'fhirpath/fhir-context/r4';
import { type Location, locate } from './fhirpath-location.ts';
import { malformedPatch, patchDoesNotFit, requireOperationCount } from './patch-error.ts';

/** One operation of a FHIRPath Patch. */
interface Operation {
  /** `Parameters.parameter[2]`. */
  readonly at: string;
  readonly type: string;
  readonly path: string;
  readonly name: string | undefined;
  /** The parameter part that holds the value. */
  readonly value: LosslessObject | undefined;
  readonly index: number | undefined;
  readonly source: number | undefined;
  readonly destination: number | undefined;
}

/** A value of a patch, and the type suffix that it takes in a choice: `Quantity`. */
interface PatchValue {
  readonly value: LosslessValue;
  readonly suffix: string;
}

const NAME = /^[a-z][A-Za-z0-9]{0,63}$/;
const TYPES: ReadonlySet<string> = new Set(['add', 'insert', 'delete', 'replace', 'move']);

function partsOf(parameter: LosslessObject): readonly LosslessObject[] {
  return isLosslessArray(parameter.part) ? parameter.part.filter(isLosslessObject) : [];
}

function valueKey(part: LosslessObject): string | undefined {
  return Object.keys(part).find((key) => /^value[A-Z]/.test(key));
}

function operationOf(parameter: LosslessValue, at: string): Operation {
  if (!isLosslessObject(parameter) || parameter.name !== 'operation') {
    throw malformedPatch(at, 'A parameter is not an operation.');
  }
  const parts = partsOf(parameter);
  const part = (name: string) => parts.find((one) => one.name === name);
  const text = (name: string): string | undefined => {
    const found = part(name);
    const value = found?.[valueKey(found) ?? ''];
    return typeof value === 'string' ? value : undefined;
  };
  const integer = (name: string): number | undefined => {
    const value = part(name)?.valueInteger;
    return value instanceof LosslessNumber && /^\d{1,9}$/.test(value.text) ? value.toNumber() : undefined;
  };
  const type = text('type') ?? '';
  const path = text('path');
  if (!TYPES.has(type))
    throw malformedPatch(at, 'An operation is none of add, insert, delete, replace and move.');
  if (path === undefined) throw malformedPatch(at, 'An operation has no path.');
  const name = text('name');
  if (name !== undefined && !NAME.test(name)) throw malformedPatch(at, 'A name is not that of an element.');
  const value = part('value');
  return {
    ...{ at, type, path, name, value },
    ...{ index: integer('index'), source: integer('source'), destination: integer('destination') },
  };
}

function isRepeating(definedAt: string, name: string): boolean {
  return r4.path2Repeating[`${definedAt}.${name}`] === true;
}

/** Where the elements of an element are defined: those of a backbone element at its own path. */
function elementsAt(definedAt: string, name: string): string {
  const path = `${definedAt}.${name}`;
  const elsewhere = r4.pathsDefinedElsewhere[path];
  if (elsewhere !== undefined) return elsewhere;
  const type = r4.path2Type[path];
  return typeof type !== 'string' || type === 'BackboneElement' || type === 'Element' ? path : type;
}

/** A value from `value[x]`, or an element without a type of its own from the parts that stand for its elements. */
function patchValue(part: LosslessObject | undefined, definedAt: string, at: string): PatchValue {
  const key = part && valueKey(part);
  if (part && key !== undefined)
    return { value: part[key] as LosslessValue, suffix: key.slice('value'.length) };
  const parts = part ? partsOf(part) : [];
  if (parts.length === 0) throw malformedPatch(at, 'An operation has no value.');
  let built: LosslessObject = {};
  for (const one of parts) {
    const { name } = one;
    if (typeof name !== 'string' || !NAME.test(name))
      throw malformedPatch(at, 'A name is not that of an element.');
    built = withAdded(built, { definedAt, name, at }, patchValue(one, elementsAt(definedAt, name), at));
  }
  return { value: built, suffix: '' };
}

/** The object with a value under a name: appended where the element repeats, else only where there is none yet. */
function withAdded(
  object: LosslessObject,
  { definedAt, name, at }: { readonly definedAt: string; readonly name: string; readonly at: string },
  { value, suffix }: PatchValue,
): LosslessObject {
  const choices = r4.choiceTypePaths[`${definedAt}.${name}`];
  const key = choices ? `${name}${suffix}` : name;
  const taken = Object.keys(object).some((one) =>
    choices ? choices.some((choice) => one === `${name}${choice}`) : one === key,
  );
  if (isRepeating(definedAt, name)) {
    const before = object[key];
    return withField(object, key, [...(isLosslessArray(before) ? before : []), value]);
  }
  if (taken) throw patchDoesNotFit(at, 'An operation adds an element that is there already.');
  return withField(object, key, value);
}

function single(found: readonly Location[], at: string): Location {
  const [location] = found;
  if (location && found.length === 1) return location;
  throw patchDoesNotFit(at, 'A path does not lead to exactly one element.');
}

/** The primitive's own id and extensions beside it, where there are any. */
function hasShadow(root: LosslessResource, path: LosslessPath): boolean {
  const list = path.slice(0, -1);
  const name = list.at(-1);
  return typeof name === 'string' && valueAt(root, [...list.slice(0, -1), `_${name}`]) !== undefined;
}

/** The array that elements stand in. @throws {@link FhirError} 422 where they are none of one array. */
function arrayOf(root: LosslessResource, found: readonly Location[], at: string) {
  const [first] = found;
  const path = first?.path.slice(0, -1) ?? [];
  const items = valueAt(root, path);
  const isOneArray = found.every((one) => one.path.slice(0, -1).join('/') === path.join('/'));
  if (!first || typeof first.path.at(-1) !== 'number' || !isLosslessArray(items) || !isOneArray) {
    throw patchDoesNotFit(at, 'A path does not lead to the elements of one list.');
  }
  if (hasShadow(root, first.path)) {
    throw patchDoesNotFit(at, 'A list of primitives with extensions is changed by JSON Patch or PUT only.');
  }
  return { path, items, definedAt: first.definedAt };
}

function withoutElement(root: LosslessResource, { path }: Location, at: string): LosslessValue {
  const last = path.at(-1);
  if (last === undefined) throw patchDoesNotFit(at, 'A patch cannot delete the resource.');
  if (typeof last === 'number') {
    const list = arrayOf(root, [{ path, definedAt: '' }], at);
    const rest = list.items.filter((_item, index) => index !== last);
    return rest.length > 0
      ? withValueAt(root, list.path, rest)
      : withoutElement(root, { path: list.path, definedAt: '' }, at);
  }
  const parentPath = path.slice(0, -1);
  const parent = valueAt(root, parentPath) as LosslessObject;
  return withValueAt(root, parentPath, withoutField(withoutField(parent, last), `_${last}`));
}

function withReplaced(root: LosslessResource, location: Location, operation: Operation): LosslessValue {
  const { path, definedAt } = location;
  const { value, suffix } = patchValue(operation.value, definedAt, operation.at);
  const last = path.at(-1);
  if (typeof last === 'number') return withValueAt(root, path, value);
  if (last === undefined) throw patchDoesNotFit(operation.at, 'A patch cannot replace the resource.');
  const parentPath = path.slice(0, -1);
  const parent = valueAt(root, parentPath) as LosslessObject;
  // A choice changes its name with its type: valueQuantity becomes valueString.
  const base = Object.entries(r4.choiceTypePaths).find(([choice, types]) => {
    const name = choice.slice(choice.lastIndexOf('.') + 1);
    return types.some((type) => last === `${name}${type}`) && types.includes(suffix);
  })?.[0];
  const key = base === undefined ? last : `${base.slice(base.lastIndexOf('.') + 1)}${suffix}`;
  return withValueAt(root, parentPath, withField(withoutField(parent, last), key, value));
}

function withInserted(root: LosslessResource, operation: Operation): LosslessValue {
  const { at, index } = operation;
  const list = arrayOf(root, locate(root, operation.path, at), at);
  if (index === undefined) throw malformedPatch(at, 'An insert has no index.');
  if (index > list.items.length) throw patchDoesNotFit(at, 'An index lies outside its list.');
  const { value } = patchValue(operation.value, list.definedAt, at);
  return withValueAt(root, list.path, [...list.items.slice(0, index), value, ...list.items.slice(index)]);
}

function withMoved(root: LosslessResource, operation: Operation): LosslessValue {
  const { at, source, destination } = operation;
  const list = arrayOf(root, locate(root, operation.path, at), at);
  if (source === undefined || destination === undefined) {
    throw malformedPatch(at, 'A move has no source or no destination.');
  }
  if (source >= list.items.length || destination >= list.items.length) {
    throw patchDoesNotFit(at, 'An index lies outside its list.');
  }
  const rest = list.items.filter((_item, index) => index !== source);
  rest.splice(destination, 0, list.items[source] as LosslessValue);
  return withValueAt(root, list.path, rest);
}

function withOneAdded(root: LosslessResource, operation: Operation): LosslessValue {
  const { at, name } = operation;
  if (name === undefined) throw malformedPatch(at, 'An add has no name.');
  const { path, definedAt } = single(locate(root, operation.path, at), at);
  const parent = valueAt(root, path);
  if (!isLosslessObject(parent))
    throw patchDoesNotFit(at, 'A path leads to a primitive, which has no elements.');
  const value = patchValue(operation.value, elementsAt(definedAt, name), at);
  return withValueAt(root, path, withAdded(parent, { definedAt, name, at }, value));
}

function applied(root: LosslessResource, operation: Operation): LosslessValue {
  const { at, type, path } = operation;
  switch (type) {
    case 'add':
      return withOneAdded(root, operation);
    case 'insert':
      return withInserted(root, operation);
    case 'move':
      return withMoved(root, operation);
    case 'replace':
      return withReplaced(root, single(locate(root, path, at), at), operation);
    default: {
      const found = locate(root, path, at);
      // R4: what is to be deleted may be gone already.
      return found.length === 0 ? root : withoutElement(root, single(found, at), at);
    }
  }
}

/**
 * Applies a FHIRPath Patch (FHIR R4, fhirpatch) to a lossless resource: all of its operations, or none. What it does not
 * touch keeps its text.
 *
 * @throws {@link FhirError} 400 for a malformed patch, 413 for too many operations, 422 for one that does not fit.
 */
export function applyFhirPathPatch(root: LosslessResource, patch: LosslessObject): LosslessResource {
  const parameters = isLosslessArray(patch.parameter) ? patch.parameter : [];
  requireOperationCount('Parameters.parameter', parameters.length);
  const operations = parameters.map((one, index) => operationOf(one, `Parameters.parameter[${index}]`));
  return operations.reduce((tree, operation) => {
    const next = applied(tree, operation);
    if (isResource(next)) return next;
    throw patchDoesNotFit(operation.at, 'The patch leaves no resource.');
  }, root);
}
