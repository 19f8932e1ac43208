import { fromBase64Url, fromUtf8, toBase64Url, utf8 } from '@careledger/primitives';
import type { Page } from '../index-store/index.ts';
import { type Keystore, PAGE_LINK_KEY } from '../keystore/index.ts';
import { ExchangeError } from './errors.ts';

const CONTEXT = utf8('careledger/exchange/page/1');
/** Cursors are padded to a multiple of this, in bytes: their length tells nothing of a sort key. */
const PADDED_BYTES = 128;

/**
 * Where a page ended, sealed: the place in the vault would tell another member how many records this organization
 * holds, and a sort key what stands in one.
 */
export class PageCursors {
  readonly #keystore: Pick<Keystore, 'wrap' | 'unwrap'>;

  constructor(keystore: Pick<Keystore, 'wrap' | 'unwrap'>) {
    this.#keystore = keystore;
  }

  write(page: Page): string {
    const text = JSON.stringify([page.seq, page.keys]);
    const padded = utf8(text.padEnd(Math.ceil(text.length / PADDED_BYTES) * PADDED_BYTES));
    return toBase64Url(this.#keystore.wrap(PAGE_LINK_KEY, padded, CONTEXT));
  }

  /** @throws {@link ExchangeError} `exchange/invalid` for what we did not give out. */
  read(cursor: string | undefined): Page | undefined {
    if (cursor === undefined) return undefined;
    const sealed = fromBase64Url(cursor);
    const text = sealed && this.#keystore.unwrap(PAGE_LINK_KEY, sealed, CONTEXT);
    if (!text) throw new ExchangeError('exchange/invalid', 'The page is not one that this server gave out.');
    const [seq, keys] = JSON.parse(fromUtf8(text)) as [Page['seq'], Page['keys']];
    return { seq, keys };
  }
}
