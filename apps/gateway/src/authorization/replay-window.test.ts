import { describe, expect, it } from 'vitest';
import { createReplayWindow } from './replay-window.ts';

describe('the replay window', () => {
  it('admits an id once until it expires', () => {
    const window = createReplayWindow();
    expect(window.admit('a', 10_000, 0)).toBe(true);
    expect(window.admit('a', 10_000, 9_999)).toBe(false);
    expect(window.admit('a', 30_000, 20_000)).toBe(true);
  });

  it('refuses new ids when it is full rather than forget one', () => {
    const window = createReplayWindow(2);
    expect(window.admit('a', 10_000, 0)).toBe(true);
    expect(window.admit('b', 10_000, 0)).toBe(true);
    expect(window.admit('c', 10_000, 0)).toBe(false);
    expect(window.admit('a', 10_000, 0)).toBe(false);
    expect(window.admit('c', 30_000, 20_000)).toBe(true);
  });
});
