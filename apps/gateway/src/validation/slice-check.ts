import type { ElementDefinitionSlicingDiscriminator } from '@medplum/fhirtypes';
import { contentOf, type ElementRule, type SliceRule } from './element-rules.ts';
import { itemsOf } from './items.ts';
import { isObject, isSame, matchesPattern } from './json-object.ts';
import { allowedTypes, resolvedIn, targetType } from './reference-check.ts';
import { withoutVersion } from './value-set-codes.ts';
import type { Item, Scope, Walk } from './walk.ts';

/** A profile that is being applied. */
export interface Applied {
  readonly walk: Walk;
  readonly scope: Scope;
  /** Canonical URL of the profile, without version: an issue names it. */
  readonly url: string;
}

/** Whether an item is of a slice; `undefined` when this discriminator cannot tell. */
type Answer = boolean | undefined;

const EXTENSION_STEP = /^extension\('([^']+)'\)$/;

/** The steps of a discriminator's path (FHIR R4, profiling, section 5.1.0.14): names, `resolve()`, `extension('url')`. */
function stepsOf(path: string): readonly string[] {
  if (path === '$this') return [];
  return (path.match(/extension\('[^']+'\)|[^.]+/g) ?? []).filter((step) => step !== '$this');
}

/** Does a value have what its rule, or the rules of its children, fix? `undefined` when they fix nothing. */
function hasFixed(applied: Applied, rule: ElementRule, item: Item): Answer {
  if (rule.fixed !== undefined) return isSame(item.value, rule.fixed);
  if (rule.pattern !== undefined) return matchesPattern(item.value, rule.pattern);
  const answers = contentOf(rule).children.map((child) => hasChild(applied, child, item, undefined));
  if (answers.includes(false)) return false;
  return answers.includes(true) ? true : undefined;
}

/** At the end of a discriminator's path a required value set tells slices apart as well. */
function hasExpected(applied: Applied, rule: ElementRule, item: Item): Answer {
  const fixed = hasFixed(applied, rule, item);
  const { binding } = rule;
  if (fixed !== undefined || binding?.strength !== 'required' || !binding.valueSet) return fixed;
  const lookup = applied.walk.definitions.valueSet(binding.valueSet);
  if (!lookup || lookup.isOpen) return undefined;
  const { value } = item;
  if (typeof value === 'string') return lookup.hasCode(value);
  const codings = isObject(value) && Array.isArray(value.coding) ? value.coding : [value];
  return codings.some((one) => isObject(one) && lookup.has(String(one.system ?? ''), String(one.code ?? '')));
}

/** Does some value of a child element have what the child, or one of its slices, fixes? Without steps: anywhere below. */
function hasChild(
  applied: Applied,
  child: ElementRule,
  parent: Item,
  steps: readonly string[] | undefined,
): Answer {
  if (!isObject(parent.value)) return undefined;
  const items = itemsOf(parent.value, child, parent.at);
  const rules = [child, ...child.slices.filter(({ rule }) => rule.min > 0).map(({ rule }) => rule)];
  let isTold = false;
  for (const rule of rules) {
    // With no value to look at, a rule still tells whether it fixes any.
    const answers = (items.length > 0 ? items : [{ ...parent, value: {} }]).map((item) =>
      steps ? matchesAt(applied, rule, item, steps) : hasFixed(applied, rule, item),
    );
    if (items.length > 0 && answers.includes(true)) return true;
    isTold ||= answers.some((answer) => answer !== undefined);
  }
  return isTold ? false : undefined;
}

function matchesExtension(
  applied: Applied,
  rule: ElementRule,
  item: Item,
  steps: readonly string[],
  url: string,
): Answer {
  const child = contentOf(rule).members.get('extension')?.rule;
  const slice = child?.slices.find(({ rule: one }) => urlOf(one) === url);
  if (!slice || !child || !isObject(item.value)) return undefined;
  const items = itemsOf(item.value, child, item.at).filter(
    ({ value }) => isObject(value) && value.url === url,
  );
  return items.some((one) => matchesAt(applied, slice.rule, one, steps) !== false);
}

function matchesAt(applied: Applied, rule: ElementRule, item: Item, steps: readonly string[]): Answer {
  const [step, ...rest] = steps;
  if (step === undefined) return hasExpected(applied, rule, item);
  if (rule.fixed !== undefined || rule.pattern !== undefined) return hasExpected(applied, rule, item);
  const url = EXTENSION_STEP.exec(step)?.[1];
  if (url !== undefined) return matchesExtension(applied, rule, item, rest, url);
  const child = contentOf(rule).children.find(({ name }) => name === step);
  return child ? hasChild(applied, child, item, rest) : undefined;
}

/** The URL of the extension that a slice is for. */
function urlOf(rule: ElementRule): string | undefined {
  const fixed = rule.members.get('url')?.rule.fixed;
  const profile = rule.types[0]?.profiles[0];
  return typeof fixed === 'string' ? fixed : profile && withoutVersion(profile);
}

/** The items at the end of a path of names; `resolve()` stays for the caller. */
function itemsAt(
  rule: ElementRule,
  item: Item,
  steps: readonly string[],
): readonly (readonly [ElementRule, Item])[] {
  const [step, ...rest] = steps;
  if (step === undefined || step === 'resolve()') return [[rule, item]];
  const child = contentOf(rule).children.find(({ name }) => name === step);
  if (!child || !isObject(item.value)) return [];
  return itemsOf(item.value, child, item.at).flatMap((one) => itemsAt(child, one, rest));
}

function matchesType(applied: Applied, slice: SliceRule, item: Item, steps: readonly string[]): Answer {
  const { walk, scope } = applied;
  for (const [rule, { value, type }] of itemsAt(slice.rule, item, steps)) {
    if (steps.at(-1) !== 'resolve()') return rule.types.some(({ code }) => code === type.code);
    if (!isObject(value)) return false;
    const target = targetType(value, scope, walk.definitions);
    const allowed = allowedTypes(
      rule.types.flatMap(({ targets }) => targets),
      walk.definitions,
    );
    if (target === undefined || !allowed) return undefined;
    return allowed.has(target);
  }
  return false;
}

/** `resolve().code` and the like: by the target's own rules where the target is at hand. */
function matchesResolved(applied: Applied, slice: SliceRule, item: Item, steps: readonly string[]): Answer {
  const { walk, scope } = applied;
  const [target] = slice.rule.types.flatMap(({ targets }) => targets);
  const profile = target === undefined ? undefined : walk.definitions.structure(target);
  const resolved = isObject(item.value) ? resolvedIn(item.value, scope) : undefined;
  if (!profile || !resolved) return undefined;
  const type = { code: profile.definition.type, targets: [], profiles: [] };
  return matchesAt(applied, profile.root, { value: resolved, shadow: undefined, type, at: item.at }, steps);
}

function matchesBy(
  applied: Applied,
  slice: SliceRule,
  item: Item,
  { type, path = '$this' }: ElementDefinitionSlicingDiscriminator,
): Answer {
  const steps = stepsOf(path);
  switch (type) {
    case 'value':
    case 'pattern':
      if (item.type.code === 'Extension' && path === 'url') {
        return isObject(item.value) && item.value.url === urlOf(slice.rule);
      }
      if (steps[0] === 'resolve()') return matchesResolved(applied, slice, item, steps.slice(1));
      return matchesAt(applied, slice.rule, item, steps);
    case 'type':
      return matchesType(applied, slice, item, steps);
    case 'exists': {
      const [first] = steps;
      const child = first === undefined ? undefined : slice.rule.members.get(first)?.rule;
      if (!child || !isObject(item.value)) return undefined;
      return itemsOf(item.value, child, item.at).length > 0 === child.max > 0;
    }
    default:
      // By profile: whether a value has a profile is a validation of its own, which slices of ours do not ask for.
      return undefined;
  }
}

function matches(
  applied: Applied,
  slice: SliceRule,
  item: Item,
  by: readonly ElementDefinitionSlicingDiscriminator[],
): Answer {
  const answers = by.map((discriminator) => matchesBy(applied, slice, item, discriminator));
  if (answers.includes(false)) return false;
  return answers.includes(undefined) ? undefined : true;
}

interface SliceContext {
  readonly at: string;
  /** Checks an item by the rule of its slice. */
  readonly check: (rule: ElementRule, item: Item) => void;
}

/** A list by its slices: how many of each, what each one asks for, and whether others may stand beside them. */
export function checkSlices(
  applied: Applied,
  rule: ElementRule,
  items: readonly Item[],
  { at, check }: SliceContext,
): void {
  const { walk, url } = applied;
  const by = rule.slicing?.discriminator ?? (rule.isChoice ? [{ type: 'type' as const, path: '$this' }] : []);
  if (by.length === 0) return;
  const taken = new Set<Item>();
  let isCertain = true;
  for (const slice of rule.slices) {
    const answers = items.map((item) => matches(applied, slice, item, by));
    const own = items.filter((_, index) => answers[index] === true);
    for (const item of own) {
      taken.add(item);
      check(slice.rule, item);
    }
    const isTold = !answers.includes(undefined);
    isCertain &&= isTold;
    const { min, max } = slice.rule;
    if (isTold && own.length < min) {
      walk.report(at, 'required', `The profile ${url} requires at least ${min} in slice ${slice.name}`);
    }
    if (own.length > max)
      walk.report(at, 'structure', `The profile ${url} allows at most ${max} in slice ${slice.name}`);
  }
  if (!isCertain)
    walk.report(
      at,
      'informational',
      `Not all slices of the profile ${url} could be told apart`,
      'information',
    );
  else if (rule.slicing?.rules === 'closed') {
    for (const item of items) {
      if (!taken.has(item))
        walk.report(item.at, 'structure', `The profile ${url} allows no others beside its slices`);
    }
  }
}
