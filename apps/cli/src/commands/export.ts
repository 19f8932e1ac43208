import { exportAuditBundle } from '@careledger/client';
import type { Command } from 'commander';
import { CliError } from '../errors.ts';
import { heightOf } from './height.ts';
import { type ConnectionOptions, withConnection, withNode } from './node-connection.ts';
import { type OutputOptions, printFacts, printJson, printLine, runVerb, timeText } from './output.ts';
import { writeFile } from './prove.ts';

interface ExportOptions extends OutputOptions, ConnectionOptions {
  readonly out: string;
  readonly from: number;
  readonly to?: number;
}

/** `careledger export --out FILE`: blocks with everything that proves them, checked before they are written. */
export function registerExport(program: Command): void {
  const command = program
    .command('export')
    .description(
      'write an audit bundle: consecutive blocks that others check offline with `careledger verify`',
    )
    .requiredOption('--out <file>', 'the file to write')
    .option('--from <height>', 'first block', heightOf, 1)
    .option('--to <height>', 'last block; the newest by default', heightOf);
  withConnection(command)
    .option('--json', 'print one JSON object')
    .action((options: ExportOptions) =>
      runVerb(options, async () => {
        requireRange(options);
        const { bytes, report } = await withNode(options, ({ client }) =>
          exportAuditBundle(client, {
            fromHeight: options.from,
            ...(options.to === undefined ? {} : { toHeight: options.to }),
          }),
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

function requireRange({ from, to }: ExportOptions): void {
  if (to === undefined || from <= to) return;
  throw new CliError(
    'cli/range',
    `There are no blocks from ${from} to ${to}.`,
    'Give --from at most as high as --to.',
  );
}
