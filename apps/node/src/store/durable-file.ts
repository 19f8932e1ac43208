import { closeSync, fsyncSync, openSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** What ends so is half of something that a crash left behind: it never counts and may be removed. */
export const UNFINISHED = '.new';

/** A new name is durable only once its folder is. */
export function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Told before each step that changes the disk. A test stops there, as a crash would. */
export type BeforeStep = (step: string) => void;

/** Puts a finished file in its place: whoever looks, after a crash too, sees the old one or the new one. */
export function moveIntoPlace(unfinished: string, path: string): void {
  renameSync(unfinished, path);
  syncFolder(dirname(path));
}

/** Writes a whole file so that a crash leaves all of it or none. */
export function writeDurably(path: string, bytes: Uint8Array, beforeStep: BeforeStep): void {
  const unfinished = `${path}${UNFINISHED}`;
  beforeStep(`write ${path}`);
  writeFileSync(unfinished, bytes, { flush: true });
  beforeStep(`rename ${path}`);
  moveIntoPlace(unfinished, path);
}
