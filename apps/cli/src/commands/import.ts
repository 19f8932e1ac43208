import { chmodSync, closeSync, openSync, writeSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { env, stderr } from 'node:process';
import type { Drift, DriftReport, ImportReport } from '@careledger/gateway';
import type { Command } from 'commander';
import { readConsortiumFile } from '../consortium-file.ts';
import { CliError } from '../errors.ts';
import { askMember } from '../member/control-socket.ts';
import type { SourceParameters } from '../member/member-source.ts';
import { DATA_FOLDER, memberOf } from './node-connection.ts';
import { EXIT_FAILED, type OutputOptions, printFacts, printJson, printLine, runVerb } from './output.ts';

/** Findings that a person is shown. */
const FINDINGS_SHOWN = 20;
const PROGRESS_EVERY_MS = 1_000;

interface SourceOptions extends OutputOptions {
  readonly data: string;
  readonly organization: string;
  readonly source?: string;
  readonly sourceTokenEnv?: string;
  readonly sourceTokenFile?: string;
  readonly sourceCa?: string;
}

const SOURCE_HELP = `
The source is a file or folder of FHIR bundles or NDJSON, or the base URL of a FHIR R4 server. The member must be running
(npm start). A token comes from the environment or from a file, never from the command line, where others could see it.`;

function withSource(command: Command): Command {
  return command
    .argument('<from>', 'a file, a folder, or the base URL of a FHIR server')
    .requiredOption('--organization <name>', 'whose vault')
    .option('--source <name>', 'what the data is known by; the file name or the address by default')
    .option('--source-token-env <name>', 'with a URL: the environment variable that holds a bearer token')
    .option('--source-token-file <file>', 'with a URL: a file that holds a bearer token')
    .option('--source-ca <file>', 'with a URL: the certificate authority of the server, PEM')
    .option('--data <folder>', 'data folder of the local consortium', DATA_FOLDER);
}

/** @throws {@link CliError} `cli/token-missing` when the variable is not set. */
export function sourceParameters(
  from: string,
  options: Pick<SourceOptions, 'source' | 'sourceTokenEnv' | 'sourceTokenFile' | 'sourceCa'>,
): SourceParameters {
  const { source, sourceTokenEnv, sourceTokenFile, sourceCa } = options;
  const token = sourceTokenEnv === undefined ? undefined : env[sourceTokenEnv];
  if (sourceTokenEnv !== undefined && (token === undefined || token === '')) {
    throw new CliError(
      'cli/token-missing',
      `The environment variable ${sourceTokenEnv} is not set.`,
      'Export it first, or give --source-token-file.',
    );
  }
  return {
    from: /^https?:/i.test(from) ? from : resolve(from),
    ...(source === undefined ? {} : { source }),
    ...(token === undefined ? {} : { token }),
    ...(sourceTokenFile === undefined ? {} : { tokenFile: resolve(sourceTokenFile) }),
    ...(sourceCa === undefined ? {} : { caFile: resolve(sourceCa) }),
  };
}

/** Tells how far long work is, at most once a second: done, rate, and the time that is left at this rate. */
export function progressTeller(
  json: boolean,
  now: () => number = Date.now,
): (done: number, total: number) => void {
  const began = now();
  let told = began;
  return (done, total) => {
    const at = now();
    if (at - told < PROGRESS_EVERY_MS) return;
    told = at;
    const perSecond = (done * 1000) / (at - began);
    const secondsLeft = perSecond > 0 ? Math.ceil((total - done) / perSecond) : undefined;
    if (json) {
      stderr.write(`${JSON.stringify({ event: 'progress', done, total, perSecond, secondsLeft })}\n`);
      return;
    }
    // Nothing is settled while the source is surveyed: its entries are still being counted.
    const text =
      done === 0
        ? `surveying: ${total} entries so far`
        : `${done} of ${total}, ${Math.round(perSecond)}/s, ${secondsLeft} s left`;
    stderr.write(`${text}\n`);
  };
}

function ask(method: string, from: string, options: SourceOptions, onItem?: (item: unknown) => void) {
  const { home, name } = memberOf(readConsortiumFile(options.data), options.organization);
  return askMember({
    home: join(options.data, home),
    organization: name,
    method,
    parameters: { ...sourceParameters(from, options) },
    onProgress: progressTeller(options.json === true),
    ...(onItem ? { onItem } : {}),
  });
}

/** `careledger import FROM --organization NAME`: existing FHIR data into a running member's vault. */
export function registerImport(program: Command): void {
  withSource(
    program
      .command('import')
      .description("bring existing FHIR data, from files or a FHIR server, into a running member's vault"),
  )
    .option('--json', 'print one JSON object; progress as JSON lines on standard error')
    .addHelpText(
      'after',
      `${SOURCE_HELP}

Examples:
  npx careledger import synthea/ --organization general-hospital
  EHR_TOKEN=... npx careledger import https://ehr.example.org/fhir --source-token-env EHR_TOKEN \\
    --organization general-hospital

Interrupt it with Ctrl-C: the next run goes on where it was. Exit code 1: something was refused, and is named.`,
    )
    .action((from: string, options: SourceOptions) =>
      runVerb(options, async () => {
        const report = (await ask('import', from, options)) as ImportReport;
        if (report.refused + report.brokenFiles > 0) process.exitCode = EXIT_FAILED;
        if (options.json === true) printJson(report);
        else printReport(report);
      }),
    );
}

function printReport({ findings, findingsOmitted, ...counts }: ImportReport): void {
  printFacts(Object.entries(counts));
  for (const { outcome, file, entry, expression, text } of findings.slice(0, FINDINGS_SHOWN)) {
    printLine(`${outcome}: ${file}${entry === undefined ? '' : `, entry ${entry}`}: ${expression}: ${text}`);
  }
  const hidden = findings.length - FINDINGS_SHOWN + findingsOmitted;
  if (hidden > 0) printLine(`... and ${hidden} more; --json shows them`);
}

interface DriftOptions extends SourceOptions {
  readonly out?: string;
}

/** `careledger drift FROM --organization NAME`: how a source and what came from it have come apart. */
export function registerDrift(program: Command): void {
  withSource(
    program
      .command('drift')
      .description('compare a source with the records that came from it: new, changed, missing, edited here'),
  )
    .option(
      '--out <file>',
      'write the ids of the records here, one JSON object a line, readable by you alone',
    )
    .option('--json', 'print one JSON object, with the ids')
    .addHelpText(
      'after',
      `${SOURCE_HELP}

Example:
  npx careledger drift https://ehr.example.org/fhir --organization general-hospital --out drift.ndjson

Ids are those of the vault. Nothing is written to the vault. Exit code 0: they agree. 1: they do not.`,
    )
    .action((from: string, options: DriftOptions) =>
      runVerb(options, async () => {
        const items: Drift[] = [];
        const file = options.out === undefined ? undefined : openPrivate(options.out);
        const report = (await ask('drift', from, options, (item) => {
          if (file !== undefined) writeSync(file, `${JSON.stringify(item)}\n`);
          if (options.json === true) items.push(item as Drift);
        })) as DriftReport;
        if (file !== undefined) closeSync(file);
        const apart = Object.values(report.counts).some((count) => count > 0);
        if (apart || report.brokenFiles > 0) process.exitCode = EXIT_FAILED;
        if (options.json === true) printJson({ ...report, agree: !apart, drifts: items });
        else {
          printLine(apart ? 'THEY HAVE COME APART' : 'they agree');
          printFacts([
            ...Object.entries(report.counts),
            ['at the source', report.read],
            ['here', report.known],
            ['not comparable', report.refused],
            ['unreadable files', report.brokenFiles],
          ]);
        }
      }),
    );
}

/** A new file that its owner alone may read. @throws {@link CliError} `cli/file-exists`. */
function openPrivate(path: string): number {
  try {
    const file = openSync(path, 'wx', 0o600);
    chmodSync(path, 0o600);
    return file;
  } catch (cause) {
    throw new CliError(
      'cli/file-exists',
      `${path} stands already, or cannot be made.`,
      'Choose another name.',
      {
        cause,
      },
    );
  }
}
