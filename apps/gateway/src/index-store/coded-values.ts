import type { TypedElement } from './element-path.ts';

/** A code, identifier or other token value. */
export interface CodedValue {
  readonly system?: string | undefined;
  readonly code?: string | undefined;
}

interface CodedLike {
  readonly system?: unknown;
  readonly code?: unknown;
  readonly value?: unknown;
  readonly display?: unknown;
  readonly text?: unknown;
  readonly coding?: readonly CodedLike[];
  readonly type?: CodedLike;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function listOf(value: unknown): readonly CodedLike[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'object' && one !== null) : [];
}

/** What a value is found by as a token (FHIR R4, search, section 3.1.1.4.10). */
export function codedValuesOf({ type, value }: TypedElement): readonly CodedValue[] {
  if (typeof value === 'string' || typeof value === 'boolean' || typeof value === 'number') {
    return [{ code: String(value) }];
  }
  if (typeof value !== 'object' || value === null) return [];
  const coded = value as CodedLike;
  if (type === 'CodeableConcept') {
    return listOf(coded.coding).map((coding) => ({ system: text(coding.system), code: text(coding.code) }));
  }
  if (type === 'Coding') return [{ system: text(coded.system), code: text(coded.code) }];
  if (type === 'Identifier') return [{ system: text(coded.system), code: text(coded.value) }];
  // The system of a ContactPoint says phone or mail: it is no system of codes.
  if (type === 'ContactPoint') return [{ code: text(coded.value) }];
  return [];
}

/** `system|code|value` of an identifier whose type is coded. */
export function typedIdentifiersOf({ type, value }: TypedElement): readonly string[] {
  if (type !== 'Identifier' || typeof value !== 'object' || value === null) return [];
  const identifier = value as CodedLike;
  const number = text(identifier.value);
  if (number === undefined) return [];
  return listOf(identifier.type?.coding).map(
    (coding) => `${text(coding.system) ?? ''}|${text(coding.code) ?? ''}|${number}`,
  );
}

/** The words that stand beside a code: what `:text` looks through. */
export function displaysOf({ type, value }: TypedElement): readonly string[] {
  if (typeof value !== 'object' || value === null) return [];
  const coded = value as CodedLike;
  if (type === 'Identifier') return displaysOf({ type: 'CodeableConcept', value: coded.type });
  if (type === 'Coding') return [text(coded.display)].filter((one) => one !== undefined);
  if (type !== 'CodeableConcept') return [];
  const displays = listOf(coded.coding).map((coding) => text(coding.display));
  return [text(coded.text), ...displays].filter((one) => one !== undefined);
}

const NAME_FIELDS = ['text', 'family', 'given', 'prefix', 'suffix'] as const;
const ADDRESS_FIELDS = ['text', 'line', 'city', 'district', 'state', 'postalCode', 'country'] as const;

/** The strings of a value: a name and an address are found by each of their fields. */
export function stringsOf({ type, value }: TypedElement): readonly string[] {
  if (typeof value === 'string') return value === '' ? [] : [value];
  if (typeof value !== 'object' || value === null) return [];
  const fields = type === 'HumanName' ? NAME_FIELDS : type === 'Address' ? ADDRESS_FIELDS : [];
  const own = value as Readonly<Record<string, unknown>>;
  return fields.flatMap((field) => {
    const found = own[field];
    return (Array.isArray(found) ? found : [found]).flatMap((one) => text(one) ?? []);
  });
}
