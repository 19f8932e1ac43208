import { type LosslessObject, parseLossless, toPlain } from '@careledger/fhir';
import type { Resource } from '@medplum/fhirtypes';
import { type Keystore, SEARCH_INDEX_KEY } from '../keystore/index.ts';
import type { StoredVersion, Vault } from '../vault/index.ts';
import { VaultError } from '../vault/index.ts';
import type { IndexChange, IndexStore } from './index-store.ts';
import type { RecordTexts } from './record-texts.ts';
import { type SearchValues, searchValuesOf } from './search-values.ts';
import { Tokenizer } from './tokenizer.ts';

const ROWS_PER_STEP = 256;
const NOTHING: SearchValues = { tokens: [], texts: [], spans: [], links: [] };

export interface IndexerOptions {
  readonly keystore: Keystore;
  /** The records that the index is derived from. */
  readonly vault: Vault;
  /** FHIR base URL without a last slash: absolute references below it are this gateway's own. */
  readonly baseUrl: string;
}

/** Fills the index from what the vault holds, and reads there what the index holds only in pieces. */
export class Indexer implements RecordTexts {
  readonly tokenizer: Tokenizer;
  readonly #store: IndexStore;
  readonly #vault: Vault;
  readonly #base: string;

  constructor(store: IndexStore, { keystore, vault, baseUrl }: IndexerOptions) {
    this.#store = store;
    this.#vault = vault;
    this.#base = `${baseUrl}/`;
    this.tokenizer = new Tokenizer(keystore.mac(SEARCH_INDEX_KEY));
    store.readTextsFrom(this);
  }

  async read(seqs: readonly number[]): Promise<ReadonlyMap<number, Resource>> {
    const versions = await this.#vault.bySeq(seqs);
    return new Map(versions.map((version) => [version.seq, plainOf(version)]));
  }

  textToken(type: string, parameter: string, letters: string): Uint8Array {
    return this.tokenizer.token(type, parameter, 'text', letters);
  }

  /** What the index has to know of a version. `resource` spares parsing where the caller has it. */
  changeOf(version: StoredVersion, resource?: Resource): IndexChange {
    const { seq, type, id, time, deleted, subjects } = version;
    const values = deleted ? NOTHING : this.valuesOf(resource ?? plainOf(version));
    return { seq, type, id, time, deleted, subjects, values };
  }

  /** What a resource is found by. */
  valuesOf(resource: Resource): SearchValues {
    return searchValuesOf(resource, this.tokenizer, this.#base);
  }

  apply(changes: readonly IndexChange[]): Promise<void> {
    return this.#store.apply(changes);
  }

  /**
   * Takes in what the vault has beyond the index: everything, when the index is new. Records that cannot be opened are
   * passed over (`verifyVault` names them) and counted.
   */
  async catchUp(vault: Vault): Promise<{ readonly indexed: number; readonly skipped: number }> {
    let after = await this.#store.appliedSeq();
    let indexed = 0;
    let skipped = 0;
    for (;;) {
      const rows = await vault.rowsAfter(after, ROWS_PER_STEP);
      const last = rows.at(-1);
      if (!last) return { indexed, skipped };
      const changes: IndexChange[] = [];
      for (const row of rows) {
        if (row.current !== 1) continue;
        try {
          changes.push(this.changeOf(await vault.openRow(row)));
        } catch (error) {
          if (!(error instanceof VaultError)) throw error;
          skipped += 1;
        }
      }
      await this.#store.apply(changes);
      indexed += changes.length;
      after = last.seq;
    }
  }
}

/** A version as the plain object that validation and indexing read. */
export function plainOf(version: StoredVersion): Resource {
  return toPlain(parseLossless(version.text) as LosslessObject) as unknown as Resource;
}
