import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createLedgerClient, getHead } from '@careledger/client';
import { toHex, verifySignature } from '@careledger/primitives';
import type { Command } from 'commander';
import { type ConsortiumOrganization, readConsortiumFile } from '../consortium-file.ts';
import { chainIdOf, DATA_FOLDER, httpsTransport, memberOf } from './node-connection.ts';
import { EXIT_FAILED, type OutputOptions, printJson, printLine, runVerb } from './output.ts';

interface StatusOptions extends OutputOptions {
  readonly data: string;
  readonly organization?: string;
}

/** What one member's node shows, checked; or why it shows nothing. */
type MemberStatus =
  | {
      readonly organization: string;
      readonly reached: true;
      readonly height: number;
      readonly headerHash: string;
      /** How old the newest final engine block is, in milliseconds. */
      readonly ageMilliseconds: number;
      readonly node: string;
      readonly fhir: string;
    }
  | {
      readonly organization: string;
      readonly reached: false;
      readonly code: string;
      readonly message: string;
    };

/** `careledger status`: where each member's node stands, and whether they agree. */
export function registerStatus(program: Command): void {
  program
    .command('status')
    .description("show where each member's node stands, and whether they agree")
    .option('--data <folder>', 'data folder of the local consortium', DATA_FOLDER)
    .option('--organization <name>', 'one member alone')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExit code 0: every node was reached and they agree. 1: not so.')
    .action((options: StatusOptions) =>
      runVerb(options, async () => {
        const consortium = readConsortiumFile(options.data);
        const members =
          options.organization === undefined
            ? consortium.organizations
            : [memberOf(consortium, options.organization)];
        const chain = chainIdOf(consortium.chain);
        const authority = readFileSync(join(options.data, consortium.caFile), 'utf8');
        const statuses = await Promise.all(members.map((member) => statusOf(member, chain, authority)));
        const agree = doAgree(statuses);
        if (!agree || statuses.some(({ reached }) => !reached)) process.exitCode = EXIT_FAILED;
        if (options.json === true) printJson({ chain: consortium.chain, agree, organizations: statuses });
        else printStatuses(consortium.chain, agree, statuses);
      }),
    );
}

async function statusOf(
  member: ConsortiumOrganization,
  chain: Uint8Array,
  authority: string,
): Promise<MemberStatus> {
  const { transport, close } = httpsTransport(member.node, authority);
  try {
    const client = await createLedgerClient({ chain, transport, verifySignature });
    const head = await getHead(client);
    return {
      organization: member.name,
      reached: true,
      height: head.header.height,
      headerHash: toHex(head.headerHash),
      ageMilliseconds: Math.max(0, Date.now() - head.time),
      node: member.node,
      fhir: member.fhir,
    };
  } catch (error) {
    const { code, message }: { code?: unknown; message?: unknown } = error as object;
    return {
      organization: member.name,
      reached: false,
      code: typeof code === 'string' ? code : 'cli/fault',
      message: typeof message === 'string' ? message : 'unknown',
    };
  } finally {
    await close();
  }
}

/** Two nodes at one height show one header, or the chain has split. */
export function doAgree(statuses: readonly MemberStatus[]): boolean {
  const hashes = new Map<number, string>();
  for (const status of statuses) {
    if (!status.reached) continue;
    const other = hashes.get(status.height);
    if (other !== undefined && other !== status.headerHash) return false;
    hashes.set(status.height, status.headerHash);
  }
  return true;
}

function printStatuses(chain: string, agree: boolean, statuses: readonly MemberStatus[]): void {
  printLine(`chain ${chain}`);
  const width = Math.max(...statuses.map(({ organization }) => organization.length));
  for (const status of statuses) {
    const name = status.organization.padEnd(width);
    if (status.reached) {
      const age = (status.ageMilliseconds / 1000).toFixed(1);
      printLine(
        `  ${name}  block ${status.height}  ${status.headerHash.slice(0, 16)}  ${age} s ago  ${status.fhir}`,
      );
    } else printLine(`  ${name}  not reached: ${status.message} (${status.code})`);
  }
  printLine(agree ? 'the nodes that were reached agree' : 'THE NODES DO NOT AGREE');
}
