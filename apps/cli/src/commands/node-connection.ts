import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  createLedgerClient,
  type LedgerClient,
  type NodeStream,
  type NodeTransport,
} from '@careledger/client';
import { OPERATOR_TOKEN_FILE } from '@careledger/node';
import { fromHex, verifySignature } from '@careledger/primitives';
import type { Command } from 'commander';
import { Agent, request } from 'undici';
import { homePaths } from '../consortium/member-config.ts';
import {
  type ConsortiumFile,
  type ConsortiumOrganization,
  organizationOf,
  readConsortiumFile,
} from '../consortium-file.ts';
import { CliError } from '../errors.ts';
import { requestHttps } from '../https-request.ts';

/** Where `start` keeps the local consortium unless told otherwise. */
export const DATA_FOLDER = '.careledger';
/** Ordering may take a while; a node that says nothing for so long is not there. Milliseconds. */
const REQUEST_MS_MAX = 70_000;
const CONNECT_MS_MAX = 5_000;

/** Which node is asked, and what is trusted of it: the chain id and the authority of its certificate, nothing else. */
export interface ConnectionOptions {
  readonly data: string;
  readonly organization?: string;
  readonly node?: string;
  readonly ca?: string;
  readonly genesis?: string;
  readonly tokenFile?: string;
}

/** Adds the options that every verb with a node has. */
export function withConnection(command: Command): Command {
  return command
    .option('--data <folder>', 'data folder of the local consortium', DATA_FOLDER)
    .option('--organization <name>', "whose node to ask; the first organization's by default")
    .option('--node <url>', 'a node anywhere, instead of the local consortium')
    .option('--ca <file>', "with --node: the consortium's certificate authority, PEM")
    .option('--genesis <hash>', 'with --node: the trusted genesis hash, hexadecimal')
    .option('--token-file <file>', "with --node: a file with the operator's token or an access token");
}

/** A chain id as people write it. @throws {@link CliError} `cli/genesis-hash`. */
export function chainIdOf(text: string): Uint8Array {
  const bytes = fromHex(text.trim().toLowerCase());
  if (bytes?.length === 32) return bytes;
  throw new CliError(
    'cli/genesis-hash',
    'The genesis hash is not 64 hexadecimal digits.',
    'It stands in consortium.json as "chain", and in the charter of the consortium.',
  );
}

/** The member of this name, or the first. @throws {@link CliError} `consortium/organization`. */
export function memberOf(consortium: ConsortiumFile, name: string | undefined): ConsortiumOrganization {
  return organizationOf(consortium, name ?? consortium.organizations[0]?.name ?? '');
}

export interface Connection {
  readonly client: LedgerClient;
  readonly transport: NodeTransport;
  /** Server-sent events. */
  readonly stream: NodeStream;
  readonly url: string;
  readonly close: () => Promise<void>;
}

interface Target {
  readonly url: string;
  readonly certificateAuthority: string;
  readonly chain: Uint8Array;
  /** What shows the node that this caller may read. */
  readonly token: string | undefined;
}

function targetOf(options: ConnectionOptions): Target {
  const { node, ca, genesis, tokenFile } = options;
  if (node !== undefined) {
    if (ca === undefined || genesis === undefined) {
      throw new CliError(
        'cli/trust-missing',
        'A node outside of the local consortium is only asked with something to check it by.',
        'Give --ca FILE and --genesis HASH.',
      );
    }
    const token = tokenFile === undefined ? undefined : readFileAsText(tokenFile).trim();
    return { url: node, certificateAuthority: readFileAsText(ca), chain: chainIdOf(genesis), token };
  }
  const consortium = readConsortiumFile(options.data);
  const member = memberOf(consortium, options.organization);
  return {
    url: member.node,
    certificateAuthority: readFileAsText(join(options.data, consortium.caFile)),
    chain: chainIdOf(genesis ?? consortium.chain),
    token: operatorTokenOf(options.data, member),
  };
}

/** The member's node made it at its first start; where there is none the node says what it denies. */
function operatorTokenOf(data: string, member: ConsortiumOrganization): string | undefined {
  const file = join(homePaths(join(data, member.home)).node, OPERATOR_TOKEN_FILE);
  return existsSync(file) ? readFileAsText(file).trim() : undefined;
}

function readFileAsText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new CliError('cli/file', `${file} cannot be read.`, 'Check its name and its mode.', { cause });
  }
}

/** A transport over HTTPS that accepts only the consortium's certificates. */
export function httpsTransport(url: string, certificateAuthority: string, token?: string) {
  const agent = new Agent({
    connect: { ca: certificateAuthority, minVersion: 'TLSv1.3' },
    connectTimeout: CONNECT_MS_MAX,
  });
  const authorization: { readonly authorization?: string } =
    token === undefined ? {} : { authorization: `Bearer ${token}` };
  const transport: NodeTransport = async ({ method, path, body, accept, contentType, bytesMax }) => {
    const { status, body: answer } = await requestHttps(`${url.replace(/\/$/, '')}${path}`, {
      ...{ agent, method, bytesMax, millisecondsMax: REQUEST_MS_MAX },
      headers: {
        ...{ accept, ...authorization },
        ...(contentType === undefined ? {} : { 'content-type': contentType }),
      },
      ...(body === undefined ? {} : { body }),
    });
    return { status, body: answer };
  };
  const stream: NodeStream = async ({ path, accept }) => {
    const answer = await request(`${url.replace(/\/$/, '')}${path}`, {
      headers: { accept, ...authorization },
      dispatcher: agent,
      // A heartbeat comes every second: a stream that says nothing for so long is dead.
      bodyTimeout: REQUEST_MS_MAX,
    });
    return { status: answer.statusCode, body: answer.body as AsyncIterable<Uint8Array> };
  };
  return { transport, stream, close: () => agent.destroy() };
}

/** Opens a verifying client to one node, lends it to the work, and closes it. */
export async function withNode<Value>(
  options: ConnectionOptions,
  work: (connection: Connection) => Promise<Value>,
): Promise<Value> {
  const { url, certificateAuthority, chain, token } = targetOf(options);
  const { transport, stream, close } = httpsTransport(url, certificateAuthority, token);
  try {
    const client = await createLedgerClient({ chain, transport, verifySignature });
    return await work({ client, transport, stream, url, close });
  } finally {
    await close();
  }
}
