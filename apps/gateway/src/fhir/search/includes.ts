import type { Caller } from '../../caller.ts';
import { type IndexedParameter, indexedParametersOf, searchParametersOf } from '../../index-store/index.ts';
import { isR4ResourceType } from '../../validation/index.ts';
import type { StoredVersion } from '../../vault/index.ts';
import { isScopeCovered, requireScope, visibilityFor } from '../access.ts';
import { invalidParameter } from '../fhir-error.ts';
import type { RecordStore } from '../record-store.ts';
import { INCLUDE_ROUNDS_MAX, INCLUDED_MAX } from './limits.ts';
import { type Parameter, sayable, splitName } from './search-context.ts';

/** One `_include` or `_revinclude`. */
export interface Include {
  readonly direction: 'targets' | 'sources';
  /** The type whose reference is followed. */
  readonly source: string;
  /** Numbers of the references. */
  readonly parameters: readonly number[];
  /** Types at the other end of `_include`. */
  readonly targets: readonly string[];
  /** The type at the other end was named: then the token must cover it. */
  readonly isNamed: boolean;
  readonly iterates: boolean;
}

/** What was included beside the matches. */
export interface Included {
  readonly versions: readonly StoredVersion[];
  /** Not everything found a place. */
  readonly isCut: boolean;
}

const ITERATE: ReadonlySet<string | undefined> = new Set(['iterate', 'recurse']);

function referencesOf(source: string, code: string): readonly IndexedParameter[] {
  if (code === '*') return indexedParametersOf(source).filter(({ type }) => type === 'reference');
  const parameter = searchParametersOf(source).get(code);
  return parameter?.type === 'reference' ? [parameter] : [];
}

/**
 * Reads `_include=Observation:subject:Patient`, `_include=*` or `_revinclude:iterate=Provenance:target`; undefined for
 * another parameter.
 *
 * @throws {@link FhirError} 400.
 */
export function includeOf(searched: readonly string[], [name, value]: Parameter): Include | undefined {
  const { code: base, modifier } = splitName(name);
  if (base !== '_include' && base !== '_revinclude') return undefined;
  if (modifier !== undefined && !ITERATE.has(modifier)) {
    throw invalidParameter(sayable(name), 'This modifier is not supported on this search parameter.');
  }
  const isWhole = base === '_include' && value === '*';
  const [source = '', code = '', target] = isWhole ? [searched[0], '*'] : value.split(':');
  const parameters = isR4ResourceType(source) ? referencesOf(source, code) : [];
  const targets = [...new Set(parameters.flatMap((parameter) => parameter.targets as readonly string[]))];
  const known = targets.filter(isR4ResourceType);
  if (parameters.length === 0 || (target !== undefined && !known.includes(target))) {
    throw invalidParameter(
      sayable(base),
      'An include is not a reference of a resource type, as Type:reference.',
    );
  }
  const iterates = modifier !== undefined;
  return {
    direction: base === '_include' ? 'targets' : 'sources',
    source,
    parameters: parameters.map(({ number }) => number),
    targets: target === undefined ? known : [target],
    isNamed: base === '_revinclude' || target !== undefined,
    iterates,
  };
}

/** Follows references from a page's matches. What the caller may not read is not there. */
export class IncludeRun {
  readonly #store: RecordStore;
  readonly #caller: Caller;
  readonly #seen: Set<number>;
  readonly #found = new Map<number, StoredVersion>();
  #isCut = false;

  constructor(store: RecordStore, caller: Caller, matches: readonly StoredVersion[]) {
    this.#store = store;
    this.#caller = caller;
    this.#seen = new Set(matches.map(({ seq }) => seq));
  }

  /** @throws {@link FhirError} 403 where a type that is named may not be read. */
  async follow(includes: readonly Include[], matches: readonly StoredVersion[]): Promise<Included> {
    let from = matches;
    for (let round = 0; round < INCLUDE_ROUNDS_MAX && from.length > 0; round += 1) {
      const before = this.#found.size;
      for (const include of includes) {
        if (round === 0 || include.iterates) await this.#follow(include, from);
      }
      from = [...this.#found.values()].slice(before);
    }
    return { versions: [...this.#found.values()], isCut: this.#isCut };
  }

  async #follow(include: Include, from: readonly StoredVersion[]): Promise<void> {
    const isFrom = ({ type }: StoredVersion): boolean =>
      include.direction === 'targets' ? type === include.source : include.targets.includes(type);
    const seqs = from.filter(isFrom).map(({ seq }) => seq);
    if (seqs.length === 0) return;
    const ends = include.direction === 'targets' ? include.targets : [include.source];
    for (const type of ends) {
      if (include.isNamed) requireScope(this.#caller, type, 'read');
      else if (!isScopeCovered(this.#caller, type, 'read')) continue;
      await this.#add(include, seqs, type);
    }
  }

  async #add({ direction, parameters }: Include, from: readonly number[], type: string): Promise<void> {
    const { options } = this.#store;
    const visibility = visibilityFor(options, this.#caller, type, 'read');
    const countMax = INCLUDED_MAX + this.#seen.size + 1;
    const found = await options.index.linked({ from, parameters, type, visibility, direction, countMax });
    const fresh = found.filter((seq) => !this.#seen.has(seq));
    const room = INCLUDED_MAX - this.#found.size;
    if (fresh.length > room) this.#isCut = true;
    for (const version of await options.vault.bySeq(fresh.slice(0, room))) {
      this.#seen.add(version.seq);
      this.#found.set(version.seq, version);
    }
  }
}
