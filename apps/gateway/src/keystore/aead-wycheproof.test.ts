import { readFileSync } from 'node:fs';
import { fromHex, toHex } from '@careledger/primitives';
import { describe, expect, test } from 'vitest';
import { decrypt, encrypt } from './aead.ts';

interface Case {
  readonly tcId: number;
  readonly comment: string;
  readonly key: string;
  readonly iv: string;
  readonly aad: string;
  readonly msg: string;
  readonly ct: string;
  readonly tag: string;
  readonly result: 'valid' | 'invalid';
}
const FILE = new URL('../../../../vectors/wycheproof-aes-256-gcm.json', import.meta.url);
const { cases } = JSON.parse(readFileSync(FILE, 'utf8')) as { readonly cases: readonly Case[] };
const ofResult = (result: Case['result']) => cases.filter((one) => one.result === result);

function bytesOf(hex: string): Uint8Array {
  const bytes = fromHex(hex);
  if (!bytes) throw new Error('not hexadecimal');
  return bytes;
}

function opened(one: Case): string | undefined {
  const plaintext = decrypt(bytesOf(one.key), bytesOf(one.iv + one.ct + one.tag), bytesOf(one.aad));
  return plaintext === undefined ? undefined : toHex(plaintext);
}

describe('CRY-02: AES-256-GCM gives the answers of Wycheproof', () => {
  test('the vectors are whole', () => {
    expect(ofResult('valid')).toHaveLength(39);
    expect(ofResult('invalid')).toHaveLength(27);
  });

  test.each(ofResult('valid'))('$tcId $comment: opens to its message', (one) => {
    expect(opened(one)).toBe(one.msg);
  });

  test.each(ofResult('invalid'))('$tcId $comment: is refused', (one) => {
    expect(opened(one)).toBeUndefined();
  });

  test('one changed bit anywhere is refused, and what we seal opens under its own associated data alone', () => {
    for (const one of ofResult('valid')) {
      const key = bytesOf(one.key);
      const associated = bytesOf(one.aad);
      const sealed = encrypt(key, bytesOf(one.msg), associated);
      expect(decrypt(key, sealed, associated)).toEqual(bytesOf(one.msg));
      expect(decrypt(key, sealed, bytesOf(`${one.aad}00`))).toBeUndefined();
      for (let at = 0; at < sealed.length; at += 1) {
        const changed = Uint8Array.from(sealed);
        changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
        expect(decrypt(key, changed, associated)).toBeUndefined();
      }
    }
  });
});
