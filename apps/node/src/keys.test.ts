import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { utf8, verifySignature } from '@careledger/primitives';
import { afterAll, expect, test } from 'vitest';
import { createSigningKey, readSigningKey } from './keys.ts';

const folder = mkdtempSync(join(tmpdir(), 'careledger-keys-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('CRY-05: a key file is its owner’s alone, is read back as the same key, and signs what the ledger verifies', () => {
  const path = join(folder, 'validator.key');
  const made = createSigningKey(path);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const read = readSigningKey(path);
  expect(read.publicKey).toEqual(made.publicKey);
  const message = utf8('agreed');
  const signature = read.sign(message);
  expect(verifySignature({ publicKey: made.publicKey, message, signature })).toBe(true);
});

test('a key file is never overwritten, and one that others may read or that is no key is refused', () => {
  const path = join(folder, 'second.key');
  createSigningKey(path);
  expect(() => createSigningKey(path)).toThrow('cannot write a new key');
  chmodSync(path, 0o644);
  expect(() => readSigningKey(path)).toThrow('is readable by others');
  const wrong = join(folder, 'wrong.key');
  writeFileSync(wrong, 'not a key', { mode: 0o600 });
  expect(() => readSigningKey(wrong)).toThrow('is not a Careledger key file');
  expect(() => readSigningKey(join(folder, 'absent.key'))).toThrow('cannot read the key file');
});
