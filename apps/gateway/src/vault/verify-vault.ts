import { anchorRecordsCodec, tombstoneLeafCodec } from '@careledger/capabilities';
import { decodeTransaction, inclusionProofCodec, recordLeafCodec, verifyInclusion } from '@careledger/ledger';
import { equalBytes } from '@careledger/primitives';
import { VaultError } from './errors.ts';
import type { RecordFault } from './record-envelope.ts';
import { documentLeafOf, type StoredVersion } from './stored-version.ts';
import type { Vault } from './vault.ts';
import { keysOf, type VersionRow } from './vault-rows.ts';

const ROWS_PER_STEP = 256;

/** One thing that is wrong with the vault, and where. */
export interface VaultFault {
  /** `Observation/7f3c… version 2`, or the place in the vault where a row is missing. */
  readonly record: string;
  readonly fault:
    | RecordFault
    | 'row missing'
    | 'version missing'
    | 'supersedes'
    | 'leaf proof'
    | 'current'
    | 'document';
}

export interface VaultReport {
  readonly versions: number;
  readonly records: number;
  /** Versions whose keys were destroyed: nobody can read or check them. */
  readonly erased: number;
  readonly faults: readonly VaultFault[];
}

interface Chain {
  version: number;
  leafHash: Uint8Array;
  current: boolean;
}

interface Walk {
  readonly vault: Vault;
  readonly roots: ReadonlyMap<number, Uint8Array>;
  readonly chains: Map<string, Chain>;
  readonly faults: VaultFault[];
  lastSeq: number;
  erased: number;
}

/** The value of work that a row's bytes may make fail. */
function attempt<Value>(work: () => Value): Value | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

/** Roots of the anchored batches, as their transactions say them. */
async function anchoredRoots(vault: Vault): Promise<ReadonlyMap<number, Uint8Array>> {
  const batches = await vault.reader.selectFrom('batch').select(['batch', 'transaction_bytes']).execute();
  const roots = new Map<number, Uint8Array>();
  for (const { batch, transaction_bytes } of batches) {
    const transaction = decodeTransaction(transaction_bytes);
    const message = transaction.ok
      ? attempt(() => anchorRecordsCodec.decode(transaction.value.payload.body))
      : undefined;
    if (message) roots.set(batch, message.root);
  }
  return roots;
}

function nameOf(row: VersionRow): string {
  return `${row.type}/${row.id} version ${row.version}`;
}

function checkChain(walk: Walk, row: VersionRow, supersedes: Uint8Array | undefined): void {
  const key = `${row.type}/${row.id}`;
  const before = walk.chains.get(key);
  const record = nameOf(row);
  if (row.version !== (before?.version ?? 0) + 1) walk.faults.push({ record, fault: 'version missing' });
  else if (before ? !supersedes || !equalBytes(supersedes, before.leafHash) : supersedes !== undefined) {
    walk.faults.push({ record, fault: 'supersedes' });
  }
  if (before?.current) walk.faults.push({ record, fault: 'current' });
  walk.chains.set(key, { version: row.version, leafHash: row.leaf_hash, current: row.current === 1 });
}

function checkProof(walk: Walk, row: VersionRow): void {
  const { batch, leaf_proof: encoded, leaf_hash: leafHash } = row;
  if (batch === null || encoded === null) return;
  const root = walk.roots.get(batch);
  const proof = attempt(() => inclusionProofCodec.decode(encoded));
  const isIncluded =
    root !== undefined && proof !== undefined && verifyInclusion({ leafHash, proof, root }).ok;
  if (!isIncluded) walk.faults.push({ record: nameOf(row), fault: 'leaf proof' });
}

/** The leaf hash that this version's leaf names as the one before it. */
function supersededBy(row: VersionRow): Uint8Array | undefined {
  return attempt(() =>
    row.deleted === 1
      ? tombstoneLeafCodec.decode(row.leaf).deletes
      : recordLeafCodec.decode(row.leaf).supersedes,
  );
}

/** Is the document of a version still what its leaf commits to, to the last byte? */
async function isDocumentWhole(vault: Vault, row: VersionRow, { document }: StoredVersion): Promise<boolean> {
  if (!document) return true;
  const stored = await vault.reader
    .selectFrom('document')
    .select(['name', 'leaf_hash'])
    .where('seq', '=', row.seq)
    .executeTakeFirst();
  if (stored?.name !== document.name) return false;
  const { hash } = documentLeafOf(vault.organization, document);
  if (stored.leaf_hash && !equalBytes(new Uint8Array(stored.leaf_hash), hash)) return false;
  try {
    for await (const _chunk of vault.documents.read(document)) {
      // Reading is what checks it.
    }
    return true;
  } catch (error) {
    if (error instanceof VaultError) return false;
    throw error;
  }
}

async function checkRows(walk: Walk, rows: readonly VersionRow[]): Promise<void> {
  const keys = await keysOf(walk.vault.reader, rows);
  for (const row of rows) {
    if (row.seq !== walk.lastSeq + 1) {
      walk.faults.push({ record: `place ${walk.lastSeq + 1} of the vault`, fault: 'row missing' });
    }
    walk.lastSeq = row.seq;
    const opened = walk.vault.inspect(row, keys.get(row.seq) ?? []);
    if (!opened.ok && opened.fault === 'erased') walk.erased += 1;
    else if (!opened.ok) walk.faults.push({ record: nameOf(row), fault: opened.fault });
    else if (!(await isDocumentWhole(walk.vault, row, opened.version))) {
      walk.faults.push({ record: nameOf(row), fault: 'document' });
    }
    checkChain(walk, row, supersededBy(row));
    checkProof(walk, row);
  }
}

/**
 * Opens every version and checks it: key, envelope, commitment, leaf, the chain of versions, the proof in its batch.
 * Every altered record is named; what cannot be seen here (a vault rolled back as a whole) shows against the ledger.
 */
export async function verifyVault(vault: Vault): Promise<VaultReport> {
  const walk: Walk = {
    vault,
    roots: await anchoredRoots(vault),
    chains: new Map(),
    faults: [],
    lastSeq: 0,
    erased: 0,
  };
  let versions = 0;
  for (;;) {
    const rows = await vault.rowsAfter(walk.lastSeq, ROWS_PER_STEP);
    if (rows.length === 0) break;
    versions += rows.length;
    await checkRows(walk, rows);
  }
  const expected = await vault.lastSeq();
  if (walk.lastSeq !== expected) {
    walk.faults.push({ record: `place ${walk.lastSeq + 1} of the vault`, fault: 'row missing' });
  }
  for (const [record, chain] of walk.chains) {
    if (!chain.current) walk.faults.push({ record, fault: 'current' });
  }
  return { versions, records: walk.chains.size, erased: walk.erased, faults: walk.faults };
}
