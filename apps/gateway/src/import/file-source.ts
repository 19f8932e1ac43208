import { readImport } from './import-entries.ts';
import type { ImportSource, Which } from './import-source.ts';

/** A file or folder as a source. A file that holds none of the kind that is asked for is not read again. */
export function fileSource(options: { readonly path: string; readonly source: string }): ImportSource {
  const files: Readonly<Record<Which, Set<string>>> = { patients: new Set(), others: new Set() };
  const kindOf = (resourceType: string): Which => (resourceType === 'Patient' ? 'patients' : 'others');
  return {
    name: options.source,
    survey: async function* () {
      for await (const entry of readImport(options)) {
        if (entry.resource) files[kindOf(entry.resource.resourceType)].add(entry.file);
        yield entry;
      }
    },
    read: async function* (which) {
      for await (const entry of readImport({ ...options, only: files[which] })) {
        if (entry.resource && kindOf(entry.resource.resourceType) === which) yield entry;
      }
    },
  };
}
