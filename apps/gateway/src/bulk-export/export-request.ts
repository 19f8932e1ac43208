import { isLosslessObject, type LosslessValue, parseLossless, toPlain } from '@careledger/fhir';
import type { Parameters } from '@medplum/fhirtypes';
import { FhirError } from '../fhir/index.ts';
import { isR4ResourceType } from '../validation/index.ts';
import { PATIENTS_MAX, TYPE_FILTERS_MAX, TYPES_MAX } from './limits.ts';

/** Where an export begins: everything, every patient's records, or those of a Group's patients. */
export type ExportLevel =
  | { readonly kind: 'system' }
  | { readonly kind: 'patient' }
  | { readonly kind: 'group'; readonly id: string };

/** A search that narrows one type: `Observation?category=laboratory`. */
export interface TypeFilter {
  readonly type: string;
  readonly parameters: readonly (readonly [name: string, value: string])[];
}

/** What a kick-off asks for (Bulk Data Access 2.0.0, section "Bulk Data Kick-off Request"). */
export interface ExportRequest {
  /** Absent: every type that the caller's scopes cover. */
  readonly types?: readonly string[];
  /** Only what was stored at or after this time, in milliseconds. */
  readonly since?: number;
  readonly filters: readonly TypeFilter[];
  /** Patient ids of the `patient` parameter. */
  readonly patients?: readonly string[];
}

type Pair = readonly [name: string, value: string];

const FORMATS: ReadonlySet<string> = new Set(['application/fhir+ndjson', 'application/ndjson', 'ndjson']);
const INSTANT = /^\d{4}(-\d{2}(-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?)?)?$/;
const PATIENT = /^Patient\/([A-Za-z0-9\-.]{1,64})$/;

function refused(parameter: string, message: string): FhirError {
  return new FhirError({
    status: 400,
    code: 'invalid',
    message,
    help: 'See Bulk Data Access 2 for the parameters of $export.',
    expression: [parameter],
  });
}

/** The parameters of a POST: a FHIR Parameters resource. */
function pairsOfBody(text: string): readonly Pair[] {
  const body = parseLossless(text);
  if (!isLosslessObject(body) || body.resourceType !== 'Parameters') {
    throw refused('Parameters', 'The body of a POST to $export is a Parameters resource.');
  }
  const { parameter = [] } = toPlain(body as LosslessValue) as unknown as Parameters;
  return parameter.map((one): Pair => {
    const value =
      one.valueString ?? one.valueInstant ?? one.valueDateTime ?? one.valueReference?.reference ?? '';
    return [one.name ?? '', value];
  });
}

function listOf(value: string): readonly string[] {
  return value.split(',').filter((one) => one !== '');
}

/** A comma inside a search separates its values; one before the next type separates two searches. */
const BETWEEN_FILTERS = /,(?=[A-Z][A-Za-z]{1,63}\?)/;

function typesOf(values: readonly string[]): readonly string[] {
  const types = [...new Set(values.flatMap((value) => listOf(value)))];
  if (types.length > TYPES_MAX) throw refused('_type', `_type lists more than ${TYPES_MAX} types.`);
  if (!types.every(isR4ResourceType)) throw refused('_type', '_type lists what is no type of FHIR R4.');
  return types;
}

function filterOf(text: string): TypeFilter {
  const [type = '', query = ''] = text.split('?', 2);
  if (!isR4ResourceType(type) || query === '') {
    throw refused('_typeFilter', 'A filter is a search: a type, a question mark and parameters.');
  }
  return { type, parameters: [...new URLSearchParams(query)] };
}

function sinceOf(value: string): number {
  const time = INSTANT.test(value) ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(time)) throw refused('_since', '_since is not an instant of FHIR.');
  return time;
}

function patientsOf(values: readonly string[]): readonly string[] {
  const ids = values.map((value) => PATIENT.exec(value)?.[1]);
  if (ids.length > PATIENTS_MAX) throw refused('patient', `More than ${PATIENTS_MAX} patients are named.`);
  return ids.map((id) => {
    if (id === undefined)
      throw refused('patient', 'A patient is named by a reference of the form Patient/id.');
    return id;
  });
}

interface Asked {
  readonly method: 'GET' | 'POST';
  /** Without its question mark. */
  readonly query: string;
  readonly body: string | undefined;
  /** `Prefer`. */
  readonly prefer: string;
  readonly level: ExportLevel;
}

const KNOWN: ReadonlySet<string> = new Set(['_outputFormat', '_since', '_type', '_typeFilter', 'patient']);

/**
 * Reads a kick-off. What this server does not know is refused, unless `Prefer` says `handling=lenient`.
 *
 * @throws {@link FhirError} 400; it quotes no value.
 */
export function parseExportRequest(asked: Asked): ExportRequest {
  const isAsync = /(^|[,;\s])respond-async\b/.test(asked.prefer);
  if (!isAsync) throw refused('Prefer', 'An export is answered later: send Prefer: respond-async.');
  const ofBody = asked.method === 'POST' && asked.body !== undefined ? pairsOfBody(asked.body) : [];
  const pairs: readonly Pair[] = [...new URLSearchParams(asked.query), ...ofBody];
  const unknown = pairs.find(([name]) => !KNOWN.has(name));
  if (unknown && !/handling=lenient/.test(asked.prefer)) {
    throw refused(unknown[0].slice(0, 64), 'This server does not know this parameter of $export.');
  }
  const valuesOf = (wanted: string): readonly string[] =>
    pairs.filter(([name]) => name === wanted).map(([, value]) => value);
  // A bare plus arrives as a space.
  const formats = valuesOf('_outputFormat').map((format) => format.replace(' ', '+'));
  if (!formats.every((format) => FORMATS.has(format))) {
    throw refused('_outputFormat', 'This server exports application/fhir+ndjson alone.');
  }
  const patients = patientsOf(valuesOf('patient').flatMap((value) => listOf(value)));
  if (patients.length > 0 && (asked.method !== 'POST' || asked.level.kind === 'system')) {
    throw refused(
      'patient',
      'patient stands in the body of a POST to Patient/$export or Group/[id]/$export.',
    );
  }
  const types = typesOf(valuesOf('_type'));
  const filters = valuesOf('_typeFilter')
    .flatMap((value) => value.split(BETWEEN_FILTERS))
    .map(filterOf);
  if (filters.length > TYPE_FILTERS_MAX) {
    throw refused('_typeFilter', `_typeFilter lists more than ${TYPE_FILTERS_MAX} searches.`);
  }
  const since = valuesOf('_since')[0];
  return {
    filters,
    ...(types.length > 0 ? { types } : {}),
    ...(since === undefined ? {} : { since: sinceOf(since) }),
    ...(patients.length > 0 ? { patients } : {}),
  };
}
