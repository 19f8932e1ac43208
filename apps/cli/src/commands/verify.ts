import {
  type FileFault,
  type VerifiedFile,
  type VerifiedRecordProof,
  verifyFile,
  verifyReceiptFile,
} from '@careledger/client';
import { fromHex, type Result, verifySignature } from '@careledger/primitives';
import type { Command } from 'commander';
import { CliError } from '../errors.ts';
import { chainIdOf } from './node-connection.ts';
import {
  EXIT_FAILED,
  type Facts,
  type OutputOptions,
  printFacts,
  printJson,
  printLine,
  runVerb,
  timeText,
} from './output.ts';
import { readAll } from './read-file.ts';

interface VerifyOptions extends OutputOptions {
  readonly genesis: string;
  readonly record?: string;
  readonly salt?: string;
}

/** `careledger verify FILE`: checks what members hand out, offline. */
export function registerVerify(program: Command): void {
  program
    .command('verify')
    .description('check a receipt, an audit bundle, a disclosure report or a state proof offline')
    .argument('<file>', 'the file to check')
    .requiredOption('--genesis <hash>', 'the trusted genesis hash, hexadecimal: all that is taken on trust')
    .option('--record <file>', 'with a receipt: the record, to check that it is the anchored one')
    .option('--salt <hex>', "with --record: the record's salt")
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExit code 0: everything holds. 1: something does not, and it is named.')
    .action((file: string, options: VerifyOptions) =>
      runVerb(options, async () => {
        const verified = check(file, options);
        if (!verified.ok) process.exitCode = EXIT_FAILED;
        if (options.json === true) printVerdictJson(file, verified);
        else printVerdict(file, verified);
      }),
    );
}

function check(file: string, options: VerifyOptions): Result<VerifiedFile, FileFault> {
  const bytes = readAll(file);
  const trust = { expectedChain: chainIdOf(options.genesis), verifySignature };
  if (options.record === undefined) return verifyFile(bytes, trust);
  const salt = fromHex(options.salt ?? '');
  if (!salt || salt.length === 0) {
    throw new CliError('cli/salt', 'A record is only checked with its salt.', 'Give --salt in hexadecimal.');
  }
  return verifyReceiptFile(bytes, {
    ...trust,
    opening: { salt, record: readAll(options.record) },
  });
}

function printVerdictJson(file: string, verified: Result<VerifiedFile, FileFault>): void {
  if (verified.ok) printJson({ file, valid: true, ...summaryOf(verified.value) });
  else printJson({ file, valid: false, fault: verified.error });
}

function summaryOf(verified: VerifiedFile): object {
  switch (verified.kind) {
    case 'receipt':
      return { kind: verified.kind, ...verified.receipt };
    case 'audit-bundle':
      return { kind: verified.kind, ...verified.report };
    case 'state-proof': {
      const { key, value, header, headerHash, time } = verified.state;
      return { kind: verified.kind, key, value: value ?? null, height: header.height, headerHash, time };
    }
    case 'record-proof': {
      const { kind, issuer, receipt, replacedBy, asOf } = verified;
      return { kind, issuer, stands: replacedBy === undefined, replacedBy, asOf, ...receipt };
    }
    case 'disclosure-report': {
      const { entries, ...rest } = verified.disclosures;
      return { kind: verified.kind, ...rest, entries: entries.length };
    }
  }
}

function printVerdict(file: string, verified: Result<VerifiedFile, FileFault>): void {
  if (!verified.ok) {
    const { code, message, height, index } = verified.error;
    const place = [
      height === undefined ? '' : ` at block ${height}`,
      index === undefined ? '' : ` at entry ${index}`,
    ].join('');
    printLine(`NOT VALID  ${file}`);
    printLine(`  ${code}${place}: ${message}`);
    return;
  }
  printLine(`VALID  ${file}`);
  printFacts(factsOf(verified.value));
}

function factsOf(verified: VerifiedFile): Facts {
  switch (verified.kind) {
    case 'receipt': {
      const { transactionId, height, time, signer, opened, leaf } = verified.receipt;
      return [
        ['kind', 'receipt: this record version was anchored'],
        ['anchored', `${timeText(time)} in block ${height}`],
        ['transaction', transactionId],
        ['signed by key', signer],
        ['commitment', leaf.commitment],
        ['record', opened ? 'it is the anchored one' : 'not compared; give --record and --salt'],
      ];
    }
    case 'audit-bundle': {
      const { network, fromHeight, toHeight, time, transactionCount, refusedCount, headerHash } =
        verified.report;
      return [
        ['kind', `audit bundle of ${network}`],
        ['blocks', `${fromHeight} to ${toHeight}, none missing`],
        ['until', timeText(time)],
        ['transactions', `${transactionCount}, of which ${refusedCount} refused`],
        ['last header', headerHash],
      ];
    }
    case 'state-proof': {
      const { key, value, header, time } = verified.state;
      return [
        ['kind', 'state proof'],
        ['key', key],
        ['value', value ?? 'proven to have none'],
        ['as of', `${timeText(time)}, block ${header.height}`],
      ];
    }
    case 'record-proof':
      return recordProofFacts(verified);
    case 'disclosure-report':
      return reportFacts(verified.disclosures);
  }
}

/** What a record proof shows, for a person. */
export function recordProofFacts({ issuer, receipt, replacedBy, asOf }: VerifiedRecordProof): Facts {
  const until = `as of ${timeText(asOf.time)}, block ${asOf.height}`;
  return [
    ['kind', 'record proof'],
    ['issued by', issuer],
    ['anchored', `${timeText(receipt.time)} in block ${receipt.height}`],
    ['record', receipt.opened ? 'it is the anchored one, unaltered' : 'not compared; use `careledger match`'],
    ['standing', replacedBy === undefined ? `not replaced or retracted ${until}` : `REPLACED ${until}`],
    ['transaction', receipt.transactionId],
  ];
}

function reportFacts(
  report: Extract<VerifiedFile, { readonly kind: 'disclosure-report' }>['disclosures'],
): Facts {
  const { product, organization, from, until, entries, leftOut, anchorCount, height, headTime, policy } =
    report;
  return [
    ['kind', product === 'accounting' ? 'accounting of disclosures' : 'access history'],
    ['organization', organization],
    ['period', `${timeText(from)} to ${timeText(until)}`],
    ['entries', `${entries.length}, each as it was anchored`],
    ['left out', leftOut.map(({ rule, count }) => `${count} by ${rule}`).join(', ') || 'nothing'],
    ['rules', policy],
    ['anchors', `${anchorCount}, all of them`],
    ['as of', `${timeText(headTime)}, block ${height}`],
  ];
}
