import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { CAPABILITIES } from './capabilities.ts';
import { coveragePage, idsOfTitle, testsById } from './coverage.ts';
import { PARTLY } from './partly.ts';

const PAGE = fileURLToPath(new URL('../../docs/coverage.md', import.meta.url));

test('docs/coverage.md says what the tests name', () => {
  expect(readFileSync(PAGE, 'utf8')).toBe(coveragePage());
});

test('every id that a test names is one of the mission, and all 251 are listed', () => {
  const known = new Set(CAPABILITIES.map(([id]) => id));
  expect(known.size).toBe(251);
  const unknown = [...testsById().keys(), ...Object.keys(PARTLY)].filter((id) => !known.has(id));
  expect(unknown).toEqual([]);
});

test('only ids at the beginning of a title count', () => {
  expect(idsOfTitle('LED-22, LED-26: an inclusion proof verifies')).toEqual(['LED-22', 'LED-26']);
  expect(idsOfTitle('a proof (RFC 9162) verifies, see LED-22')).toEqual([]);
});
