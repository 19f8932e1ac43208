import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { layerTable } from './layer-table.ts';

const ARCHITECTURE = fileURLToPath(new URL('../ARCHITECTURE.md', import.meta.url));

test('ARCHITECTURE.md shows the layer table that the tool enforces', () => {
  const shown = readFileSync(ARCHITECTURE, 'utf8').split('<!-- layers -->')[1]?.split('<!-- /layers -->')[0];
  expect(shown?.trim()).toBe(layerTable().trim());
});
