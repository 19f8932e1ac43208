/** `npm run bench [-- --only NAME,... --quick --json --compare [FILE] --profile FOLDER]`: see README.md. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Benchmark, Scale } from './benchmark.ts';
import { benchmarks } from './catalog.ts';
import { describeMachine } from './report/machine.ts';
import type { Result } from './report/result.ts';
import { markdownPage, terminalTable } from './report/table.ts';
import { runBenchmarks } from './run-benchmarks.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const results = join(root, 'benchmarks', 'results');
/** What `--compare` without a file compares with: the result that is committed. */
const RECORDED = join(results, 'latest.json');

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    compare: { type: 'string' },
    profile: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

function chosen(only: string | undefined): readonly Benchmark[] {
  if (only === undefined) return benchmarks.filter(({ onlyByName }) => !onlyByName);
  const names = only.split(',');
  const unknown = names.find((name) => benchmarks.every((benchmark) => benchmark.name !== name));
  if (unknown !== undefined) {
    console.error(
      `There is no benchmark ${unknown}. There are: ${benchmarks.map(({ name }) => name).join(', ')}.`,
    );
    process.exit(2);
  }
  return benchmarks.filter(({ name }) => names.includes(name));
}

function usage(): string {
  const lines = benchmarks.map(({ name, title, onlyByName }) => {
    const note = onlyByName ? ' (only by --only)' : '';
    return `  ${name.padEnd(14)}${title}${note}`;
  });
  return `npm run bench -- [--only NAME,...] [--quick] [--json] [--compare latest|FILE] [--profile FOLDER]\n\n${lines.join('\n')}`;
}

function say(text: string): void {
  const time = new Date().toISOString().slice(11, 19);
  process.stderr.write(`${time}  ${text}\n`);
}

/** A whole run replaces the page that is committed; one of some rows alone does not. */
function write(result: Result): void {
  mkdirSync(results, { recursive: true });
  const name = values.only ?? result.scale;
  const file = join(results, `${result.date.slice(0, 10)}-${name.replaceAll(',', '-')}.json`);
  const text = `${JSON.stringify(result, null, 2)}\n`;
  writeFileSync(file, text);
  say(`written to ${file}`);
  if (values.only !== undefined || result.scale !== 'full') return;
  writeFileSync(RECORDED, text);
  writeFileSync(join(results, 'latest.md'), markdownPage(result));
}

async function main(): Promise<void> {
  if (values.help) {
    console.log(usage());
    return;
  }
  const scale: Scale = values.quick ? 'quick' : 'full';
  const compared = values.compare === 'latest' ? RECORDED : values.compare;
  const before = compared === undefined ? undefined : (JSON.parse(readFileSync(compared, 'utf8')) as Result);
  const stop = new AbortController();
  process.once('SIGINT', () => {
    say('stopping (once more to kill)');
    process.once('SIGINT', () => process.exit(130));
    stop.abort();
  });
  const began = performance.now();
  const sections = await runBenchmarks({
    benchmarks: chosen(values.only),
    scale,
    say,
    profiles: values.profile,
    signal: stop.signal,
  });
  const seconds = (performance.now() - began) / 1000;
  const date = new Date().toISOString();
  const result: Result = { date, scale, seconds, machine: describeMachine(root), sections };
  console.log(values.json ? JSON.stringify(result, null, 2) : terminalTable(result, before));
  if (stop.signal.aborted) {
    process.exitCode = 130;
    return;
  }
  write(result);
  if (sections.some(({ problem }) => problem !== undefined)) process.exitCode = 1;
}

await main();
