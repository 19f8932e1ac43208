import { setTimeout as wait } from 'node:timers/promises';
import {
  type BlockQuery,
  findBlocks,
  findTransactions,
  getDispute,
  getHistory,
  type VerifiedBlock,
  watchBlocks,
} from '@careledger/client';
import type { PublicKey } from '@careledger/primitives';
import { type Command, InvalidArgumentError } from 'commander';
import { heightOf } from './height.ts';
import { type Connection, type ConnectionOptions, withConnection, withNode } from './node-connection.ts';
import { type OutputOptions, printJson, printLine, runVerb, timeText } from './output.ts';
import { keyBytesOf, publicKeyOf } from './questions.ts';

/** Lines that a list prints unless told otherwise. */
const LIST_MAX = 100;

/** An instant on the command line: ISO 8601, or milliseconds. @throws InvalidArgumentError */
export function instantOf(text: string): number {
  const instant = /^\d+$/.test(text) ? Number(text) : Date.parse(text);
  if (Number.isSafeInteger(instant) && instant >= 0) return instant;
  throw new InvalidArgumentError('An instant looks like 2026-03-01T12:00:00Z.');
}

interface ListOptions extends OutputOptions, ConnectionOptions {
  readonly from?: number;
  readonly to?: number;
  readonly since?: number;
  readonly until?: number;
  readonly type?: string;
  readonly actor?: string;
  readonly subject?: string;
  readonly proposer?: string;
  readonly limit: number;
}

function withSpan(command: Command): Command {
  return withConnection(command)
    .option('--since <instant>', 'block time at or after this', instantOf)
    .option('--until <instant>', 'block time at or before this', instantOf)
    .option('--type <type>', 'of this transaction type, such as consent/grant')
    .option('--limit <count>', 'at most so many', heightOf, LIST_MAX)
    .option('--json', 'print one JSON object a line');
}

/** What is absent stays absent: an option that was not given is no condition. */
function present<Fields extends object>(
  fields: Fields,
): { [Name in keyof Fields]: Exclude<Fields[Name], undefined> } {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [Name in keyof Fields]: Exclude<Fields[Name], undefined> };
}

/** Prints items as they come and stops at the limit. */
async function printAll<Item>(
  items: AsyncIterable<Item>,
  options: { readonly limit: number; readonly json?: boolean },
  form: { readonly json: (item: Item) => object; readonly line: (item: Item) => string },
): Promise<void> {
  let count = 0;
  for await (const item of items) {
    if (options.json === true) printJson(form.json(item));
    else printLine(form.line(item));
    count += 1;
    if (count >= options.limit) return;
  }
}

const BLOCK = {
  json: ({ header, headerHash, transactions, results }: VerifiedBlock): object => ({
    ...{ height: header.height, time: header.time, headerHash, proposer: header.proposer },
    ...{ transactions: transactions.length, refused: results.filter(({ code }) => code !== 0).length },
  }),
  line: ({ header, headerHash, transactions }: VerifiedBlock): string =>
    `${header.height}  ${timeText(header.time)}  ${Buffer.from(headerHash).toString('hex').slice(0, 16)}  ${transactions.length} transactions`,
};

/** `careledger blocks`: blocks by height, time, proposer and type, each proven. */
export function registerBlocks(program: Command): void {
  withSpan(
    program
      .command('blocks')
      .description('list blocks by height, time, proposer and transaction type, each proven')
      .option('--from <height>', 'first block', heightOf)
      .option('--to <height>', 'last block', heightOf)
      .option('--proposer <key>', 'proposed by this validator key, hexadecimal'),
  )
    .addHelpText('after', '\nExample:\n  npx careledger blocks --type consent/grant --since 2026-03-01')
    .action((options: ListOptions) =>
      runVerb(options, () =>
        withNode(options, ({ client }) => {
          const { from: fromHeight, to: toHeight, since, until, type } = options;
          const proposer = options.proposer === undefined ? undefined : publicKeyOf(options.proposer);
          const query: BlockQuery = present({ fromHeight, toHeight, since, until, type, proposer });
          return printAll(findBlocks(client, query), options, BLOCK);
        }),
      ),
    );
}

/** `careledger transactions`: by type, signer, subject and time, each with its result and proven. */
export function registerTransactions(program: Command): void {
  withSpan(
    program
      .command('transactions')
      .description('list transactions by type, signer, subject and time, each proven')
      .option('--actor <key>', 'signed by this key, hexadecimal')
      .option('--subject <id>', 'with this id in one of its events, such as a consent id'),
  )
    .addHelpText('after', '\nExample:\n  npx careledger transactions --type records/anchor --limit 5 --json')
    .action((options: ListOptions) =>
      runVerb(options, () =>
        withNode(options, ({ client }) => {
          const { since, until, type, subject } = options;
          const actor: PublicKey | undefined =
            options.actor === undefined ? undefined : publicKeyOf(options.actor);
          const found = findTransactions(client, present({ since, until, type, subject, actor }));
          return printAll(found, options, {
            json: ({ transaction, header, index, result }) => ({
              ...{ id: transaction.id, type: transaction.payload.type, signer: transaction.signer },
              ...{ height: header.height, index, time: header.time, code: result.code },
            }),
            line: ({ transaction, header, result }) =>
              `${header.height}  ${timeText(header.time)}  ${transaction.payload.type}  ${Buffer.from(transaction.id).toString('hex')}  ${result.code === 0 ? 'accepted' : `refused ${result.code}`}`,
          });
        }),
      ),
    );
}

/** `careledger history KEY`: what a state key held from which block on. */
export function registerHistory(program: Command): void {
  withConnection(
    program.command('history').description('what a state key held from which block on, each change proven'),
  )
    .argument('<key>', 'the state key: text, or 0x and hexadecimal')
    .option('--limit <count>', 'at most so many', heightOf, LIST_MAX)
    .option('--json', 'print one JSON object a line')
    .addHelpText('after', '\nExample:\n  npx careledger history membership/organization/city-clinic')
    .action((key: string, options: ListOptions) =>
      runVerb(options, () =>
        withNode(options, ({ client }) =>
          printAll(getHistory(client, { key: keyBytesOf(key) }), options, {
            json: ({ height, time, value }) => ({ height, time, value: value ?? null }),
            line: ({ height, time, value }) =>
              `${height}  ${timeText(time)}  ${value === undefined ? 'removed' : Buffer.from(value).toString('hex')}`,
          }),
        ),
      ),
    );
}

interface DisputeOptions extends OutputOptions, ConnectionOptions {
  readonly at: number;
}

/** `careledger dispute KEY --at INSTANT`: what held for a key at an instant, the same from every node. */
export function registerDispute(program: Command): void {
  withConnection(
    program
      .command('dispute')
      .description('what held for a state key at an instant, proven, the same from every node'),
  )
    .argument('<key>', 'the state key: text, or 0x and hexadecimal')
    .requiredOption('--at <instant>', 'the instant, such as 2026-03-01T12:00:00Z', instantOf)
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      '\nExample:\n  npx careledger dispute membership/organization/city-clinic --at 2026-03-01T12:00:00Z',
    )
    .action((key: string, options: DisputeOptions) =>
      runVerb(options, async () => {
        const held = await withNode(options, ({ client }) =>
          getDispute(client, { key: keyBytesOf(key), at: options.at }),
        );
        const { value, header, node, answerHash } = held;
        const fields = { value: value ?? null, height: header.height, time: header.time, node, answerHash };
        if (options.json === true) printJson({ at: options.at, ...fields });
        else {
          const said = value === undefined ? 'nothing held' : Buffer.from(value).toString('hex');
          printLine(`at ${timeText(options.at)}, by block ${header.height}: ${said}`);
          printLine(`  signed by ${node}; every node answers ${Buffer.from(answerHash).toString('hex')}`);
        }
      }),
    );
}

interface WatchOptions extends OutputOptions, ConnectionOptions {
  readonly after?: number;
  readonly types?: string;
  readonly limit?: number;
}

function watched({ client, stream }: Connection, options: WatchOptions): AsyncIterable<VerifiedBlock> {
  return watchBlocks(client, {
    stream,
    wait: (milliseconds) => wait(milliseconds),
    ...(options.after === undefined ? {} : { afterHeight: options.after }),
    ...(options.types === undefined ? {} : { types: options.types.split(',') }),
  });
}

/** `careledger watch`: final blocks as they come, each once and proven. */
export function registerWatch(program: Command): void {
  withConnection(
    program.command('watch').description('print final blocks as they come, each once, in order and proven'),
  )
    .option('--after <height>', 'begin behind this block; with the next one by default', Number)
    .option('--types <types>', 'only blocks with transactions of these types, separated by commas')
    .option('--limit <count>', 'stop after so many', heightOf)
    .option('--json', 'print one JSON object a line')
    .addHelpText('after', '\nExample:\n  npx careledger watch --types consent/grant,consent/revoke --json')
    .action((options: WatchOptions) =>
      runVerb(options, () =>
        withNode(options, (connection) =>
          printAll(watched(connection, options), { limit: Number.POSITIVE_INFINITY, ...options }, BLOCK),
        ),
      ),
    );
}
