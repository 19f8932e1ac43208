import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type ChainId, toHex } from '@careledger/primitives';
import { NodeError } from '../errors.ts';

/** Raised when the layout of the folder changes so that an older node must not touch it. */
export const FOLDER_VERSION = 1;
const FORMAT = 'careledger-node';

/** Exclusive hold on a node's folder. */
export interface FolderLock {
  readonly release: () => void;
}

/**
 * Takes the folder for this process. The lock is the operating system's (held through SQLite), so it ends with the
 * process, however that ends; no stale file can lock a member out of its own ledger.
 * @throws NodeError `store/in-use`.
 */
export function lockFolder(folder: string): FolderLock {
  mkdirSync(folder, { recursive: true });
  const owner = join(folder, 'owner');
  const database = new DatabaseSync(join(folder, 'lock'));
  try {
    database.exec('PRAGMA journal_mode = MEMORY; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (cause) {
    database.close();
    throw new NodeError(
      'store/in-use',
      `the data folder ${folder} is in use by process ${readOwner(owner)}`,
      'Stop the other process, or give this one a folder of its own with --data.',
      { cause },
    );
  }
  writeFileSync(owner, `${process.pid}\n`);
  return {
    release: () => {
      rmSync(owner, { force: true });
      database.close();
    },
  };
}

function readOwner(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim() || 'unknown';
  } catch {
    return 'unknown';
  }
}

/**
 * Checks that the folder is of this version and chain; marks a new one.
 * @throws NodeError `store/other-version`, `store/other-chain`, `store/not-ours`.
 */
export function checkFolderFormat(folder: string, chain: ChainId): void {
  const path = join(folder, 'format');
  const expected = `${FORMAT} ${FOLDER_VERSION} ${toHex(chain)}\n`;
  let found: string;
  try {
    found = readFileSync(path, 'utf8');
  } catch {
    writeFileSync(path, expected, { flush: true });
    return;
  }
  if (found === expected) return;
  const [format, version, chainText] = found.trim().split(' ');
  if (format !== FORMAT) {
    throw new NodeError(
      'store/not-ours',
      `${folder} is not a folder of a Careledger node`,
      OTHER_FOLDER_HELP,
    );
  }
  if (version !== String(FOLDER_VERSION)) {
    throw new NodeError(
      'store/other-version',
      `the data folder ${folder} has version ${version}; this node reads version ${FOLDER_VERSION}`,
      'Use the release of Careledger that wrote it, or start with an empty folder and catch up from the peers.',
    );
  }
  throw new NodeError(
    'store/other-chain',
    `the data folder ${folder} belongs to chain ${chainText}, not to ${toHex(chain)}`,
    OTHER_FOLDER_HELP,
  );
}

const OTHER_FOLDER_HELP = 'Give this node a folder of its own with --data.';
