import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Row } from './benchmark.ts';
import type { Result } from './report/result.ts';

/** The committed result, at quick scale. It judges no speed: it says that what we publish was measured, and where. */
const latest = JSON.parse(
  readFileSync(new URL('./results/2026-11-23-quick.json', import.meta.url), 'utf8'),
) as Result;

function rowsOf(name: string): readonly Row[] {
  const section = latest.sections.find((one) => one.name === name);
  expect(section?.problem).toBeUndefined();
  const rows = section?.rows ?? [];
  expect(rows.length, `rows of ${name}`).toBeGreaterThan(0);
  return rows;
}

test('the published result names scale, machine, versions and commit', () => {
  expect(latest.scale).toBe('quick');
  const { processor, cores, memoryGiB, kernel, node, commit } = latest.machine;
  for (const value of [processor, cores, memoryGiB, kernel, node, commit]) expect(value).toBeTruthy();
});

test('PERF-01, PERF-06: blocks and transactions a second are published for 1 and 4 validators, beside the machine’s limits', () => {
  for (const name of ['throughput', 'blocks']) {
    const ids = rowsOf(name).map(({ id }) => id);
    for (const validators of [1, 4])
      expect(ids.some((id) => id.startsWith(`${name}/${validators}`))).toBe(true);
    expect(rowsOf(name).some(({ share }) => share !== undefined)).toBe(true);
  }
});

test('LED-11, PERF-02: the curve of transactions a second over the size of a batch is published', () => {
  expect(rowsOf('curve').length).toBeGreaterThanOrEqual(4);
});

test('LED-31, PERF-10: the time to final and to visible on every node is published', () => {
  const rows = rowsOf('finality');
  expect(rows.map(({ unit }) => unit)).toContain('ms');
  expect(JSON.stringify(rows)).toMatch(/p99/);
});

test('PERF-03, PERF-07: throughput over the size of a content, and over the number of nodes, is published', () => {
  expect(rowsOf('payloads').length).toBeGreaterThanOrEqual(3);
  expect(rowsOf('nodes').length).toBeGreaterThanOrEqual(1);
});

test('PERF-04: throughput into a state of many keys is published beside that of a small one', () => {
  expect(rowsOf('state').length).toBeGreaterThanOrEqual(2);
});

test('LED-19: the rate at which one core verifies a whole chain is published', () => {
  expect(JSON.stringify(rowsOf('chain'))).toMatch(/verif/);
});

test('LED-33: k changes as k transactions are published beside one anchored digest of them all', () => {
  expect(rowsOf('changes').length).toBeGreaterThanOrEqual(2);
});
