import type { ElementRule } from './element-rules.ts';
import type { JsonObject } from './json-object.ts';
import type { Item } from './walk.ts';

/** The values of an element in an object, in the order of the JSON. */
export function itemsOf(object: JsonObject, rule: ElementRule, at: string): readonly Item[] {
  const items: Item[] = [];
  for (const [index, key] of rule.keys.entries()) {
    const value = object[key];
    const shadow = object[`_${key}`];
    if (value === undefined && shadow === undefined) continue;
    const type = rule.types[rule.isChoice ? index : 0] ?? { code: '', targets: [], profiles: [] };
    if (!Array.isArray(value ?? shadow)) {
      items.push({ value, shadow, type, at: `${at}.${rule.name}` });
      continue;
    }
    const values = Array.isArray(value) ? value : [];
    const shadows = Array.isArray(shadow) ? shadow : [];
    for (let place = 0; place < Math.max(values.length, shadows.length); place += 1) {
      items.push({ value: values[place], shadow: shadows[place], type, at: `${at}.${rule.name}[${place}]` });
    }
  }
  return items;
}
