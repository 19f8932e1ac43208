import { checkBinding } from './binding-check.ts';
import { checkConstraints } from './constraint-check.ts';
import type { Structure } from './definitions.ts';
import { contentOf, type ElementRule } from './element-rules.ts';
import { itemsOf } from './items.ts';
import { isObject, isSame, type JsonObject, matchesPattern } from './json-object.ts';
import { checkTarget } from './reference-check.ts';
import { type Applied, checkSlices } from './slice-check.ts';
import type { Item, Scope, Walk } from './walk.ts';

/** Is a choice made of a type that R4 has there and the profile does not? */
function hasOtherType(object: JsonObject, rule: ElementRule, base: ElementRule | undefined): boolean {
  const original = base?.children.find(({ name, isChoice }) => isChoice && name === rule.name);
  return original?.keys.some((key) => object[key] !== undefined && !rule.keys.includes(key)) === true;
}

function checkChild(applied: Applied, parent: Item, child: ElementRule, base: ElementRule | undefined): void {
  const { walk, url } = applied;
  const object = parent.value as JsonObject;
  const at = `${parent.at}.${child.name}`;
  const items = itemsOf(object, child, parent.at);
  if (items.length < child.min)
    walk.report(at, 'required', `The profile ${url} requires at least ${child.min}`);
  if (items.length > child.max)
    walk.report(at, 'structure', `The profile ${url} allows at most ${child.max}`);
  if (child.isChoice && hasOtherType(object, child, base)) {
    walk.report(at, 'value', `The profile ${url} allows other types here`);
  }
  for (const item of items) checkConstrained(applied, child, item, baseOf(applied, base, child, item));
  if (child.slices.length > 0)
    checkSlices(applied, child, items, { at, check: (rule, item) => checkConstrained(applied, rule, item) });
}

/** R4's own rule for the children of an item, where the profile says less than all. */
function baseOf(
  { walk }: Applied,
  parent: ElementRule | undefined,
  child: ElementRule,
  item: Item,
): ElementRule | undefined {
  const own = parent?.members.get(child.keys[0] ?? '')?.rule;
  const content = own && contentOf(own);
  return content && content.members.size > 0 ? content : walk.definitions.type(item.type.code)?.root;
}

/** One value by the rule that a profile has for it. */
export function checkConstrained(applied: Applied, rule: ElementRule, item: Item, base?: ElementRule): void {
  const { walk, scope, url } = applied;
  const { value, at, type } = item;
  if (value === undefined || value === null) return;
  if (rule.fixed !== undefined && !isSame(value, rule.fixed)) {
    walk.report(at, 'value', `The profile ${url} fixes another value`);
  }
  if (rule.pattern !== undefined && !matchesPattern(value, rule.pattern)) {
    walk.report(at, 'value', `The profile ${url} asks for another pattern`);
  }
  if (rule.maxLength !== undefined && typeof value === 'string' && value.length > rule.maxLength) {
    walk.report(at, 'too-long', `The profile ${url} allows at most ${rule.maxLength} characters`);
  }
  checkBinding(walk, rule.binding, { type: type.code, value, at });
  const isRoot = !rule.path.includes('.');
  checkConstraints(walk, rule, isRoot || rule.isChoice ? type.code : contentOf(rule).path, value, at, scope);
  if (!isObject(value)) return;
  if (type.code === 'Reference') checkTarget(walk, value, type.targets, at, scope);
  if (type.code !== 'Extension' && !isRoot) checkTypeProfiles(applied, item);
  for (const child of contentOf(rule).children) checkChild(applied, item, child, base);
}

function checkTypeProfiles({ walk, scope }: Applied, item: Item): void {
  for (const canonical of item.type.profiles) {
    const profile = walk.definitions.structure(canonical);
    if (profile) checkProfile(walk, profile, item, scope);
  }
}

/** A resource, extension or value by a profile: only what the profile adds is new, R4's own rules are checked before. */
export function checkProfile(walk: Walk, profile: Structure, item: Item, scope: Scope): void {
  const { definition, root } = profile;
  if (definition.type !== item.type.code) {
    walk.report(item.at, 'structure', `The profile ${definition.url} is one of ${definition.type}`);
    return;
  }
  const applied = { walk, scope, url: definition.url };
  checkConstrained(applied, root, item, walk.definitions.type(definition.type)?.root);
}
