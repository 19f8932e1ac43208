import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ChainId } from '@careledger/primitives';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkFolderFormat, lockFolder } from './data-folder.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'careledger-folder-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const chain = new Uint8Array(32).fill(1) as ChainId;

test('a data folder of another chain is refused with both chain ids', () => {
  checkFolderFormat(folder, chain);
  checkFolderFormat(folder, chain);
  const other = new Uint8Array(32).fill(2) as ChainId;
  expect(() => checkFolderFormat(folder, other)).toThrow(/belongs to chain 0101.*, not to 0202/);
});

test('a data folder of another version is refused', () => {
  writeFileSync(join(folder, 'format'), `careledger-node 9 ${'01'.repeat(32)}\n`);
  expect(() => checkFolderFormat(folder, chain)).toThrow('has version 9; this node reads version 1');
});

test('a folder that is not ours is refused', () => {
  writeFileSync(join(folder, 'format'), 'something else');
  expect(() => checkFolderFormat(folder, chain)).toThrow('is not a folder of a Careledger node');
});

test('a data folder in use is refused, by another process too, and free again after its release', () => {
  const lock = lockFolder(folder);
  expect(() => lockFolder(folder)).toThrow(`in use by process ${process.pid}`);
  const attempt = `import { lockFolder } from ${JSON.stringify(new URL('./data-folder.ts', import.meta.url).href)};
    try { lockFolder(${JSON.stringify(folder)}); } catch (fault) { console.log(fault.code); }`;
  const run = () => spawnSync(process.execPath, ['--input-type=module', '-e', attempt], { encoding: 'utf8' });
  expect(run().stdout.trim()).toBe('store/in-use');
  lock.release();
  expect(run().stdout.trim()).toBe('');
  lockFolder(folder).release();
});
