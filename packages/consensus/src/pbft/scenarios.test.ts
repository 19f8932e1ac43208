import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { playScenario } from '../testing/scenario.ts';

const folder = join(import.meta.dirname, 'scenarios');

/** The first line of a scenario is its sentence. `UPDATE=1` writes what happened: commit it only if you can explain it. */
const scenarios = readdirSync(folder)
  .filter((name) => name.endsWith('.txt'))
  .map((name) => {
    const text = readFileSync(join(folder, name), 'utf8');
    return { name, text, title: (text.split('\n')[0] ?? '').replace(/^# /, '') };
  });

test.each(scenarios)('$title ($name)', ({ name, text }) => {
  const played = playScenario(text);
  if (process.env.UPDATE === '1') writeFileSync(join(folder, name), played);
  else expect(played).toBe(text);
});

test('CON-06: the scenarios are there', () => {
  expect(scenarios.length).toBeGreaterThanOrEqual(14);
});
