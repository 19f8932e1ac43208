import { isLosslessArray, isLosslessObject, type LosslessObject, type LosslessValue } from '@careledger/fhir';
import { sha256, toHex, utf8 } from '@careledger/primitives';
import { ImportError } from '../import-error.ts';
import { type Asking, fetchJson } from './fetch-json.ts';
import { sameServer } from './source-address.ts';

/** Pages of one search. A server that goes on beyond has no end. */
export const PAGES_MAX = 1_000_000;
/** Pages in a row without an entry. */
export const EMPTY_PAGES_MAX = 100;

/** One page of a search as it came. */
export interface SearchPage {
  /** From 1. */
  readonly number: number;
  readonly entries: readonly LosslessValue[];
}

function endless(why: string): ImportError {
  return new ImportError(
    'import/source-link',
    `The server's next links ${why}.`,
    "Tell the server's operator; nothing that was read is lost.",
  );
}

/** Notices a link that came before, in constant memory (Brent, 1980: a mark that moves ahead at powers of two). */
class LoopWatch {
  #mark = '';
  #steps = 0;
  #power = 1;

  check(url: URL): void {
    const hash = toHex(sha256(utf8(url.href)));
    if (hash === this.#mark) throw endless('lead in a circle');
    this.#steps += 1;
    if (this.#steps < this.#power) return;
    this.#mark = hash;
    this.#steps = 0;
    this.#power *= 2;
  }
}

function bundleOf(value: LosslessValue): LosslessObject {
  if (isLosslessObject(value) && value.resourceType === 'Bundle' && value.type === 'searchset') return value;
  throw new ImportError(
    'import/source-answer',
    "The server's answer is no searchset bundle.",
    'Is it the base of a FHIR R4 server?',
  );
}

function nextLink(bundle: LosslessObject): LosslessValue | undefined {
  const links = isLosslessArray(bundle.link) ? bundle.link : [];
  const next = links.find((link) => isLosslessObject(link) && link.relation === 'next');
  return isLosslessObject(next) ? next.url : undefined;
}

/**
 * The pages of a search, by its next links, as far as they stay at the server and come to an end.
 *
 * @throws {@link ImportError}
 */
export async function* searchPages(options: {
  readonly base: URL;
  readonly first: URL;
  readonly asking: Asking;
}): AsyncGenerator<SearchPage> {
  const { base, first, asking } = options;
  const watch = new LoopWatch();
  let empty = 0;
  let url = first;
  for (let number = 1; number <= PAGES_MAX; number += 1) {
    watch.check(url);
    const bundle = bundleOf((await fetchJson(url, asking)).value);
    const entries = isLosslessArray(bundle.entry) ? bundle.entry : [];
    empty = entries.length === 0 ? empty + 1 : 0;
    if (empty > EMPTY_PAGES_MAX) throw endless('lead from one empty page to the next');
    yield { number, entries };
    const next = nextLink(bundle);
    if (next === undefined) return;
    url = sameServer(base, next);
  }
  throw endless(`go on for more than ${PAGES_MAX} pages`);
}
