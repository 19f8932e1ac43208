import type { StoredVersion } from '../vault/index.ts';

/**
 * A stored version on its way to a reader: its text is what was committed, and it is what the reader gets. The router
 * sees type, id and version only.
 */
export class StoredResource {
  readonly resourceType: string;
  readonly id: string;
  readonly meta: { readonly versionId: string; readonly lastUpdated: string };
  readonly stored: StoredVersion;

  constructor(stored: StoredVersion) {
    this.resourceType = stored.type;
    this.id = stored.id;
    this.meta = { versionId: String(stored.version), lastUpdated: new Date(stored.time).toISOString() };
    this.stored = stored;
  }
}

/** JSON text of an answer, in which stored resources stand as the text that was committed: `1.10` stays `1.10`. */
export function fhirText(value: unknown): string {
  if (value instanceof StoredResource) return value.stored.text;
  if (Array.isArray(value)) return `[${value.map(fhirText).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .map(([key, member]) => `${JSON.stringify(key)}:${fhirText(member)}`);
  return `{${members.join(',')}}`;
}
