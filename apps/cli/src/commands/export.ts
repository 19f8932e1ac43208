import { type BundleRange, exportAuditBundle } from '@careledger/client';
import type { Command } from 'commander';
import { CliError } from '../errors.ts';
import { heightOf } from './height.ts';
import { instantOf } from './ledger-lists.ts';
import { type ConnectionOptions, withConnection, withNode } from './node-connection.ts';
import { type OutputOptions, printFacts, printJson, printLine, runVerb, timeText } from './output.ts';
import { writeFile } from './prove.ts';

interface ExportOptions extends OutputOptions, ConnectionOptions {
  readonly out: string;
  readonly from?: number;
  readonly to?: number;
  readonly since?: number;
  readonly until?: number;
}

/** `careledger export --out FILE`: blocks with everything that proves them, checked before they are written. */
export function registerExport(program: Command): void {
  const command = program
    .command('export')
    .description(
      'write an audit bundle: consecutive blocks that others check offline with `careledger verify`',
    )
    .requiredOption('--out <file>', 'the file to write')
    .option('--from <height>', 'first block; 1 by default', heightOf)
    .option('--to <height>', 'last block; the newest by default', heightOf)
    .option('--since <instant>', 'instead of heights: every block from this block time on', instantOf)
    .option('--until <instant>', 'with --since: to this block time; now by default', instantOf)
    .addHelpText(
      'after',
      '\nExample:\n  npx careledger export --since 2026-03-01 --until 2026-04-01 --out march.bundle',
    );
  withConnection(command)
    .option('--json', 'print one JSON object')
    .action((options: ExportOptions) =>
      runVerb(options, async () => {
        requireRange(options);
        const { bytes, report } = await withNode(options, ({ client }) =>
          exportAuditBundle(client, rangeOf(options)),
        );
        writeFile(options.out, bytes);
        if (options.json === true) {
          printJson({ file: options.out, bytes: bytes.length, ...report });
          return;
        }
        printLine(`${options.out}: ${bytes.length} bytes, checked`);
        printFacts([
          ['blocks', `${report.fromHeight} to ${report.toHeight}`],
          ['transactions', `${report.transactionCount}, of which ${report.refusedCount} refused`],
          ['until', timeText(report.time)],
          [
            'verify with',
            `careledger verify ${options.out} --genesis ${Buffer.from(report.chain).toString('hex')}`,
          ],
        ]);
      }),
    );
}

function rangeOf({ from, to, since, until }: ExportOptions): BundleRange {
  if (since !== undefined) return { since, until: until ?? Date.now() };
  return { fromHeight: from ?? 1, ...(to === undefined ? {} : { toHeight: to }) };
}

function requireRange({ from, to, since, until }: ExportOptions): void {
  const byHeight = from !== undefined || to !== undefined;
  const byTime = since !== undefined || until !== undefined;
  const isInOrder =
    (from ?? 1) <= (to ?? Number.POSITIVE_INFINITY) && (since ?? 0) <= (until ?? Number.POSITIVE_INFINITY);
  if (isInOrder && !(byHeight && byTime) && (until === undefined || since !== undefined)) return;
  throw new CliError(
    'cli/range',
    'There are no such blocks.',
    'Give --from at most as high as --to, or --since not after --until.',
  );
}
