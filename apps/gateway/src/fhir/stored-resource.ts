import { canonicalText, type LosslessValue } from '@careledger/fhir';
import type { StoredVersion } from '../vault/index.ts';

/** A stored version on its way to a reader: its text is what was committed, and it is what the reader gets. */
export class StoredResource {
  readonly stored: StoredVersion;

  constructor(stored: StoredVersion) {
    this.stored = stored;
  }
}

/** JSON text that stands in an answer as it is. */
export class JsonText {
  readonly text: string;

  constructor(value: LosslessValue) {
    this.text = canonicalText(value);
  }
}

/** JSON text of an answer, in which stored resources stand as the text that was committed: `1.10` stays `1.10`. */
export function fhirText(value: unknown): string {
  if (value instanceof StoredResource) return value.stored.text;
  if (value instanceof JsonText) return value.text;
  if (Array.isArray(value)) return `[${value.map(fhirText).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .map(([key, member]) => `${JSON.stringify(key)}:${fhirText(member)}`);
  return `{${members.join(',')}}`;
}
