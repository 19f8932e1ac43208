import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CliError } from '../errors.ts';

function isAlive(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Makes one folder after the other: `recursive` never ends where a file system takes no folders at all. */
function makeFolder(folder: string): void {
  if (existsSync(folder)) {
    if (!statSync(folder).isDirectory()) throw new Error('it is not a folder');
    return;
  }
  makeFolder(dirname(folder));
  mkdirSync(folder, { mode: 0o700 });
}

function requireFolder(folder: string): void {
  try {
    makeFolder(folder);
  } catch (cause) {
    throw new CliError(
      'data/folder',
      `The data folder ${folder} cannot be made or used.`,
      'Give a folder that you may write to with --data.',
      { cause },
    );
  }
}

/**
 * Takes a data folder for this process. A lock whose process is gone (it was killed) is taken over.
 *
 * @returns The function that gives it back.
 * @throws {@link CliError} `data/in-use` while another process has it.
 */
export function lockFolder(folder: string): () => void {
  requireFolder(folder);
  const path = join(folder, 'lock');
  for (;;) {
    try {
      writeFileSync(path, String(process.pid), { flag: 'wx' });
      return () => rmSync(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = Number(readFileSync(path, 'utf8'));
    if (Number.isInteger(holder) && holder > 0 && holder !== process.pid && isAlive(holder)) {
      throw new CliError(
        'data/in-use',
        `The data folder ${folder} is in use by process ${holder}.`,
        'Stop that process, or give another folder with --data.',
      );
    }
    rmSync(path, { force: true });
  }
}
