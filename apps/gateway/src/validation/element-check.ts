import { checkBinding, flagCode } from './binding-check.ts';
import { checkConstraints } from './constraint-check.ts';
import { contentOf, type ElementRule, type Member } from './element-rules.ts';
import { isObject, type JsonObject, listOf } from './json-object.ts';
import { isPrimitiveType, primitiveProblem } from './primitive-formats.ts';
import { checkProfile } from './profile-check.ts';
import { checkTarget } from './reference-check.ts';
import type { Item, Scope, Walk } from './walk.ts';

const NO_ENTRIES: ReadonlyMap<string, JsonObject> = new Map();
const QUANTITIES: ReadonlySet<string> = new Set([
  'Quantity',
  'Age',
  'Distance',
  'Duration',
  'Count',
  'Money',
]);

function checkPrimitive(walk: Walk, item: Item, scope: Scope): void {
  const { value, shadow, at } = item;
  if (value === undefined || value === null) {
    if (shadow === undefined || shadow === null) walk.report(at, 'structure', 'Invalid null value');
  } else {
    const problem = primitiveProblem(item.type.code, value, walk.limits.attachmentBytesMax);
    if (problem) walk.report(at, 'structure', problem);
  }
  if (shadow === undefined || shadow === null) return;
  const element = walk.definitions.type('Element');
  if (!isObject(shadow)) walk.report(at, 'structure', 'Invalid JSON type: expected object');
  else if (element) checkMembers(walk, shadow, element.root, at, scope);
}

/** What a value's type asks for beyond its members. */
function checkType(walk: Walk, code: string, value: JsonObject, item: Item, scope: Scope): void {
  const { at, type } = item;
  if (code === 'Reference') checkTarget(walk, value, type.targets, at, scope);
  else if (code === 'Coding' || QUANTITIES.has(code)) flagCode(walk, value, at);
  else if (code === 'Extension' && typeof value.url === 'string' && value.url.includes(':')) {
    const extension = walk.definitions.structure(value.url);
    if (extension?.definition.type === 'Extension') checkProfile(walk, extension, item, scope);
  }
  for (const url of type.profiles) {
    const profile = walk.definitions.structure(url);
    if (profile && code !== 'Extension') checkProfile(walk, profile, item, scope);
  }
}

function checkComplex(walk: Walk, rule: ElementRule, item: Item, scope: Scope): void {
  const { value, at, type } = item;
  if (!isObject(value)) {
    walk.report(at, 'structure', 'Invalid JSON type: expected object');
    return;
  }
  if (type.code === 'Resource') {
    checkInnerResource(walk, value, rule, at, scope);
    return;
  }
  const content = contentOf(rule);
  const own = content.members.size > 0 ? content : walk.definitions.type(type.code)?.root;
  if (!own) return;
  checkMembers(walk, value, own, at, scope);
  if (own !== content) checkConstraints(walk, own, type.code, value, at, scope);
  checkType(walk, type.code, value, item, scope);
}

function checkInnerResource(
  walk: Walk,
  value: JsonObject,
  rule: ElementRule,
  at: string,
  scope: Scope,
): void {
  const root = rule.name === 'contained' ? scope.root : value;
  checkResource(walk, value, at, { resource: value, root, entries: scope.entries });
}

function checkItem(walk: Walk, rule: ElementRule, item: Item, scope: Scope): void {
  const isPrimitive = isPrimitiveType(item.type.code);
  if (isPrimitive) checkPrimitive(walk, item, scope);
  else checkComplex(walk, rule, item, scope);
  if (item.value === undefined || item.value === null) return;
  if (rule.constraints.length > 0) {
    const path = contentOf(rule).path;
    checkConstraints(walk, rule, rule.isChoice ? item.type.code : path, item.value, item.at, scope);
  }
  checkBinding(walk, rule.binding, { type: item.type.code, value: item.value, at: item.at });
}

/** One JSON member (and its `_` twin) by the rule of its element. */
function checkElement(
  walk: Walk,
  member: Member,
  value: unknown,
  shadow: unknown,
  at: string,
  scope: Scope,
): void {
  const { rule, type } = member;
  const isList = Array.isArray(value ?? shadow);
  if (isList !== rule.isList) {
    walk.report(
      at,
      'structure',
      rule.isList ? 'Expected array of values for property' : 'Expected single value for property',
    );
    return;
  }
  if (!isList) {
    checkItem(walk, rule, { value, shadow, type, at }, scope);
    return;
  }
  const values = Array.isArray(value) ? value : [];
  const shadows = Array.isArray(shadow) ? shadow : [];
  const count = Math.max(values.length, shadows.length);
  if (count < rule.min || count > rule.max) {
    const most = Number.isFinite(rule.max) ? rule.max : '*';
    walk.report(
      at,
      'structure',
      `Invalid number of values: expected ${rule.min}..${most}, but found ${count}`,
    );
  }
  for (let index = 0; index < count; index += 1) {
    const item = { value: values[index], shadow: shadows[index], type, at: `${at}[${index}]` };
    checkItem(walk, rule, item, scope);
  }
}

function checkPresence(walk: Walk, object: JsonObject, parent: ElementRule, at: string): void {
  for (const rule of parent.children) {
    if (rule.min === 0 && !rule.isChoice) continue;
    let present = 0;
    for (const key of rule.keys)
      if (object[key] !== undefined || object[`_${key}`] !== undefined) present += 1;
    if (present === 0 && rule.min > 0)
      walk.report(`${at}.${rule.name}`, 'required', 'Missing required property');
    if (present > 1)
      walk.report(`${at}.${rule.name}`, 'structure', 'A choice of types is made more than once');
  }
}

/** The members of an object by the rules of its children, R4's own: none that R4 does not define. */
export function checkMembers(
  walk: Walk,
  object: JsonObject,
  parent: ElementRule,
  at: string,
  scope: Scope,
): void {
  for (const key of Object.keys(object)) {
    if (object[key] === undefined) continue;
    const isShadow = key.startsWith('_');
    const name = isShadow ? key.slice(1) : key;
    const member = parent.members.get(name);
    if (!member || (isShadow && !isPrimitiveType(member.type.code))) {
      const isType = key === 'resourceType' && walk.definitions.resourceTypes.has(parent.path);
      if (!isType) walk.report(`${at}.${walk.nameOf(key)}`, 'structure', 'R4 defines no such element here');
      continue;
    }
    if (isShadow && object[name] !== undefined) continue;
    const value = isShadow ? undefined : object[key];
    const shadow = isShadow ? object[key] : object[`_${name}`];
    checkElement(walk, member, value, shadow, `${at}.${member.rule.name}`, scope);
  }
  checkPresence(walk, object, parent, at);
}

function entriesOf(bundle: JsonObject): ReadonlyMap<string, JsonObject> {
  const entries = new Map<string, JsonObject>();
  for (const entry of listOf(bundle.entry)) {
    if (!isObject(entry) || !isObject(entry.resource)) continue;
    if (typeof entry.fullUrl === 'string') entries.set(entry.fullUrl, entry.resource);
  }
  return entries;
}

/** A resource by R4's definition of its type and by the profiles it declares. */
export function checkResource(walk: Walk, resource: JsonObject, at: string, outer?: Scope): void {
  const type = resource.resourceType;
  const structure =
    typeof type === 'string' && walk.definitions.resourceTypes.has(type)
      ? walk.definitions.type(type)
      : undefined;
  if (typeof type !== 'string' || !structure) {
    walk.report(`${at}.resourceType`, 'structure', 'R4 defines no such resource type');
    return;
  }
  const around = outer ?? { resource, root: resource, entries: NO_ENTRIES };
  const scope = type === 'Bundle' ? { ...around, entries: entriesOf(resource) } : around;
  checkMembers(walk, resource, structure.root, at, scope);
  checkConstraints(walk, structure.root, type, resource, at, scope);
  const declared = isObject(resource.meta) ? listOf(resource.meta.profile) : [];
  for (const [index, canonical] of declared.entries()) {
    if (typeof canonical !== 'string') continue;
    const profile = walk.definitions.profile(canonical);
    const item = { value: resource, shadow: undefined, type: { code: type, targets: [], profiles: [] }, at };
    if (profile) checkProfile(walk, profile, item, scope);
    else
      walk.report(
        `${at}.meta.profile[${index}]`,
        'not-supported',
        'A profile that is not known here',
        'warning',
      );
  }
}
