import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestWorld } from '../fhir/testing.ts';

let world: TestWorld;
beforeAll(async () => {
  world = await TestWorld.open();
});
afterAll(() => world.remove());

async function planOf(condition: string): Promise<string> {
  const { rows } = await sql<{
    detail: string;
  }>`explain query plan select * from version where ${sql.raw(condition)}`.execute(world.vault.reader);
  return rows.map(({ detail }) => detail).join('\n');
}

it('the history of a type walks along the versions of that type, and sorts nothing', async () => {
  const plan = await planOf(`seq < 9 and type in ('Patient') order by seq desc limit 20`);
  expect(plan).toContain('USING INDEX version_type (type=? AND seq<?)');
  expect(plan).not.toContain('TEMP B-TREE');
});

it('the history of one record, and its newest version, are found by its id', async () => {
  const one = `type = 'Patient' and id = 'a'`;
  for (const condition of [
    `seq + 0 < 9 and ${one} order by version desc limit 20`,
    `${one} order by version desc limit 1`,
  ]) {
    expect(await planOf(condition)).toMatch(/USING INDEX \S+ \(type=\? AND id=\?\)/);
  }
});
