import type { PatientDirectory, PatientEntry } from './authorization/index.ts';
import type { FhirService } from './fhir/index.ts';

const FORM = 'application/x-www-form-urlencoded';
const TYPE = 'Patient';
/** The picker's terms and R4's search parameters. */
const PARAMETERS = { family: 'family', given: 'given', birthDate: 'birthdate' } as const;

interface PlainPatient {
  readonly resourceType?: string;
  readonly id?: string;
  readonly birthDate?: string;
  readonly name?: readonly {
    readonly use?: string;
    readonly text?: string;
    readonly family?: string;
    readonly given?: readonly string[];
  }[];
}

function entryOf(patient: PlainPatient): PatientEntry {
  const name = patient.name?.find(({ use }) => use === 'official') ?? patient.name?.[0];
  const parts = [...(name?.given ?? []), name?.family ?? ''].join(' ').trim();
  const shown = parts === '' ? name?.text : parts;
  return {
    id: patient.id ?? '',
    name: shown ?? 'without a name',
    birthDate: patient.birthDate ?? 'not recorded',
  };
}

/**
 * What the sign-in pages show of patients, asked of the FHIR API as the user who looks: the same scopes, the same limits.
 * Searches go by POST, so that no name stands in an address.
 */
export function patientDirectory(service: Pick<FhirService, 'handle'>): PatientDirectory {
  return {
    search: async (caller, terms, countMax) => {
      const form = new URLSearchParams({ _count: String(countMax) });
      for (const [term, parameter] of Object.entries(PARAMETERS)) {
        const text = terms[term as keyof typeof PARAMETERS];
        // A comma or a dollar in a name would be read as part of the search.
        if (text !== undefined) form.set(parameter, text.replace(/[\\,$|]/g, '\\$&'));
      }
      const answer = await service.handle({
        ...{ method: 'POST', path: `${TYPE}/_search`, query: '', caller },
        headers: { 'content-type': FORM },
        body: form.toString(),
      });
      if (answer.status !== 200) return [];
      const bundle = JSON.parse(answer.body) as { readonly entry?: readonly { resource?: PlainPatient }[] };
      const resources = (bundle.entry ?? []).map((entry) => entry.resource);
      return resources
        .filter((patient) => patient?.resourceType === TYPE)
        .map((patient) => entryOf(patient ?? {}));
    },
    read: async (caller, id) => {
      const path = `${TYPE}/${encodeURIComponent(id)}`;
      const answer = await service.handle({
        ...{ method: 'GET', path, query: '', headers: {}, body: undefined, caller },
      });
      if (answer.status !== 200) return undefined;
      // Of no id, or of one such as `_history`, the address is another one and its answer no patient.
      const found = JSON.parse(answer.body) as PlainPatient;
      return found.resourceType === TYPE && found.id === id ? entryOf(found) : undefined;
    },
  };
}
