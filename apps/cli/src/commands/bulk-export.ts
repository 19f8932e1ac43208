import { stderr } from 'node:process';
import { type Command, InvalidArgumentError } from 'commander';
import { type BulkExportReport, bulkExport, type Tell } from '../bulk-export/bulk-export.ts';
import { memberSession } from '../bulk-export/member-session.ts';
import { readConsortiumFile } from '../consortium-file.ts';
import { CliError } from '../errors.ts';
import { instantOf } from './ledger-lists.ts';
import { DATA_FOLDER } from './node-connection.ts';
import { type OutputOptions, printFacts, printJson, printLine, runVerb } from './output.ts';

/** What a shell expects of a program that Ctrl-C ended. */
const EXIT_INTERRUPTED = 130;

interface BulkExportOptions extends OutputOptions {
  readonly data: string;
  readonly organization: string;
  readonly output: string;
  readonly type?: string;
  readonly since?: number;
  readonly group?: string;
  readonly patients?: true;
}

function typesOf(text: string): string {
  if (/^[A-Z][A-Za-z]{1,63}(,[A-Z][A-Za-z]{1,63})*$/.test(text)) return text;
  throw new InvalidArgumentError('Types look like Patient,Observation.');
}

function groupOf(text: string): string {
  if (/^[A-Za-z0-9.-]{1,64}$/.test(text)) return text;
  throw new InvalidArgumentError('It is the id of a Group resource.');
}

/** `careledger bulk-export --organization NAME --output FOLDER`: the records of a member, with proofs, as NDJSON. */
export function registerBulkExport(program: Command): void {
  program
    .command('bulk-export')
    .description("download a member's records as NDJSON, with the proofs of their origin")
    .requiredOption('--organization <name>', 'whose records')
    .requiredOption('--output <folder>', 'the folder to make, for you alone')
    .option('--type <types>', 'of these FHIR types alone, such as Patient,Observation', typesOf)
    .option('--since <instant>', 'only what was stored or deleted at or after this', instantOf)
    .option('--group <id>', "only records of this Group's patients", groupOf)
    .option('--patients', 'only records of patients')
    .option('--data <folder>', 'data folder of the local consortium', DATA_FOLDER)
    .option('--json', 'print one JSON object; progress as JSON lines on standard error')
    .addHelpText(
      'after',
      `
Example:
  npx careledger bulk-export --organization general-hospital --type Patient,Observation --output records

It asks as the local operator. The files hold patients' records: the folder is readable by you alone, and every file that
leaves is in the organization's journal. Each proofs-… file has the receipts of a file's records, line by line.
manifest.json is written last: without it the export is not whole. Its transactionTime is the next run's --since.
Ctrl-C ends the job at the server too.`,
    )
    .action((options: BulkExportOptions) => runVerb(options, () => run(options)));
}

/** Tells where a long export is, at most once for each step. */
function teller(options: OutputOptions): Tell {
  let told = '';
  return (progress) => {
    const { doing, done, total } = progress;
    const text = total === undefined ? doing : `${doing}: ${done} of ${total} files`;
    if (text === told) return;
    told = text;
    stderr.write(
      options.json === true ? `${JSON.stringify({ event: 'progress', ...progress })}\n` : `${text}\n`,
    );
  };
}

async function run(options: BulkExportOptions): Promise<void> {
  const { group, patients, type, since, output } = options;
  if (group !== undefined && patients) {
    throw new CliError('cli/range', 'A Group is of patients already.', 'Give --group or --patients.');
  }
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort();
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  const session = memberSession({
    folder: options.data,
    consortium: readConsortiumFile(options.data),
    organization: options.organization,
    signal: interrupted.signal,
  });
  try {
    const report = await bulkExport(session, {
      level: group === undefined ? (patients ? 'Patient/' : '') : `Group/${group}/`,
      parameters: {
        ...(type === undefined ? {} : { _type: type }),
        ...(since === undefined ? {} : { _since: new Date(since).toISOString() }),
      },
      folder: output,
      tell: teller(options),
    });
    if (options.json === true) printJson(report);
    else print(report);
  } catch (error) {
    if (!interrupted.signal.aborted) throw error;
    process.exitCode = EXIT_INTERRUPTED;
    stderr.write('Interrupted; the job is ended. What is in the folder is not whole.\n');
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
    await session.close();
  }
}

function print({ folder, transactionTime, files }: BulkExportReport): void {
  printLine(`${folder}: as of ${transactionTime}`);
  if (files.length === 0) printLine('  there was nothing to export');
  else printFacts(files.map(({ name, lines, bytes }) => [name, `${lines} lines, ${bytes} bytes`]));
}
