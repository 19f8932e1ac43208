import type { KeyName, Keystore } from '../keystore/index.ts';
import { dataKeyContext } from './record-envelope.ts';
import { summaryOf } from './stored-version.ts';
import type { Vault } from './vault.ts';
import type { VaultTransaction } from './vault-rows.ts';

/** Data keys in one transaction: writers wait this long at most. */
const KEYS_PER_STEP = 256;

/** What a walk over everything under one key did. */
export interface RewrapCount {
  readonly rewrapped: number;
  /** Neither version of the key opens these: they were altered, and stay as they are. */
  readonly altered: number;
}

interface Step {
  readonly last: number | undefined;
  readonly rewrapped: number;
  readonly altered: number;
}

/** Wraps every data key of one subject, or of the organization, under the newest version of its key. */
export async function rewrapVersions(options: {
  readonly vault: Pick<Vault, 'transaction'>;
  readonly keystore: Keystore;
  readonly name: KeyName;
}): Promise<RewrapCount> {
  let [rewrapped, altered] = [0, 0];
  for (let after: number | undefined = 0; after !== undefined; ) {
    const start: number = after;
    const step = await options.vault.transaction((tx) => rewrapStep(tx, options, start));
    rewrapped += step.rewrapped;
    altered += step.altered;
    after = step.last;
  }
  return { rewrapped, altered };
}

async function rewrapStep(
  tx: VaultTransaction,
  { keystore, name }: { readonly keystore: Keystore; readonly name: KeyName },
  after: number,
): Promise<Step> {
  const rows = await tx
    .selectFrom('version_key')
    .innerJoin('version', 'version.seq', 'version_key.seq')
    .selectAll('version')
    .select('version_key.wrapped')
    .where('version_key.key_name', '=', name)
    .where('version_key.seq', '>', after)
    .orderBy('version_key.seq')
    .limit(KEYS_PER_STEP)
    .execute();
  let [rewrapped, altered] = [0, 0];
  for (const row of rows) {
    const next = keystore.rewrap(name, row.wrapped, dataKeyContext(summaryOf(row)));
    if (next === 'altered') altered += 1;
    if (typeof next === 'string') continue;
    rewrapped += 1;
    await tx
      .updateTable('version_key')
      .set({ wrapped: next })
      .where('seq', '=', row.seq)
      .where('key_name', '=', name)
      .execute();
  }
  return { last: rows.at(-1)?.seq, rewrapped, altered };
}
