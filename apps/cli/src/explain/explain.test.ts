import { readFileSync, writeFileSync } from 'node:fs';
import { env } from 'node:process';
import { fileURLToPath } from 'node:url';
import { catalog } from '@careledger/capabilities';
import { describe, expect, it } from 'vitest';
import { catalogueText, collectCodes } from '../../../../scripts/collect-error-codes.ts';
import { CODES, explain } from './explain.ts';
import { SENTENCES } from './sentences.ts';

const ROOT = fileURLToPath(new URL('../../../..', import.meta.url));
const FILE = new URL('./catalogue.json', import.meta.url);

describe('DEP-01: every error code of the system is explained', () => {
  it('the catalogue names what the sources throw; UPDATE=1 writes it anew', () => {
    const now = catalogueText(collectCodes(ROOT, catalog.capabilities));
    if (env.UPDATE === '1') writeFileSync(FILE, now);
    expect(Object.keys(JSON.parse(readFileSync(FILE, 'utf8')))).toEqual(Object.keys(JSON.parse(now)));
  });

  it.each([
    'consent/already-revoked',
    'transaction/expired',
    'vault/altered',
    'client/proof-mismatch',
    'cli/file',
  ])('%s: what it is about, what happened, what to do', (code) => {
    const { about, happened, help } = explain(code);
    for (const sentence of [about, happened, help]) expect(sentence).toMatch(/^[A-Za-z`…].+\S$/);
  });

  it('every code has all three', () => {
    expect(CODES.length).toBeGreaterThan(200);
    for (const code of CODES)
      expect(Object.values(explain(code)).every((each) => each.length >= 3)).toBe(true);
  });

  it('a sentence of our own is about a code that there is', () => {
    expect(Object.keys(SENTENCES).filter((code) => !CODES.includes(code))).toEqual([]);
  });

  it('what is no code is refused with those near to it', () => {
    expect(() => explain('consent/nonsense')).toThrow(
      expect.objectContaining({ code: 'explain/unknown', help: expect.stringContaining('consent/id-taken') }),
    );
    expect(() => explain('constructor/x')).toThrow(expect.objectContaining({ code: 'explain/unknown' }));
  });
});
