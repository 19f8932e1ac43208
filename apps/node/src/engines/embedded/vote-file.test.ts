import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { utf8 } from '@careledger/primitives';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { VoteFile } from './vote-file.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'careledger-votes-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function restored(): Promise<Uint8Array | undefined> {
  const votes = await VoteFile.open(folder);
  await votes.close();
  return votes.restored;
}

async function write(...promises: readonly string[]): Promise<void> {
  const votes = await VoteFile.open(folder);
  for (const promise of promises) await votes.write(utf8(promise));
  await votes.close();
}

test('the last promise survives a restart, whatever was promised before', async () => {
  expect(await restored()).toBeUndefined();
  await write('first', 'a much longer second promise', 'third');
  expect(await restored()).toEqual(utf8('third'));
  await write('fourth');
  expect(await restored()).toEqual(utf8('fourth'));
});

test('a write that was cut short at any byte leaves the promise before it', async () => {
  await write('first', 'second');
  const path = join(folder, 'votes-0');
  const whole = readFileSync(path);
  for (let length = 0; length < whole.length; length += 1) {
    writeFileSync(path, whole);
    truncateSync(path, length);
    expect(await restored()).toEqual(utf8('first'));
  }
});

test('promises that cannot be read stop the validator rather than let it vote twice', async () => {
  await write('first', 'second');
  for (const name of ['votes-0', 'votes-1']) writeFileSync(join(folder, name), 'damaged beyond reading');
  await expect(VoteFile.open(folder)).rejects.toMatchObject({ code: 'engine/votes-damaged' });
});
