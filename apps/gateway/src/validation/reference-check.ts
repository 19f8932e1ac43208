import { parseReference } from '@careledger/fhir';
import type { Definitions } from './definitions.ts';
import { STRUCTURE_BASE } from './definitions.ts';
import { isObject, type JsonObject, listOf } from './json-object.ts';
import { withoutVersion } from './value-set-codes.ts';
import type { Scope, Walk } from './walk.ts';

function typeOf(resource: unknown): string | undefined {
  return isObject(resource) && typeof resource.resourceType === 'string' ? resource.resourceType : undefined;
}

/** The resource that a reference names, where it is in the same resource or Bundle. */
export function resolvedIn(reference: JsonObject, scope: Scope): JsonObject | undefined {
  const text = reference.reference;
  if (typeof text !== 'string') return undefined;
  if (text === '#') return scope.root;
  if (text.startsWith('#')) {
    return listOf(scope.root.contained)
      .filter(isObject)
      .find(({ id }) => id === text.slice(1));
  }
  return scope.entries.get(text);
}

/** The type of resource that a Reference names, as far as it or its surroundings say. */
export function targetType(
  reference: JsonObject,
  scope: Scope,
  definitions: Definitions,
): string | undefined {
  const resolved = typeOf(resolvedIn(reference, scope));
  if (resolved) return resolved;
  const text = reference.reference;
  const said = typeof reference.type === 'string' ? reference.type : undefined;
  if (typeof text !== 'string') return said;
  const { kind, type } = parseReference(text);
  if (kind === 'relative' || kind === 'conditional') return type;
  // Another server's address may end like a reference and be none of R4's: then only what it says of itself counts.
  return type !== undefined && definitions.resourceTypes.has(type) ? type : said;
}

/** The resource types that canonical URLs of StructureDefinitions stand for; `undefined` when any is allowed. */
export function allowedTypes(
  targets: readonly string[],
  definitions: Definitions,
): ReadonlySet<string> | undefined {
  const types = new Set<string>();
  for (const target of targets) {
    const url = withoutVersion(target);
    const type = definitions.structure(url)?.definition.type;
    if (type === 'Resource' || (type === undefined && !url.startsWith(STRUCTURE_BASE))) return undefined;
    types.add(type ?? url.slice(STRUCTURE_BASE.length));
  }
  return types.size === 0 ? undefined : types;
}

/** A Reference must name a resource of a type that its element allows. */
export function checkTarget(
  walk: Walk,
  reference: JsonObject,
  targets: readonly string[],
  at: string,
  scope: Scope,
): void {
  const type = targetType(reference, scope, walk.definitions);
  if (type === undefined) return;
  const allowed = allowedTypes(targets, walk.definitions);
  if (allowed && !allowed.has(type)) {
    walk.report(at, 'value', 'A reference to a resource type that is not allowed here');
  }
}
