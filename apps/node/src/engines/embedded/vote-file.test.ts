import { spawnSync } from 'node:child_process';
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

test.skipIf(process.platform === 'win32')(
  'a disk that takes a part of a promise took none of it',
  async () => {
    await write('first');
    const module = new URL('vote-file.ts', import.meta.url).href;
    const script = `
    const { VoteFile } = await import(${JSON.stringify(module)});
    const votes = await VoteFile.open(${JSON.stringify(folder)});
    await votes.write(new Uint8Array(50_000));
    console.log('promised');`;
    // A limit on the size of files stands for a disk that fills up.
    const run = spawnSync('sh', [
      '-c',
      'ulimit -f 8; exec "$0" --input-type=module -e "$1"',
      process.execPath,
      script,
    ]);
    expect(run.stdout.toString()).toBe('');
    expect(run.stderr.toString()).toContain('EFBIG');
    expect(await restored()).toEqual(utf8('first'));
  },
);
