import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { limits, limitsPage } from './limits.ts';

test('PERF-11: docs/limits.md lists every limit of the code with its value', () => {
  const page = fileURLToPath(new URL('../../docs/limits.md', import.meta.url));
  expect(readFileSync(page, 'utf8')).toBe(limitsPage());
});

test('a limit is found with its value and what its comment says', () => {
  const body = limits().find(
    ({ name, folder }) => name === 'BODY_BYTES_MAX' && folder.endsWith('gateway/src/server'),
  );
  expect(body).toMatchObject({ value: '16,777,216', about: expect.stringContaining('One request body') });
});
