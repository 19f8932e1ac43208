import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import {
  type BackupReport,
  lockHome,
  type RestoreReport,
  type RotationReport,
  restoreKeystore,
} from '@careledger/gateway';
import { type Command, InvalidArgumentError } from 'commander';
import { homePaths } from '../consortium/member-config.ts';
import { readConsortiumFile } from '../consortium-file.ts';
import { CliError } from '../errors.ts';
import { askMember } from '../member/control-socket.ts';
import { DATA_FOLDER, memberOf } from './node-connection.ts';
import {
  EXIT_FAILED,
  type OutputOptions,
  printFacts,
  printJson,
  printLine,
  runVerb,
  timeText,
} from './output.ts';

interface KeysOptions extends OutputOptions {
  readonly data: string;
  readonly organization: string;
}

const RUNNING = '\nThe member must be running (npm start); it goes on serving meanwhile.';

function withOrganization(command: Command): Command {
  return command
    .requiredOption('--organization <name>', 'whose keys')
    .option('--data <folder>', 'data folder of the local consortium', DATA_FOLDER)
    .option('--json', 'print one JSON object');
}

function homeOf(options: KeysOptions): string {
  return join(options.data, memberOf(readConsortiumFile(options.data), options.organization).home);
}

function ask(
  options: KeysOptions,
  method: string,
  parameters: Readonly<Record<string, string>>,
): Promise<unknown> {
  return askMember({ home: homeOf(options), organization: options.organization, method, parameters });
}

/** `careledger keys rotate|rotate-master|back-up|restore --organization NAME`: what an operator does with a gateway's keys. */
export function registerKeys(program: Command): void {
  const keys = program
    .command('keys')
    .description("a gateway's keys: rotate, rotate-master, back-up, restore")
    .addHelpText('after', '\nExample:\n  npx careledger keys rotate all --organization general-hospital');
  registerRotate(keys);
  registerRotateMaster(keys);
  registerBackUp(keys);
  registerRestore(keys);
}

function whichKeys(text: string): string {
  if (/^(all|organization|Patient\/[A-Za-z0-9.-]{1,64})$/.test(text)) return text;
  throw new InvalidArgumentError('all, organization, or Patient/ and an id.');
}

function registerRotate(keys: Command): void {
  withOrganization(
    keys
      .command('rotate')
      .description(
        'new keys; everything under the old ones is put under them, then the old ones are destroyed',
      )
      .argument('<keys>', "all, organization, or one patient's: Patient/<id>", whichKeys),
  )
    .addHelpText(
      'after',
      `${RUNNING} A crash on the way is taken up at its next start.
Back up again afterwards: an older backup does not open what is under the new keys.

Example:
  npx careledger keys rotate all --organization general-hospital

Exit code 1 too when an old key had to stay, because something under it opens with neither.`,
    )
    .action((which: string, options: KeysOptions) =>
      runVerb(options, async () => {
        const report = (await ask(options, 'rotate-keys', { keys: which })) as RotationReport;
        if (report.unfinished > 0) process.exitCode = EXIT_FAILED;
        if (options.json === true) printJson(report);
        else printFacts(Object.entries(report));
      }),
    );
}

function registerRotateMaster(keys: Command): void {
  withOrganization(
    keys
      .command('rotate-master')
      .description('a new master key in the key file: the old one opens nothing after it'),
  )
    .addHelpText(
      'after',
      `${RUNNING} The old key file is overwritten.

Example:
  npx careledger keys rotate-master --organization general-hospital`,
    )
    .action((options: KeysOptions) =>
      runVerb(options, async () => {
        await ask(options, 'rotate-master-key', {});
        const keyFile = homePaths(homeOf(options)).keystoreSecret;
        if (options.json === true) printJson({ keyFile });
        else printLine(`${keyFile} holds the new master key; keep no copy of the old one`);
      }),
    );
}

function registerBackUp(keys: Command): void {
  withOrganization(keys.command('back-up').description('write every key to an encrypted file'))
    .requiredOption('--out <file>', 'the file to write')
    .addHelpText(
      'after',
      `${RUNNING}
The file opens for six to seven days, on this member's machine alone: then the key of its epoch is destroyed, so that
erased patients stay erased. Back up every day, and keep backup-epochs/ out of every backup.

Example:
  npx careledger keys back-up --organization general-hospital --out keys.backup`,
    )
    .action((options: KeysOptions & { readonly out: string }) =>
      runVerb(options, async () => {
        const path = resolve(options.out);
        requireNew(path);
        const report = (await ask(options, 'back-up-keys', { path })) as BackupReport;
        if (options.json === true) printJson({ file: options.out, ...report });
        else printLine(`${options.out}: ${report.keys} keys, opens until ${timeText(report.opensUntil)}`);
      }),
    );
}

function requireNew(path: string): void {
  if (existsSync(path)) {
    throw new CliError('cli/file-exists', `${path} stands already.`, 'Choose another name.');
  }
  if (!existsSync(dirname(path))) {
    throw new CliError('cli/file', `${path} cannot be written.`, 'Its folder must exist.');
  }
}

function registerRestore(keys: Command): void {
  withOrganization(
    keys
      .command('restore')
      .description("make a stopped member's keystore from a backup")
      .argument('<backup>', 'what `keys back-up` wrote'),
  )
    .addHelpText(
      'after',
      `
The member must not run, and no keystore may stand in its home: move gateway/keystore/ away first. The member's key file
is used, or made anew when it is gone. What was erased since the backup stays erased; what was protected by keys made
since cannot be read.

Example:
  npx careledger keys restore keys.backup --organization general-hospital`,
    )
    .action((backup: string, options: KeysOptions) =>
      runVerb(options, async () => {
        const report = await restore(resolve(backup), homeOf(options));
        if (options.json === true) printJson(report);
        else {
          printLine(`${report.keys} keys of ${timeText(report.createdAt)} restored`);
          if (report.leftOut > 0) printLine(`${report.leftOut} were erased since, and stay erased`);
        }
      }),
    );
}

async function restore(backup: string, home: string): Promise<RestoreReport> {
  if (!existsSync(backup)) {
    throw new CliError('cli/file', `${backup} cannot be read.`, 'Check its name and its mode.');
  }
  const paths = homePaths(home);
  const lock = lockHome(paths.gateway);
  try {
    return await restoreKeystore({
      ...{ backup, folder: paths.keystore, epochs: paths.backupEpochs },
      secret: { kind: 'key-file', path: paths.keystoreSecret },
    });
  } finally {
    lock.release();
  }
}
