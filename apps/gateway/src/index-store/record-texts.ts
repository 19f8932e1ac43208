import { equalBytes } from '@careledger/primitives';
import type { Resource } from '@medplum/fhirtypes';
import type { Criterion, SearchPlan, Selection, SortValues, TextCriterion } from './search-plan.ts';
import type { FoundRow } from './search-run.ts';
import { sortTextsOf, textsOf } from './search-values.ts';
import { startsOf } from './tokenizer.ts';

/** Texts that one condition may have compared with records. */
export const TEXTS_COMPARED_MAX = 500;
/** Records that a search may open to sort by what only they say. */
export const RECORDS_SORTED_MAX = 1_000;
/** Letters of a text that are sorted by, and stand in a sealed cursor. */
const SORTED_LETTERS_MAX = 64;

/** A search would have to open too many records. */
export class SearchTooCostlyError extends Error {
  override readonly name = 'SearchTooCostlyError';
  readonly code = 'index/too-costly';
  readonly help: string;

  constructor(message: string, help: string) {
    super(message);
    this.help = help;
  }
}

/** What the records themselves say, where the index holds keyed pieces alone. */
export interface RecordTexts {
  /** Current records by their place in the vault. */
  read(seqs: readonly number[]): Promise<ReadonlyMap<number, Resource>>;
  /** The token under which the index holds a text. */
  textToken(type: string, parameter: string, letters: string): Uint8Array;
}

/** Finds the texts that hold all pieces of what is looked for, each with an entry that has it. */
export type CandidateFinder = (
  criterion: TextCriterion,
  selection: Selection,
) => Promise<readonly { readonly token: Uint8Array; readonly seq: number }[]>;

function isMatch(text: string, { match, letters }: TextCriterion): boolean {
  if (match === 'contains') return text.includes(letters);
  return startsOf(text).some((start) => start.startsWith(letters));
}

/** Decides a condition on texts by the records, and says it in tokens, which the index can answer. */
async function lookUp(
  criterion: TextCriterion,
  selection: Selection,
  records: RecordTexts,
  candidatesOf: CandidateFinder,
): Promise<Criterion> {
  const candidates = await candidatesOf(criterion, selection);
  if (candidates.length > TEXTS_COMPARED_MAX) {
    throw new SearchTooCostlyError(
      `More than ${TEXTS_COMPARED_MAX} different texts would have to be compared.`,
      'Ask for more letters.',
    );
  }
  const resources = await records.read([...new Set(candidates.map(({ seq }) => seq))]);
  const { type, parameter } = criterion;
  const any = candidates.flatMap(({ token, seq }) => {
    const resource = resources.get(seq);
    const texts = resource ? textsOf(resource, parameter).filter((text) => isMatch(text, criterion)) : [];
    return texts.some((text) => equalBytes(records.textToken(type, parameter, text), token)) ? [token] : [];
  });
  return { kind: 'tokens', any, negate: false };
}

function hasText(criterion: Criterion): boolean {
  if (criterion.kind === 'text') return true;
  if (criterion.kind === 'any') return criterion.groups.some((group) => group.some(hasText));
  if (criterion.kind === 'chain') return criterion.target.criteria.some(hasText);
  return criterion.kind === 'has' && criterion.source.criteria.some(hasText);
}

/** The selection with every condition on texts, at every hop, said in tokens. */
export async function withTokens<Chosen extends Selection>(
  selection: Chosen,
  records: RecordTexts | undefined,
  candidatesOf: CandidateFinder,
): Promise<Chosen> {
  if (!selection.criteria.some(hasText)) return selection;
  if (!records) throw new Error('an index without its records cannot compare texts');
  const replaced = async (criterion: Criterion): Promise<Criterion> => {
    if (!hasText(criterion)) return criterion;
    switch (criterion.kind) {
      case 'text':
        return lookUp(criterion, selection, records, candidatesOf);
      case 'chain':
        return { ...criterion, target: await withTokens(criterion.target, records, candidatesOf) };
      case 'has':
        return { ...criterion, source: await withTokens(criterion.source, records, candidatesOf) };
      case 'any':
        return {
          ...criterion,
          groups: await Promise.all(criterion.groups.map((group) => Promise.all(group.map(replaced)))),
        };
      default:
        return criterion;
    }
  };
  return { ...selection, criteria: await Promise.all(selection.criteria.map(replaced)) };
}

/** Does the plan sort by something that only the records say? */
export function sortsByText({ sort }: SearchPlan): boolean {
  return sort.some(({ by }) => typeof by === 'object' && 'text' in by);
}

/** The rows with the texts that they are sorted by. */
export async function withSortedTexts(
  { sort }: SearchPlan,
  rows: readonly FoundRow[],
  records: RecordTexts | undefined,
): Promise<readonly FoundRow[]> {
  if (!records) throw new Error('an index without its records cannot sort by texts');
  const resources = await records.read(rows.map(({ seq }) => seq));
  return rows.map(({ seq, keys }) => {
    const resource = resources.get(seq);
    const filled: SortValues = sort.map(({ by, descending }, index) => {
      if (typeof by !== 'object' || !('text' in by)) return keys[index] ?? null;
      const texts = (resource ? sortTextsOf(resource, by.text) : []).sort();
      const text = descending ? texts.at(-1) : texts[0];
      return text === undefined ? null : text.slice(0, SORTED_LETTERS_MAX);
    });
    return { seq, keys: filled };
  });
}
