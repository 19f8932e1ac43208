/**
 * docs/coverage.md: id → code → test, made from the titles of the tests. `node scripts/coverage/coverage.ts` rewrites
 * it; a test keeps it true.
 */
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CAPABILITIES } from './capabilities.ts';
import { PARTLY } from './partly.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const COVERAGE = join(ROOT, 'docs', 'coverage.md');
const TITLE = /\b(?:test|it|describe)(?:\.(?:runIf|skipIf|each)\([^)]*\))?\(\s*(['"`])(.*?)\1/gs;
const TITLE_IDS = /^((?:[A-Z]+-\d{2}(?!\d)[,:;/ ]*(?:and )?)+)/;
const ID = /[A-Z]+-\d{2}/g;

/** Ids named at the beginning of a test's title. */
export function idsOfTitle(title: string): readonly string[] {
  return TITLE_IDS.exec(title)?.[1]?.match(ID) ?? [];
}

function testFiles(): readonly string[] {
  return globSync(
    [
      'packages/*/src/**/*.test.ts',
      'apps/*/src/**/*.test.ts',
      'simulator/**/*.test.ts',
      'benchmarks/**/*.test.ts',
      'scripts/**/*.test.ts',
    ],
    {
      cwd: ROOT,
    },
  ).toSorted();
}

/** Every id that a test title names, with the files of those tests. */
export function testsById(): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const file of testFiles()) {
    for (const [, , title] of readFileSync(join(ROOT, file), 'utf8').matchAll(TITLE)) {
      for (const id of idsOfTitle(title ?? '')) {
        const files = found.get(id) ?? [];
        if (!files.includes(file)) files.push(file);
        found.set(id, files);
      }
    }
  }
  return found;
}

/** The code a test is about: its sibling of the same name, else its folder. */
function codeOf(test: string): string {
  const sibling = test.replace('.test.ts', '.ts');
  return existsSync(join(ROOT, sibling)) ? sibling : `${dirname(test)}/`;
}

function link(path: string): string {
  return `[${path.split('/').slice(-2).join('/')}](../${path})`;
}

function row(id: string, statement: string, tests: readonly string[] | undefined): string {
  if (!tests) return `| ${id} | ${statement} | open | | |`;
  const state = PARTLY[id] ? `partly: ${PARTLY[id]}` : 'delivered';
  const code = [...new Set(tests.map(codeOf))].map(link).join(' ');
  return `| ${id} | ${statement} | ${state} | ${code} | ${tests.map(link).join(' ')} |`;
}

/** The whole page. */
export function coveragePage(): string {
  const tests = testsById();
  const delivered = CAPABILITIES.filter(([id]) => tests.has(id) && !PARTLY[id]).length;
  const partly = CAPABILITIES.filter(([id]) => tests.has(id) && PARTLY[id]).length;
  return [
    '# Coverage',
    '',
    `The mission has ${CAPABILITIES.length} testable statements. ${delivered} are delivered, ${partly} partly, the rest is open.`,
    'An id is delivered when a test names it in its title and that test can fail. *Partly* says what is still missing.',
    'Made by `node scripts/coverage/coverage.ts` from the titles of the tests; `npm test` fails when it is out of date.',
    '',
    '| id | statement | state | code | test |',
    '|---|---|---|---|---|',
    ...CAPABILITIES.map(([id, statement]) => row(id, statement.replaceAll('|', '\\|'), tests.get(id))),
    '',
  ].join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(COVERAGE, coveragePage());
