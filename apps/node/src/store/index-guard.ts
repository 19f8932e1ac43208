import { closeSync, existsSync, fstatSync, openSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const INDEX_PAGE_BYTES = 4096;
const MAGIC = 0xbeefc0de;
/** Where a meta page of lmdb 3.5 holds its magic, its last page number and its transaction number. */
const MAGIC_OFFSET = 24;
const LAST_PAGE_OFFSET = 144;
const TRANSACTION_OFFSET = 152;
const META_BYTES = 160;

/**
 * Does the file look like one that LMDB may map? LMDB trusts what it maps: garbage or a cut-off file ends the process
 * with SIGSEGV or SIGBUS, which nobody can catch (measured). An absent file is fine: it is made anew.
 */
export function isMappable(folder: string): boolean {
  const path = join(folder, 'data.mdb');
  if (!existsSync(path)) return true;
  const descriptor = openSync(path, 'r');
  try {
    const { size } = fstatSync(descriptor);
    const metas = [0, INDEX_PAGE_BYTES].map((offset) => readMeta(descriptor, offset));
    const [first, second] = metas;
    if (!first || !second) return false;
    const newest = first.transaction > second.transaction ? first : second;
    return (newest.lastPage + 1n) * BigInt(INDEX_PAGE_BYTES) <= BigInt(size);
  } finally {
    closeSync(descriptor);
  }
}

function readMeta(
  descriptor: number,
  offset: number,
): { readonly lastPage: bigint; readonly transaction: bigint } | undefined {
  const page = Buffer.alloc(META_BYTES);
  if (readSync(descriptor, page, 0, META_BYTES, offset) < META_BYTES) return undefined;
  if (page.readUInt32LE(MAGIC_OFFSET) !== MAGIC) return undefined;
  return {
    lastPage: page.readBigUInt64LE(LAST_PAGE_OFFSET),
    transaction: page.readBigUInt64LE(TRANSACTION_OFFSET),
  };
}

/**
 * Remembers on disk that the index is being opened. A process that died in the middle of it leaves the mark behind,
 * and the next one rebuilds the index instead of dying the same way.
 */
export class OpeningMark {
  readonly #path: string;

  constructor(folder: string) {
    this.#path = join(folder, 'opening-index');
  }

  get isLeftOver(): boolean {
    return existsSync(this.#path);
  }

  set(): void {
    writeFileSync(this.#path, '');
  }

  clear(): void {
    rmSync(this.#path, { force: true });
  }
}
