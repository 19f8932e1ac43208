import {
  keyInForce,
  type PublishEntries,
  publishEntriesCodec,
  withdrawEntriesCodec,
} from '@careledger/capabilities';
import { openLocation } from '@careledger/custody';
import { type Block, decodeTransaction, type Transaction } from '@careledger/ledger';
import type { ExchangeContext } from '../exchange-context.ts';

const PROGRESS = 'locator';

/**
 * Reads the locator: tries to open every entry of every block, because an entry names no recipient. What opens, and
 * carries a tag that our own desk gave out, says that a consent opens that patient's records at that custodian.
 */
export class LocatorScan {
  readonly #context: ExchangeContext;
  #turn: Promise<void> = Promise.resolve();

  constructor(context: ExchangeContext) {
    this.#context = context;
  }

  /** Reads every block up to the newest that it has not read; resolves when it has. */
  catchUp(): Promise<void> {
    this.#turn = this.#turn.catch(() => undefined).then(() => this.#scanOn());
    return this.#turn;
  }

  async #scanOn(): Promise<void> {
    const { database, ledger } = this.#context;
    const from = await database.progress(PROGRESS);
    const to = ledger.head().header.height;
    for (let height = from + 1; height <= to; height += 1) {
      const block = ledger.block(height);
      if (block) await this.#scan(block);
      await database.setProgress(PROGRESS, height);
    }
  }

  async #scan(block: Block): Promise<void> {
    for (const [index, bytes] of block.transactions.entries()) {
      if (block.results[index]?.code !== 0) continue;
      const decoded = decodeTransaction(bytes);
      if (!decoded.ok) continue;
      const { type, body } = decoded.value.payload;
      if (type === 'locator/publish') {
        await this.#take(decoded.value, publishEntriesCodec.decode(body), block.header.time);
      } else if (type === 'locator/withdraw') {
        const { entryIds } = withdrawEntriesCodec.decode(body);
        for (const entryId of entryIds) {
          await this.#context.recipient.withdrawLocation(entryId, block.header.time);
        }
      }
    }
  }

  async #take(transaction: Transaction, { entries }: PublishEntries, foundAt: number): Promise<void> {
    const { box, recipient, ledger } = this.#context;
    for (const { entryId, ciphertext } of entries) {
      const location = openLocation(ciphertext, box);
      const introduced = location && (await recipient.introduced(location.locatorTag));
      if (!location || !introduced) continue;
      // Anybody may write an entry that we can open; only the custodian that was named speaks for its records.
      if (keyInForce(ledger, transaction.signer)?.organization !== introduced.custodian) continue;
      const { consentId } = location;
      await recipient.addLocation({ consentId, tagHash: introduced.tagHash, entryId, foundAt });
    }
  }
}
