import type { ElementDefinitionBinding } from '@medplum/fhirtypes';
import { outsideCode } from './code-systems.ts';
import type { CodeLookup } from './definitions.ts';
import { isObject, type JsonObject, listOf } from './json-object.ts';
import { isUcumUnit, UCUM_SYSTEM } from './units.ts';
import { withoutVersion } from './value-set-codes.ts';
import type { Walk } from './walk.ts';

/** Required value sets that R4 binds but leaves to another standard: only the form of a code can be checked. */
const CODE_PATTERNS: Readonly<Record<string, RegExp>> = {
  // CapabilityStatement.format also allows the short names.
  'http://hl7.org/fhir/ValueSet/mimetypes': /^(?:[a-z]+\/[\w.+-]+(?:\s*;.*)?|xml|json|ttl)$/i,
  'http://hl7.org/fhir/ValueSet/currencies': /^[A-Z]{3}$/,
  'http://hl7.org/fhir/ValueSet/all-languages': /^[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*$/,
};

function hasCoding(lookup: CodeLookup, coding: unknown): boolean {
  if (!isObject(coding)) return false;
  const { system, code } = coding;
  return typeof code === 'string' && lookup.has(typeof system === 'string' ? system : '', code);
}

function isBound(type: string, value: unknown, lookup: CodeLookup): boolean {
  switch (type) {
    case 'code':
    case 'string':
    case 'uri':
      return typeof value !== 'string' || lookup.hasCode(value);
    case 'CodeableConcept':
      return isObject(value) && listOf(value.coding).some((coding) => hasCoding(lookup, coding));
    default:
      return hasCoding(lookup, value);
  }
}

/** A code outside the value set that its element requires. */
export function checkBinding(
  walk: Walk,
  binding: ElementDefinitionBinding | undefined,
  item: { readonly type: string; readonly value: unknown; readonly at: string },
): void {
  if (binding?.strength !== 'required' || !binding.valueSet) return;
  const url = withoutVersion(binding.valueSet);
  const lookup = walk.definitions.valueSet(url);
  const pattern = CODE_PATTERNS[url];
  const isAllowed =
    lookup && !lookup.isOpen
      ? isBound(item.type, item.value, lookup)
      : !pattern || typeof item.value !== 'string' || pattern.test(item.value);
  if (!isAllowed) walk.report(item.at, 'code-invalid', `A code outside the required value set ${url}`);
}

/**
 * Flags a code that its system does not have, or that is not written as the system writes codes (a wrong check digit, a
 * unit that is none): a warning, because the code may be newer than what we know. Systems whose codes only their publisher
 * can list are noted in `systemsNotLookedUp`, so that no code passes for known that is not.
 */
export function flagCode(walk: Walk, coding: JsonObject, at: string): void {
  const { system, code } = coding;
  if (typeof system !== 'string' || typeof code !== 'string') return;
  if (system === UCUM_SYSTEM) {
    if (!isUcumUnit(code)) walk.report(`${at}.code`, 'code-invalid', 'Not a unit of UCUM', 'warning');
    return;
  }
  const isKnown = walk.definitions.hasCode(system, code);
  if (isKnown === true) return;
  if (isKnown === false) {
    walk.report(`${at}.code`, 'code-invalid', 'A code that its code system does not have', 'warning');
    return;
  }
  const verdict = outsideCode(system, code);
  walk.systemsNotLookedUp.add(verdict.system);
  if (!verdict.isWellFormed) {
    walk.report(`${at}.code`, 'code-invalid', `Not written as codes of ${verdict.system} are`, 'warning');
  }
}
