import { getHead, getState, getTransaction, type LedgerClient } from '@careledger/client';
import { CborError, type CborValue, decodeCbor } from '@careledger/primitives';
import type { Command } from 'commander';
import { CliError } from '../errors.ts';
import { heightOf } from './height.ts';
import { type ConnectionOptions, withConnection, withNode } from './node-connection.ts';
import {
  type Facts,
  type OutputOptions,
  printFacts,
  printJson,
  printLine,
  runVerb,
  timeText,
} from './output.ts';
import { keyOf, SUBJECTS_HELP, subjectOf, transactionIdOf } from './questions.ts';

interface QueryOptions extends OutputOptions, ConnectionOptions {
  readonly height?: number;
}

/** `careledger query SUBJECT [ID]`: reads that are proven or refused. */
export function registerQuery(program: Command): void {
  const command = program
    .command('query')
    .description('read the ledger; every answer is proven or refused')
    .argument('<subject>', 'head, organization, key, consent, state or transaction')
    .argument('[id]', 'which one')
    .option('--height <number>', 'a state, organization, key or consent as of an earlier block', heightOf);
  withConnection(command)
    .option('--json', 'print one JSON object')
    .addHelpText('after', SUBJECTS_HELP)
    .action((subject: string, id: string | undefined, options: QueryOptions) =>
      runVerb(options, async () => {
        const facts = await withNode(options, ({ client }) => askFor(client, { subject, id, options }));
        if (options.json === true) printJson(Object.fromEntries(facts));
        else {
          printLine('proven');
          printFacts(facts);
        }
      }),
    );
}

interface Question {
  readonly subject: string;
  readonly id: string | undefined;
  readonly options: QueryOptions;
}

async function askFor(client: LedgerClient, { subject: text, id, options }: Question): Promise<Facts> {
  const subject = subjectOf(text);
  if (options.height !== undefined && (subject === 'head' || subject === 'transaction')) {
    throw new CliError('cli/height', `A ${subject} has no --height.`, 'Leave it out, or ask for a state.');
  }
  if (subject === 'head') return headFacts(client);
  if (subject === 'transaction') return transactionFacts(client, id);
  const key = keyOf(subject, id);
  const { value, header, time } = await getState(client, {
    key,
    ...(options.height === undefined ? {} : { height: options.height }),
  });
  return [
    ['key', key],
    ['value', value === undefined ? null : readable(value)],
    ['height', header.height],
    ['time', timeText(time)],
  ];
}

/** A state value is CBOR by its capability's codec; shown as such where it is. */
function readable(value: Uint8Array): CborValue {
  try {
    return decodeCbor(value);
  } catch (error) {
    if (error instanceof CborError) return value;
    throw error;
  }
}

async function headFacts(client: LedgerClient): Promise<Facts> {
  const { header, headerHash, time } = await getHead(client);
  return [
    ['height', header.height],
    ['hash', headerHash],
    ['stateRoot', header.stateRoot],
    ['blockTime', timeText(header.time)],
    ['engineTime', timeText(time)],
  ];
}

async function transactionFacts(client: LedgerClient, id: string | undefined): Promise<Facts> {
  const { transaction, header, index, result } = await getTransaction(client, { id: transactionIdOf(id) });
  return [
    ['id', transaction.id],
    ['type', transaction.payload.type],
    ['signer', transaction.signer],
    ['height', header.height],
    ['index', index],
    ['time', timeText(header.time)],
    ['code', result.code],
    ['events', result.events],
  ];
}
