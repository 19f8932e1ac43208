import { type LosslessObject, parseLossless, toPlain } from '@careledger/fhir';
import type { Identifier, Patient } from '@medplum/fhirtypes';
import { dateRangeOf, normalizeString } from '../index-store/index.ts';
import type { StoredVersion } from '../vault/index.ts';
import { FhirError } from './fhir-error.ts';
import type { RecordStore } from './record-store.ts';
import { escaped, type SearchParameters } from './search/search-context.ts';
import { ALTERNATIVES_MAX, parseSearch } from './search-query.ts';

/** Candidates that one match looks at, and answers at most. */
export const MATCH_CANDIDATES_MAX = 50;
const MATCH_GRADE = 'http://hl7.org/fhir/StructureDefinition/match-grade';

/** Share of each agreement in the score of 0 to 1; an identifier that agrees is certain by itself. */
const WEIGHTS = { family: 0.3, given: 0.2, birthDate: 0.35, gender: 0.05, address: 0.1 } as const;
const CERTAIN = 0.95;
const PROBABLE = 0.8;
const POSSIBLE = 0.5;

export interface MatchedPatient {
  readonly patient: StoredVersion;
  readonly score: number;
  readonly grade: 'certain' | 'probable' | 'possible';
}

function identifierTexts(identifiers: readonly Identifier[] | undefined): readonly string[] {
  return (identifiers ?? []).flatMap(({ system, value }) =>
    system !== undefined && value !== undefined ? [`${system}|${value}`] : [],
  );
}

function familiesOf(patient: Patient): readonly string[] {
  return (patient.name ?? []).flatMap(({ family }) => (family ? [normalizeString(family)] : []));
}

function givensOf(patient: Patient): readonly string[] {
  return (patient.name ?? []).flatMap(({ given }) => (given ?? []).map(normalizeString));
}

function placesOf(patient: Patient): readonly string[] {
  return (patient.address ?? []).flatMap(({ postalCode, line }) =>
    postalCode && line?.[0] ? [`${normalizeString(line[0])} ${normalizeString(postalCode)}`] : [],
  );
}

function share(left: readonly string[], right: readonly string[]): boolean {
  return left.some((one) => right.includes(one));
}

/** How well two descriptions of a patient agree, from 0 to 1. */
export function matchScore(asked: Patient, candidate: Patient): number {
  if (share(identifierTexts(asked.identifier), identifierTexts(candidate.identifier))) return 1;
  let score = 0;
  if (share(familiesOf(asked), familiesOf(candidate))) score += WEIGHTS.family;
  if (share(givensOf(asked), givensOf(candidate))) score += WEIGHTS.given;
  if (asked.birthDate !== undefined && asked.birthDate === candidate.birthDate) score += WEIGHTS.birthDate;
  if (asked.gender !== undefined && asked.gender === candidate.gender) score += WEIGHTS.gender;
  if (share(placesOf(asked), placesOf(candidate))) score += WEIGHTS.address;
  return Math.round(score * 100) / 100;
}

function gradeOf(score: number): MatchedPatient['grade'] | undefined {
  if (score >= CERTAIN) return 'certain';
  if (score >= PROBABLE) return 'probable';
  return score >= POSSIBLE ? 'possible' : undefined;
}

/** Ways to find candidates: by an identifier, or by family name and birth date together. */
function candidateSearches(asked: Patient): readonly SearchParameters[] {
  const ways: SearchParameters[] = [];
  const identifiers = (asked.identifier ?? []).flatMap(({ system, value }) =>
    system !== undefined && value !== undefined ? [`${escaped(system)}|${escaped(value)}`] : [],
  );
  if (identifiers.length > 0) ways.push([['identifier', identifiers.slice(0, ALTERNATIVES_MAX).join(',')]]);
  const families = familiesOf(asked).filter((family) => family !== '');
  const { birthDate } = asked;
  if (families.length > 0 && birthDate !== undefined && dateRangeOf(birthDate)) {
    const names = families.slice(0, ALTERNATIVES_MAX).map(escaped);
    ways.push([
      ['family', names.join(',')],
      ['birthdate', birthDate],
    ]);
  }
  return ways;
}

/**
 * Finds the patients of this gateway that a description fits, best first.
 *
 * @throws {@link FhirError} 422 when the description holds too little to look for anybody.
 */
export async function matchPatients(
  store: RecordStore,
  asked: Patient,
  options: { readonly countMax?: number; readonly onlyCertain?: boolean } = {},
): Promise<readonly MatchedPatient[]> {
  const ways = candidateSearches(asked);
  if (ways.length === 0) {
    throw new FhirError({
      status: 422,
      code: 'required',
      message: 'The description is too thin to match a patient.',
      help: 'Give an identifier with its system, or a family name and a birth date.',
      expression: ['Parameters.parameter[0].resource'],
    });
  }
  const { index, indexer, vault, baseUrl } = store.options;
  const context = { tokenizer: indexer.tokenizer, baseUrl, visibility: { kind: 'all' } as const };
  const seqs = new Set<number>();
  for (const parameters of ways) {
    const { plan } = parseSearch('Patient', parameters, context);
    const found = await index.search({ ...plan, countMax: MATCH_CANDIDATES_MAX, countTotal: false });
    for (const seq of found.seqs) seqs.add(seq);
  }
  const candidates = await vault.bySeq([...seqs]);
  const matched = candidates.flatMap((patient) => {
    const plain = toPlain(parseLossless(patient.text) as LosslessObject) as unknown as Patient;
    const score = matchScore(asked, plain);
    const grade = gradeOf(score);
    if (!grade || (options.onlyCertain && grade !== 'certain')) return [];
    return [{ patient, score, grade }];
  });
  return matched
    .sort((left, right) => right.score - left.score)
    .slice(0, Math.min(options.countMax ?? MATCH_CANDIDATES_MAX, MATCH_CANDIDATES_MAX));
}

/** `Bundle.entry.search` of a matched patient. */
export function matchSearch({ score, grade }: MatchedPatient): object {
  return { extension: [{ url: MATCH_GRADE, valueCode: grade }], mode: 'match', score };
}
