import { expect, test } from 'vitest';
import { RecentMap } from './recent-map.ts';

test('PERF-04: a memory of recent entries keeps what is used and never more than its limit', () => {
  const map = new RecentMap<number>(8);
  map.set('used', -1);
  for (let index = 0; index < 100; index += 1) {
    map.set(`entry ${index}`, index);
    expect(map.get('used')).toBe(-1);
  }
  const kept = Array.from({ length: 100 }, (_, index) => map.get(`entry ${index}`));
  expect(kept.at(-1)).toBe(99);
  expect(kept.filter((value) => value !== undefined).length).toBeLessThanOrEqual(8);
});

test('an entry that was deleted is gone from both generations', () => {
  const map = new RecentMap<number>(2);
  map.set('old', 1);
  map.set('young', 2);
  map.delete('old');
  map.delete('young');
  expect([map.get('old'), map.get('young')]).toEqual([undefined, undefined]);
});
