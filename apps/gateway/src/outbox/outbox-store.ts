import { anchorRecordsCodec, retiredKey } from '@careledger/capabilities';
import type { FinalTransaction, LedgerPort } from '@careledger/custody';
import { retireKeyOf, type Transaction } from '@careledger/ledger';
import type { Signer, TransactionId } from '@careledger/primitives';
import {
  drawCounter,
  type PriorityClass,
  recordBatch,
  type Vault,
  type VaultTransaction,
} from '../vault/index.ts';
import {
  ANCHOR_MS_MAX,
  BATCH_LEAVES_MAX,
  composeBatch,
  padRetirements,
  signAnchor,
  type WaitingLeaf,
} from './anchor-batch.ts';

/** An anchor that is written down and not yet known to be final. */
export interface SignedBatch {
  readonly batch: number;
  readonly transactionId: TransactionId;
  readonly bytes: Uint8Array;
  /** Block time in milliseconds after which no block can hold it. */
  readonly expires: number;
  readonly body: Uint8Array;
}

export interface OutboxStoreOptions {
  readonly vault: Vault;
  readonly ledger: Pick<LedgerPort, 'chain' | 'head' | 'get'>;
  readonly signer: Signer;
  readonly now: () => number;
  readonly random: (length: number) => Uint8Array;
}

export interface OutboxStatus {
  /** Versions that no final anchor holds yet. */
  readonly waiting: number;
  /** When the oldest of them was written, in milliseconds. */
  readonly oldest: number | undefined;
  /** The same of the critical ones alone. */
  readonly oldestCritical: number | undefined;
}

interface WaitingVersion {
  readonly seq: number;
  readonly version: WaitingLeaf;
  readonly document?: WaitingLeaf;
}

function leavesOf({ version, document }: WaitingVersion): readonly WaitingLeaf[] {
  return document ? [version, document] : [version];
}

/** The outbox's rows in the vault. Every step is one SQL transaction. */
export class OutboxStore {
  readonly #options: OutboxStoreOptions;

  constructor(options: OutboxStoreOptions) {
    this.#options = options;
  }

  async status(): Promise<OutboxStatus> {
    const row = await this.#options.vault.reader
      .selectFrom('outbox')
      .select((of) => [of.fn.countAll<number>().as('waiting'), of.fn.min('queued').as('oldest')])
      .executeTakeFirstOrThrow();
    const critical = await this.#options.vault.reader
      .selectFrom('outbox')
      .select((of) => of.fn.min('queued').as('oldest'))
      .where('priority', '=', 'critical')
      .executeTakeFirstOrThrow();
    return {
      waiting: row.waiting,
      oldest: row.oldest ?? undefined,
      oldestCritical: critical.oldest ?? undefined,
    };
  }

  /** Anchors that were signed before: a crash or a lost quorum left them open. */
  async signed(): Promise<readonly SignedBatch[]> {
    const rows = await this.#options.vault.reader
      .selectFrom('batch')
      .selectAll()
      .where('state', '=', 'signed')
      .orderBy('batch')
      .execute();
    return rows.map((row) => ({
      batch: row.batch,
      transactionId: row.transaction_id as TransactionId,
      bytes: row.transaction_bytes,
      expires: row.expires,
      body: row.body,
    }));
  }

  /** Takes what waits into a batch and writes its signed anchor down; `undefined` when nothing waits. */
  sealBatch(): Promise<SignedBatch | undefined> {
    return this.#options.vault.transaction(async (tx) => {
      const versions = await this.#waiting(tx);
      if (versions.length === 0) return undefined;
      const { body, proofs } = composeBatch(versions.flatMap(leavesOf), this.#options.random);
      const { transaction, expires } = this.#sign(body);
      const batch = await drawCounter(tx, 'batch', 1);
      await tx
        .insertInto('batch')
        .values({
          batch,
          state: 'signed',
          body,
          transaction_id: transaction.id,
          transaction_bytes: transaction.bytes,
          expires,
          leaf_count: proofs.size,
          height: null,
          position: null,
          anchored: null,
        })
        .execute();
      const seqs = versions.map(({ seq }) => seq);
      await tx.updateTable('outbox').set({ batch }).where('seq', 'in', seqs).execute();
      for (const { seq, version, document } of versions) {
        const leafProof = proofs.get(version) ?? null;
        await recordBatch(tx, { seq, batch, leafProof });
        const documentProof = document && proofs.get(document);
        if (!documentProof) continue;
        await tx.updateTable('document').set({ leaf_proof: documentProof }).where('seq', '=', seq).execute();
      }
      return { batch, transactionId: transaction.id, bytes: transaction.bytes, expires, body };
    });
  }

  /**
   * What waits, as much as one batch holds: what is critical, then the oldest. In the batch they stand in the vault's
   * order, so that no leaf's place says its class.
   */
  async #waiting(tx: VaultTransaction): Promise<readonly WaitingVersion[]> {
    const critical = await this.#waitingOf(tx, 'critical', BATCH_LEAVES_MAX);
    const rest = BATCH_LEAVES_MAX - critical.length;
    const routine = rest > 0 ? await this.#waitingOf(tx, 'routine', rest) : [];
    let leaves = 0;
    const taken = [...critical, ...routine].filter((each) => {
      leaves += leavesOf(each).length;
      return leaves <= BATCH_LEAVES_MAX;
    });
    return taken.sort((left, right) => left.seq - right.seq);
  }

  async #waitingOf(
    tx: VaultTransaction,
    priority: PriorityClass,
    countMax: number,
  ): Promise<readonly WaitingVersion[]> {
    const rows = await tx
      .selectFrom('outbox')
      .innerJoin('version', 'version.seq', 'outbox.seq')
      .leftJoin('document', 'document.seq', 'outbox.seq')
      .select(['outbox.seq', 'version.deleted', 'version.leaf', 'version.leaf_hash', 'outbox.retire_secret'])
      .select(['document.name', 'document.leaf as document_leaf', 'document.leaf_hash as document_leaf_hash'])
      .select('document.retire_secret as document_retire_secret')
      .where('outbox.batch', 'is', null)
      .where('outbox.priority', '=', priority)
      .orderBy('outbox.seq')
      .limit(countMax)
      .execute();
    return rows.map((row): WaitingVersion => {
      const { seq, document_leaf: leaf, document_leaf_hash: leafHash } = row;
      const version = {
        deleted: row.deleted === 1,
        leaf: row.leaf,
        leafHash: row.leaf_hash,
        retireSecret: row.retire_secret,
      };
      if (leaf === null || leafHash === null) return { seq, version };
      const retireSecret = row.document_retire_secret;
      return { seq, version, document: { deleted: row.name === null, leaf, leafHash, retireSecret } };
    });
  }

  #sign(body: Uint8Array): { readonly transaction: Transaction; readonly expires: number } {
    const { ledger, signer, random } = this.#options;
    // Expiry is judged by block time: without a quorum, the wall clock runs away from it.
    const expires = ledger.head().time + ANCHOR_MS_MAX;
    return {
      transaction: signAnchor({ chain: ledger.chain, body, expiresAt: expires, signer, random }),
      expires,
    };
  }

  /** The anchor is final and accepted: its versions have left the outbox. */
  settle(batch: number, final: FinalTransaction): Promise<void> {
    return this.#options.vault.transaction(async (tx) => {
      await tx
        .updateTable('batch')
        .set({ state: 'anchored', height: final.height, position: final.index, anchored: final.time })
        .where('batch', '=', batch)
        .execute();
      await tx.deleteFrom('outbox').where('batch', '=', batch).execute();
    });
  }

  /**
   * Signs a batch anew, when its earlier anchor was refused or can no longer be included. What state says is retired
   * already is left out: a retirement stands once only.
   */
  remake(signed: SignedBatch): Promise<SignedBatch> {
    const { vault, ledger, random } = this.#options;
    const { root, retirements } = anchorRecordsCodec.decode(signed.body);
    const open = retirements.filter(({ retireSecret }) => {
      const retireKey = retireKeyOf({ organization: vault.organization, retireSecret });
      return ledger.get(retiredKey(retireKey)) === undefined;
    });
    const body = anchorRecordsCodec.encode({ root, retirements: padRetirements(open, random) });
    const { transaction, expires } = this.#sign(body);
    return vault.transaction(async (tx) => {
      await tx
        .updateTable('batch')
        .set({ body, transaction_id: transaction.id, transaction_bytes: transaction.bytes, expires })
        .where('batch', '=', signed.batch)
        .execute();
      return { ...signed, transactionId: transaction.id, bytes: transaction.bytes, expires, body };
    });
  }
}
