import type { LedgerPort } from '@careledger/custody';
import { ANCHOR_TYPE, decodeTransaction } from '@careledger/ledger';
import { equalBytes } from '@careledger/primitives';
import { type Vault, VaultError } from '../vault/index.ts';

/** Up to which block the vault was compared with the ledger: a property of the vault, so it goes back with it. */
const CHECKED_HEIGHT = 'anchors-checked-height';

/**
 * Compares the vault with the ledger: every anchor that our key signed since the newest one the vault knows must be
 * known to it. A vault that was put back to an earlier state as a whole holds together in itself; only here it shows.
 *
 * @throws {@link VaultError} `vault/rolled-back`: serving it would give out old versions as new ones, and retire twice.
 */
export async function requireAnchorsKnown(options: {
  readonly vault: Vault;
  readonly ledger: Pick<LedgerPort, 'head' | 'block'>;
  /** Key that signs our anchors. */
  readonly signer: Uint8Array;
}): Promise<void> {
  const { vault, ledger, signer } = options;
  const known = new Set(
    (await vault.reader.selectFrom('batch').select('transaction_id').execute()).map(({ transaction_id }) =>
      Buffer.from(transaction_id).toString('hex'),
    ),
  );
  const head = ledger.head().header.height;
  for (let height = await heightKnown(vault); height <= head; height += 1) {
    const block = ledger.block(height);
    for (const [index, bytes] of block?.transactions.entries() ?? []) {
      if (block?.results[index]?.code !== 0) continue;
      const transaction = decodeTransaction(bytes);
      if (!transaction.ok || transaction.value.payload.type !== ANCHOR_TYPE) continue;
      if (!equalBytes(transaction.value.signer, signer)) continue;
      if (known.has(Buffer.from(transaction.value.id).toString('hex'))) continue;
      throw new VaultError('vault/rolled-back', `the vault does not know what block ${height} anchors`);
    }
  }
  await vault.setProperty(CHECKED_HEIGHT, String(head));
}

async function heightKnown(vault: Vault): Promise<number> {
  const newest = await vault.reader
    .selectFrom('batch')
    .select((of) => of.fn.max('height').as('height'))
    .executeTakeFirst();
  return Math.max(newest?.height ?? 1, Number((await vault.property(CHECKED_HEIGHT)) ?? 1));
}
