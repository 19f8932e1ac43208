import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type BeforeStep, syncFolder, UNFINISHED, writeDurably } from './durable-file.ts';

const HEIGHT_DIGITS = 16;
const SNAPSHOT_NAME = /^(\d{16})\.snapshot$/;

/** A state snapshot beside the block files, with the validator sets that certified the blocks up to it. */
export interface SnapshotFile {
  readonly height: number;
  /** `exportSnapshot`: the same bytes on every node. */
  readonly path: string;
  /** A trust path: needed to judge the certificates of blocks that cannot be executed any more. */
  readonly trustPath: string;
}

function filesAt(folder: string, height: number): SnapshotFile {
  const name = String(height).padStart(HEIGHT_DIGITS, '0');
  return { height, path: join(folder, `${name}.snapshot`), trustPath: join(folder, `${name}.trust`) };
}

/** The snapshots of a folder, the newest first. One whose other file is missing does not count. */
export function listSnapshots(folder: string): readonly SnapshotFile[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .flatMap((name) => {
      const [, height] = SNAPSHOT_NAME.exec(name) ?? [];
      return height === undefined ? [] : [filesAt(folder, Number(height))];
    })
    .filter(({ trustPath }) => existsSync(trustPath))
    .sort((left, right) => right.height - left.height);
}

/** Bytes of all snapshots with what belongs to them. */
export function snapshotBytes(folder: string): number {
  return listSnapshots(folder).reduce(
    (sum, { path, trustPath }) => sum + statSync(path).size + statSync(trustPath).size,
    0,
  );
}

export function readSnapshot(file: SnapshotFile): {
  readonly state: Uint8Array;
  readonly trust: Uint8Array;
} {
  return {
    state: new Uint8Array(readFileSync(file.path)),
    trust: new Uint8Array(readFileSync(file.trustPath)),
  };
}

/** Writes a snapshot. It counts with its second file, the state, in place. */
export function writeSnapshot(
  folder: string,
  content: { readonly height: number; readonly state: Uint8Array; readonly trust: Uint8Array },
  beforeStep: BeforeStep,
): void {
  const { path, trustPath } = filesAt(folder, content.height);
  writeDurably(trustPath, content.trust, beforeStep);
  writeDurably(path, content.state, beforeStep);
}

/** Removes the snapshots below a height, each state before its sets, so that what is left over never counts. */
export function removeSnapshotsBelow(folder: string, height: number, beforeStep: BeforeStep): void {
  for (const old of listSnapshots(folder)) {
    if (old.height >= height) continue;
    beforeStep(`remove ${old.path}`);
    rmSync(old.path);
    rmSync(old.trustPath);
  }
  syncFolder(folder);
}

/** Removes what a crash left half written. */
export function removeUnfinished(folder: string): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) if (name.endsWith(UNFINISHED)) rmSync(join(folder, name));
}
