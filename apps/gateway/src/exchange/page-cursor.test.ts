import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { decrypt, encrypt } from '../keystore/index.ts';
import { PageCursors } from './page-cursor.ts';

function cursors(): PageCursors {
  const key = randomBytes(32);
  return new PageCursors({
    wrap: (_name, secret, context) => encrypt(key, secret, context),
    unwrap: (_name, wrapped, context) => decrypt(key, wrapped, context),
  });
}

describe('a page cursor of the exchange', () => {
  it('tells neither how much the vault holds nor what the last record says, not even by its length', () => {
    const own = cursors();
    const [small, large] = [
      own.write({ seq: 7, keys: [] }),
      own.write({ seq: 70_000_000, keys: ['Lovelace'] }),
    ];
    expect(small.length).toBe(large.length);
    expect(Buffer.from(large, 'base64url').includes('70000000')).toBe(false);
    expect(own.read(large)).toEqual({ seq: 70_000_000, keys: ['Lovelace'] });
    expect(own.read(undefined)).toBeUndefined();
  });

  it('of another organization, or an altered one, is refused', () => {
    const own = cursors();
    for (const cursor of [
      cursors().write({ seq: 7, keys: [] }),
      `${own.write({ seq: 7, keys: [] })}A`,
      'x',
      '',
    ]) {
      expect(() => own.read(cursor)).toThrow(expect.objectContaining({ code: 'exchange/invalid' }));
    }
  });
});
