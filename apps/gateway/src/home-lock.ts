import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** Another process has this member's gateway folder. */
export class HomeLockError extends Error {
  override readonly name = 'HomeLockError';
  readonly code = 'gateway/in-use';
  readonly help = 'Stop the other gateway, or give this one a home of its own.';
}

/** Exclusive hold on a gateway's folder. */
export interface HomeLock {
  readonly release: () => void;
}

/**
 * Takes the folder for this gateway. The lock is the operating system's (held through SQLite): it ends with the process,
 * however that ends, and no stale file can lock a member out.
 *
 * @throws {@link HomeLockError} when another gateway has it: two would sign, journal and number side by side.
 */
export function lockHome(folder: string): HomeLock {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const database = new DatabaseSync(join(folder, 'lock'), { timeout: 0 });
  try {
    database.exec('pragma journal_mode = memory; pragma locking_mode = exclusive; begin exclusive');
  } catch (cause) {
    database.close();
    throw new HomeLockError('another gateway is at work in this folder', { cause });
  }
  return { release: () => database.close() };
}
