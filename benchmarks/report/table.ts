import type { Row } from '../benchmark.ts';
import { type Result, rowsById } from './result.ts';

/** A number as one reads it: three significant digits below a thousand, whole ones above. */
export function readable(value: number): string {
  if (!Number.isFinite(value)) return '—';
  if (Math.abs(value) >= 1_000) return Math.round(value).toLocaleString('en-US');
  return String(Number(value.toPrecision(3)));
}

/** How this value stands to a recorded one: above 1 is better, whichever way the row counts. */
export function ratioOf(row: Row, before: Row | undefined): number | undefined {
  if (!before || row.better === 'none' || row.unit !== before.unit) return undefined;
  const ratio = row.better === 'more' ? row.value / before.value : before.value / row.value;
  return Number.isFinite(ratio) ? ratio : undefined;
}

function detailsOf({ details = {} }: Row): string {
  return Object.entries(details)
    .map(([name, value]) => `${name} ${typeof value === 'number' ? readable(value) : value}`)
    .join(', ');
}

/** The table on the terminal. With an earlier result every row shows its ratio to it. */
export function terminalTable(result: Result, before?: Result): string {
  const recorded = before && rowsById(before);
  const lines: string[] = [];
  for (const { title, rows, problem, seconds } of result.sections) {
    lines.push('', `${title} (${readable(seconds)} s)`);
    if (problem) lines.push(`  FAILED: ${problem}`);
    for (const row of rows) {
      const value = `${readable(row.value)} ${row.unit}`.padStart(20);
      const share = row.share ? `  ${readable(row.share.ratio)} of ${row.share.of}` : '';
      const ratio = ratioOf(row, recorded?.get(row.id));
      const compared = ratio === undefined ? '' : `  [${readable(ratio)} × recorded]`;
      const details = detailsOf(row);
      lines.push(`  ${row.what.padEnd(52)}${value}${share}${compared}${details && `  (${details})`}`);
    }
  }
  return lines.join('\n');
}

/** The page that is committed. */
export function markdownPage(result: Result): string {
  const { machine } = result;
  const libraries = Object.entries(machine.libraries).map(([name, version]) => `${name} ${version}`);
  const lines = [
    '# Latest benchmark result',
    '',
    `Written by \`npm run bench\` (${result.scale}, ${readable(result.seconds)} s) on ${result.date}. What the rows mean and what they do not say: [README](../README.md).`,
    '',
    `- Machine: ${machine.processor}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.kernel}, ${machine.filesystem}. The load runs on the same cores.`,
    `- Node ${machine.node}, ${libraries.join(', ')}; commit ${machine.commit}.`,
  ];
  for (const { title, ids, rows, problem } of result.sections) {
    lines.push('', `## ${title}${ids.length > 0 ? ` (${ids.join(', ')})` : ''}`, '');
    if (problem) lines.push(`Not measured: ${problem}`);
    if (rows.length === 0) continue;
    lines.push(
      '| what | value | of the limit | counts | bottleneck | more |',
      '| --- | ---: | --- | --- | --- | --- |',
    );
    for (const row of rows) {
      const share = row.share ? `${readable(row.share.ratio)} of ${row.share.of}` : '';
      const value = `${readable(row.value)} ${row.unit}`;
      lines.push(
        `| ${row.what} | ${value} | ${share} | ${row.counts} | ${row.bottleneck ?? ''} | ${detailsOf(row)} |`,
      );
    }
  }
  return `${lines.join('\n')}\n`;
}
