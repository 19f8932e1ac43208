import {
  isLosslessArray,
  isLosslessObject,
  type LosslessObject,
  type LosslessPath,
  type LosslessResource,
  toPlain,
  valueAt,
} from '@careledger/fhir';
import fhirpath from 'fhirpath';
import r4 from 'fhirpath/fhir-context/r4';
import { malformedPatch, PATCH_PATH_CHARACTERS_MAX, patchDoesNotFit } from './patch-error.ts';

/** An element that a path leads to. */
export interface Location {
  /** From the root of the resource to the element. */
  readonly path: LosslessPath;
  /** Where the element's own elements are defined: `Patient`, `HumanName`, `Patient.contact`. */
  readonly definedAt: string;
}

/** A node as `fhirpath` hands it out when asked not to resolve it. Its types do not name these fields. */
interface PathNode {
  readonly parentResNode: PathNode | null;
  readonly propName: string | null;
  readonly index: number | null;
  readonly path: string | null;
}

/** The functions of a patch's path (FHIR R4, fhirpatch): navigation alone, nothing that computes without bound. */
const FUNCTIONS: ReadonlySet<string> = new Set([
  ...['where', 'first', 'last', 'single', 'ofType', 'extension', 'exists', 'empty', 'not', 'as', 'is'],
]);

/** A node of a parsed expression. The library's types do not name these fields. */
interface SyntaxNode {
  readonly type: string;
  readonly text?: string;
  readonly children?: readonly SyntaxNode[];
}

function parsed(expression: string, at: string): SyntaxNode {
  try {
    return fhirpath.parse(expression) as unknown as SyntaxNode;
  } catch {
    throw malformedPatch(at, 'A path is not a FHIRPath expression that can be evaluated here.');
  }
}

/** Judged as it was parsed, not as it is written: comments and quoted names would hide a function from a pattern. */
function requireNavigation(expression: string, at: string): void {
  if (expression.length > PATCH_PATH_CHARACTERS_MAX) throw malformedPatch(at, 'A path is too long.');
  for (const nodes = [parsed(expression, at)]; nodes.length > 0; ) {
    const { type = '', text = '', children = [] } = nodes.pop() ?? {};
    if (type === 'FunctionInvocation' && !FUNCTIONS.has(text)) {
      throw malformedPatch(at, 'A path uses a function that a patch may not use.');
    }
    // `%resource` inside of `where` would look at everything once for each element, at every depth again.
    if (type === 'ExternalConstantTerm') throw malformedPatch(at, 'A path uses a variable.');
    nodes.push(...children);
  }
}

/** The member's name as it stands in JSON: `value` is `valueQuantity` there. */
function memberName(parent: LosslessObject, name: string): string | undefined {
  if (Object.hasOwn(parent, name)) return name;
  return Object.keys(parent).find(
    (key) => key.startsWith(name) && /^[A-Z]/.test(key.slice(name.length)) && Object.hasOwn(parent, key),
  );
}

function pathOf(root: LosslessResource, node: PathNode): LosslessPath | undefined {
  if (!node.parentResNode) return node.propName === null ? [] : undefined;
  const parentPath = pathOf(root, node.parentResNode);
  const parent = parentPath && valueAt(root, parentPath);
  if (!parentPath || !isLosslessObject(parent) || node.propName === null) return undefined;
  const name = memberName(parent, node.propName);
  if (name === undefined) return undefined;
  return isLosslessArray(parent[name]) ? [...parentPath, name, node.index ?? 0] : [...parentPath, name];
}

/**
 * The elements of a lossless resource that a FHIRPath expression leads to, in their order.
 *
 * @throws {@link FhirError} 400 for an expression that is none, or computes; 422 for one whose result is no element.
 */
export function locate(root: LosslessResource, expression: string, at: string): readonly Location[] {
  requireNavigation(expression, at);
  let nodes: readonly unknown[];
  try {
    nodes = fhirpath.evaluate(toPlain(root), expression, {}, r4, {
      ...{ async: false, resolveInternalTypes: false },
    }) as unknown[];
  } catch {
    // What the library says may quote the resource.
    throw malformedPatch(at, 'A path is not a FHIRPath expression that can be evaluated here.');
  }
  return nodes.map((node) => {
    const isNode = typeof node === 'object' && node !== null && 'parentResNode' in node;
    const path = isNode ? pathOf(root, node as PathNode) : undefined;
    if (!path) throw patchDoesNotFit(at, 'A path leads to a value that is no element of the resource.');
    return { path, definedAt: (node as PathNode).path ?? root.resourceType };
  });
}
