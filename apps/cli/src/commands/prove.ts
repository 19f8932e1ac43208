import { writeFileSync } from 'node:fs';
import {
  exportAuditBundle,
  exportRecordProof,
  exportStateProof,
  getTransaction,
  type LedgerClient,
} from '@careledger/client';
import { type AuditBundle, decodeAuditBundle, encodeAuditBundle, proveTransaction } from '@careledger/ledger';
import { fromHex, invariant } from '@careledger/primitives';
import type { Command } from 'commander';
import { CliError } from '../errors.ts';
import { heightOf } from './height.ts';
import { type ConnectionOptions, withConnection, withNode } from './node-connection.ts';
import { type OutputOptions, printJson, printLine, runVerb } from './output.ts';
import { keyOf, SUBJECTS_HELP, subjectOf, transactionIdOf } from './questions.ts';
import { readAll } from './read-file.ts';

const RECORD_HELP = `
A record's proof shows a third party who issued it, when, that it is unaltered and that it stands:
  npx careledger prove record observation.json --receipt observation.receipt --salt HEX --out observation.proof
  npx careledger match observation.json --proof observation.proof --genesis HASH
It holds the salt: give it only to whom you give the record.`;

interface ProveOptions extends OutputOptions, ConnectionOptions {
  readonly out: string;
  readonly height?: number;
  readonly receipt?: string;
  readonly salt?: string;
}

/** `careledger prove SUBJECT ID --out FILE`: a proof that others check offline. */
export function registerProve(program: Command): void {
  const command = program
    .command('prove')
    .description('write a proof to a file that others check offline with `careledger verify`')
    .argument('<subject>', 'organization, key, consent, state, transaction or record')
    .argument('<id>', 'which one; a record by its file')
    .requiredOption('--out <file>', 'the file to write')
    .option('--height <height>', 'as of an earlier block', heightOf)
    .option('--receipt <file>', 'with a record: its receipt')
    .option('--salt <hex>', 'with a record: its salt');
  withConnection(command)
    .option('--json', 'print one JSON object')
    .addHelpText('after', `${SUBJECTS_HELP}\n${RECORD_HELP}`)
    .action((subject: string, id: string, options: ProveOptions) =>
      runVerb(options, async () => {
        const bytes = await withNode(options, ({ client }) => proofOf(client, { subject, id, options }));
        writeFile(options.out, bytes);
        if (options.json === true) printJson({ file: options.out, bytes: bytes.length });
        else printLine(`${options.out}: ${bytes.length} bytes, checked`);
      }),
    );
}

/** Writes a file of the person's choice, and never over one. @throws {@link CliError} `cli/file-exists`, `cli/file`. */
export function writeFile(file: string, bytes: Uint8Array): void {
  try {
    writeFileSync(file, bytes, { flag: 'wx', flush: true });
  } catch (cause) {
    const exists = (cause as NodeJS.ErrnoException).code === 'EEXIST';
    throw new CliError(
      exists ? 'cli/file-exists' : 'cli/file',
      exists ? `${file} stands already.` : `${file} cannot be written.`,
      'Choose another name.',
      { cause },
    );
  }
}

interface Question {
  readonly subject: string;
  readonly id: string;
  readonly options: ProveOptions;
}

/** A record with its receipt, as a file for a third party. */
async function recordProof(
  client: LedgerClient,
  { receipt, salt: saltText, record }: Pick<ProveOptions, 'receipt' | 'salt'> & { readonly record: string },
): Promise<Uint8Array> {
  const salt = fromHex((saltText ?? '').toLowerCase());
  if (receipt === undefined || !salt || salt.length === 0) {
    throw new CliError(
      'cli/salt',
      'A record is only proven with its receipt and its salt.',
      'Give --receipt FILE and --salt in hexadecimal; the custodian’s gateway has both.',
    );
  }
  const parts = { receipt: readAll(receipt), salt, record: readAll(record) };
  return (await exportRecordProof(client, parts)).bytes;
}

async function proofOf(client: LedgerClient, { subject: text, id, options }: Question): Promise<Uint8Array> {
  if (text === 'record') return recordProof(client, { ...options, record: id });
  const subject = subjectOf(text);
  if (subject === 'transaction') return transactionProof(client, id);
  if (subject === 'head') {
    throw new CliError('cli/subject', 'A head proves nothing by itself.', 'Export its blocks with `export`.');
  }
  const { height } = options;
  const { bytes } = await exportStateProof(client, {
    key: keyOf(subject, id),
    ...(height === undefined ? {} : { height }),
  });
  return bytes;
}

/** One transaction, its result and the paths of both, in an audit bundle of its one block. */
async function transactionProof(client: LedgerClient, id: string): Promise<Uint8Array> {
  const { header, index } = await getTransaction(client, { id: transactionIdOf(id) });
  const { height } = header;
  const whole = await exportAuditBundle(client, { fromHeight: height, toHeight: height });
  const decoded = decodeAuditBundle(whole.bytes);
  invariant(decoded.ok, 'a bundle that was verified can be read');
  return encodeAuditBundle(withOneTransaction(decoded.value, index));
}

function withOneTransaction(bundle: AuditBundle, index: number): AuditBundle {
  const entries = bundle.entries.map(({ certified, body }) => {
    invariant(body, 'the node sends whole blocks');
    const {
      transaction,
      transactionProof: path,
      result,
      resultProof,
    } = proveTransaction({ ...certified, ...body }, index);
    const selected = [{ transaction, transactionProof: path, result, resultProof }];
    return { certified, body: undefined, selected };
  });
  return { ...bundle, entries };
}
