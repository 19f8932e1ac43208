/**
 * `npm test`: format and lint, types, layers, then every test. Each check runs even when an earlier one failed, so
 * that one run shows everything. Ends with `N passed, N failed`.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const reports = mkdtempSync(join(tmpdir(), 'careledger-test-'));
const report = join(reports, 'vitest.json');
const folders = ['packages', 'apps', 'simulator', 'benchmarks'];

function binary(name: string): string {
  return join(root, 'node_modules', '.bin', name);
}

interface Check {
  readonly name: string;
  readonly command: string;
  readonly parameters: readonly string[];
}

const checks: readonly Check[] = [
  { name: 'format and lint', command: binary('biome'), parameters: ['ci', '--error-on-warnings', '.'] },
  { name: 'types', command: binary('tsc'), parameters: ['-p', '.'] },
  {
    name: 'layers',
    command: binary('depcruise'),
    parameters: [...folders, '--config', '.dependency-cruiser.mjs'],
  },
];

function run({ name, command, parameters }: Check): boolean {
  const started = Date.now();
  const { status, error } = spawnSync(command, parameters, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (error) console.error(error.message);
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  console.log(`${status === 0 ? 'ok' : 'FAILED'}  ${name} (${seconds} s)`);
  return status === 0;
}

interface VitestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numFailedTestSuites: number;
  readonly testResults: readonly {
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
}

function readReport(): VitestReport | undefined {
  try {
    return JSON.parse(readFileSync(report, 'utf8')) as VitestReport;
  } catch {
    return undefined;
  }
}

const failedChecks = checks.filter((check) => !run(check)).length;
const testsHeld = run({
  name: 'tests',
  command: binary('vitest'),
  parameters: ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`],
});
const summary = readReport();
rmSync(reports, { recursive: true, force: true });

const passed = summary?.numPassedTests ?? 0;
// A suite that could not even load counts as one failure, and so does a runner that left no report.
const failedTests = Math.max(summary?.numFailedTests ?? 1, testsHeld ? 0 : 1);
const skipped = (summary?.testResults ?? []).flatMap((file) =>
  file.assertionResults.filter((test) => test.status !== 'passed' && test.status !== 'failed'),
);
for (const test of skipped) console.log(`skipped: ${test.fullName}`);
const failed = failedTests + failedChecks;
console.log(`${passed} passed, ${failed} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ''}`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
