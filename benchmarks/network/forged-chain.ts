import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Block,
  type CommitSignature,
  chainIdOf,
  commitBytes,
  decodeGenesis,
  decodeTransaction,
  encodeBlock,
} from '@careledger/ledger';
import { invariant, type PublicKey } from '@careledger/primitives';
import {
  createApplication,
  initChain,
  MemoryStore,
  type VerifiedTransaction,
} from '@careledger/state-machine';
import { encodeRecord } from '../../apps/node/src/store/block-record.ts';
import type { Consortium } from './consortium.ts';
import { benchmarkCatalog, putCodec } from './payload-capability.ts';

const SEGMENT_BYTES = 64 * 1024 * 1024;
/** Blocks write the same few keys again and again: the state stays small, as does the memory for making it. */
const NAMES = 64;
const TRANSACTION_BYTES_MAX = 64 * 1024;

/** Decoded, but not verified: what is forged here was signed here. Whoever reads the chain verifies all of it. */
function believed(bytes: Uint8Array): VerifiedTransaction {
  const decoded = decodeTransaction(bytes, { bytesMax: TRANSACTION_BYTES_MAX });
  if (!decoded.ok) return { ok: false, reason: decoded.error };
  const message = putCodec.decode(decoded.value.payload.body);
  return { ok: true, transaction: decoded.value, message };
}

/**
 * Writes the block files of a chain that its validators could have made: real transactions, real certificates of all
 * of them, one transaction a block. Without engine and syncs, so that a hundred thousand blocks take a minute.
 */
export async function forgeChain(
  consortium: Consortium,
  options: {
    readonly folder: string;
    readonly blocks: number;
    readonly onProgress?: (height: number) => void;
  },
): Promise<void> {
  const genesis = decodeGenesis(consortium.genesis);
  invariant(genesis.ok, 'a consortium has a genesis document');
  const chain = chainIdOf(consortium.genesis);
  const store = new MemoryStore();
  store.apply(initChain({ genesis: genesis.value, catalog: benchmarkCatalog }));
  const application = createApplication({
    genesis: genesis.value,
    catalog: benchmarkCatalog,
    store,
    verifyTransaction: believed,
  });
  const writer = new SegmentWriter(join(options.folder, 'segments'));
  const began = Date.now() - 1_000;
  const validators = consortium.validators.toSorted((left, right) =>
    Buffer.compare(left.publicKey, right.publicKey),
  );
  for (let height = 1; height <= options.blocks; height += 1) {
    const name = new Uint8Array(16).fill(height % NAMES);
    const time = began + Math.floor(height / 100);
    const parentHash = application.info().headerHash;
    const proposer = validators[height % validators.length]?.publicKey as PublicKey;
    const transactions = [consortium.put(0, 32, name)];
    const draft = application.execute({ height, parentHash, time, proposer, transactions });
    const batch = application.finalize(draft.headerHash);
    store.apply(batch);
    application.commit(draft.headerHash);
    const position = {
      engineHeight: height,
      view: 0,
      time,
      ledgerHeight: height,
      headerHash: draft.headerHash,
    };
    const message = commitBytes({ chain, ...position });
    const signatures = validators.map(
      (signer): CommitSignature => ({
        publicKey: signer.publicKey as PublicKey,
        signature: signer.sign(message),
      }),
    );
    const block: Block = {
      header: draft.header,
      transactions,
      results: draft.results,
      certificate: { ...position, signatures },
    };
    writer.append(height, encodeBlock(block));
    if (height % 250 === 0) await new Promise((resolve) => setImmediate(resolve));
    if (height % 10_000 === 0) options.onProgress?.(height);
  }
  writer.close();
}

/** Block files as a node writes them, without a sync. */
class SegmentWriter {
  readonly #folder: string;
  #descriptor: number | undefined;
  #written = 0;

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
  }

  append(height: number, bytes: Uint8Array): void {
    if (this.#descriptor === undefined || this.#written >= SEGMENT_BYTES) {
      this.close();
      this.#descriptor = openSync(join(this.#folder, `${String(height).padStart(16, '0')}.segment`), 'w');
      this.#written = 0;
    }
    this.#written += writeSync(this.#descriptor, encodeRecord(height, bytes));
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }
}
