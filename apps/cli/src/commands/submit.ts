import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  getTransaction,
  sendTransaction,
  submitTransaction,
  TransactionRefusedError,
} from '@careledger/client';
import { decodeTransaction } from '@careledger/ledger';
import type { Command } from 'commander';
import { homePaths } from '../consortium/member-config.ts';
import { readConsortiumFile } from '../consortium-file.ts';
import { CliError } from '../errors.ts';
import { encodeMessage, messageTypes } from './message-json.ts';
import {
  type Connection,
  type ConnectionOptions,
  memberOf,
  withConnection,
  withNode,
} from './node-connection.ts';
import { type OutputOptions, printFacts, printJson, printLine, runVerb, timeText } from './output.ts';

/** How long a submitted transaction may wait to be ordered, in milliseconds. */
const EXPIRES_MS = 5 * 60_000;
const NONCE_BYTES = 16;

interface SubmitOptions extends OutputOptions, ConnectionOptions {
  readonly body?: string;
  readonly key?: string;
  readonly signed?: string;
}

/** `careledger submit TYPE`: signs a message, submits it, and waits for the proof that it is final. */
export function registerSubmit(program: Command): void {
  const command = program
    .command('submit')
    .description('sign a transaction, submit it, and wait for the proof that it is final')
    .argument('[type]', 'capability/message, such as consent/revoke')
    .option('--body <json>', 'the message as JSON, bytes in hexadecimal; @FILE reads a file')
    .option('--key <file>', "a ledger key file; the organization's administrator by default")
    .option('--signed <file>', 'a transaction that was signed elsewhere, instead of type, body and key');
  withConnection(command)
    .option('--json', 'print one JSON object')
    .addHelpText('after', () => `\nTypes: ${messageTypes().join(', ')}`)
    .action((type: string | undefined, options: SubmitOptions) =>
      runVerb(options, async () => {
        const proven = await withNode(options, (connection) =>
          options.signed === undefined
            ? submitMessage(connection, type, options)
            : submitSigned(connection, options.signed),
        );
        const { transaction, header, index } = proven;
        const fields = { id: transaction.id, height: header.height, index, time: header.time };
        if (options.json === true) {
          printJson(fields);
          return;
        }
        printLine('accepted, and proven to be final');
        printFacts([
          ['transaction', transaction.id],
          ['block', `${header.height}, place ${index}`],
          ['time', timeText(header.time)],
        ]);
      }),
    );
}

function readBytes(file: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(file));
  } catch (cause) {
    throw new CliError('cli/file', `${file} cannot be read.`, 'Check its name and its mode.', { cause });
  }
}

function parseBody(body: string): unknown {
  const text = body.startsWith('@') ? Buffer.from(readBytes(body.slice(1))).toString('utf8') : body;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CliError('cli/message', 'The body is not JSON.', 'Give an object with --body.', { cause });
  }
}

async function submitMessage({ client }: Connection, type: string | undefined, options: SubmitOptions) {
  if (type === undefined || options.body === undefined) {
    throw new CliError(
      'cli/message',
      'A type and a --body are needed, or a --signed file.',
      "For example: submit consent/revoke --body '{...}'.",
    );
  }
  const body = encodeMessage(type, parseBody(options.body));
  const { readSigningKey } = await import('@careledger/node');
  return submitTransaction(client, {
    type,
    body,
    signer: readSigningKey(keyFileOf(options)),
    nonce: new Uint8Array(randomBytes(NONCE_BYTES)),
    expiresAt: Date.now() + EXPIRES_MS,
  });
}

function keyFileOf(options: SubmitOptions): string {
  if (options.key !== undefined) return options.key;
  if (options.node !== undefined) {
    throw new CliError('cli/key', 'There is no key to sign with.', 'Give --key FILE.');
  }
  const { home } = memberOf(readConsortiumFile(options.data), options.organization);
  return homePaths(join(options.data, home)).administratorKey;
}

async function submitSigned({ client }: Connection, file: string) {
  const bytes = readBytes(file);
  const decoded = decodeTransaction(bytes);
  if (!decoded.ok) {
    throw new CliError(decoded.error, `${file} is not a transaction of the ledger.`, 'Sign it again.');
  }
  await sendTransaction(client, bytes);
  const proven = await getTransaction(client, { id: decoded.value.id });
  if (!proven.accepted) throw new TransactionRefusedError(proven.result.code);
  return proven;
}
