import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: [
      'packages/*/src/**/*.test.ts',
      'apps/*/src/**/*.test.ts',
      'scripts/**/*.test.ts',
      'simulator/**/*.test.ts',
      'benchmarks/**/*.test.ts',
    ],
    // Two cores are what a contributor can be expected to have; real servers in tests share them.
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
