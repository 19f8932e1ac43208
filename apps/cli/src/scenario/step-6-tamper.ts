import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { verifyFile } from '@careledger/client';
import { verifyBlockFiles } from '@careledger/node';
import { readGenesis } from '../consortium/create-consortium.ts';
import { homePaths } from '../consortium/member-config.ts';
import { HOSPITAL } from '../consortium/members.ts';
import { organizationOf } from '../consortium-file.ts';
import { trustOf } from './records.ts';
import type { Step, StepLog } from './step.ts';
import { memberOf, standingOf, type World } from './world.ts';

/** Where in a file a byte is flipped, as a part of its length. */
const FLIPPED_PLACES = [0.02, 0.2, 0.4, 0.6, 0.8, 0.98];

/** Step 6: one flipped byte, in copies of four kinds of file. Each must be found, and named. */
export const tamper: Step<World> = {
  title: 'Tampering: one byte flipped in a copy of each kind of file',
  needs: [4, 5],
  play: async (world, log) => {
    const folder = mkdtempSync(join(tmpdir(), 'careledger-tamper-'));
    try {
      await tamperBlocks(world, folder, log);
      await tamperVault(world, log);
      tamperFile(world, 'receipt', world.story.receiptFile, log);
      tamperFile(world, 'exported report', world.story.reportFile, log);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

function flipByte(bytes: Uint8Array, place: number): void {
  bytes[place] = (bytes[place] ?? 0) ^ 0x01;
}

async function tamperBlocks(world: World, folder: string, log: StepLog): Promise<void> {
  const home = join(world.folder, organizationOf(world.consortium, HOSPITAL).home);
  const copy = join(folder, 'segments');
  const genesis = readGenesis(world.folder, world.consortium);
  const { height } = await standingOf(world, HOSPITAL);
  cpSync(join(homePaths(home).node, 'segments'), copy, { recursive: true });
  const whole = await verifyBlockFiles({ folder: copy, genesis });
  log.check(`the untouched copy of the blocks holds to height ${height}`, whole.ok && whole.height >= height);
  const name = readdirSync(copy).toSorted()[0];
  if (name === undefined) throw new Error('there is no block file');
  const file = join(copy, name);
  const bytes = readFileSync(file);
  flipByte(bytes, Math.floor(bytes.length / 2));
  writeFileSync(file, bytes);
  const broken = await verifyBlockFiles({ folder: copy, genesis });
  const found = broken.ok ? 'nothing' : `height ${broken.height}, ${broken.field}`;
  log.check(`a flipped byte in a block file is found: ${found}`, !broken.ok);
}

interface VaultFindings {
  readonly whole: number;
  readonly faults: readonly { readonly record: string; readonly fault: string }[];
}

async function tamperVault(world: World, log: StepLog): Promise<void> {
  const findings = (await memberOf(world, HOSPITAL).request('tamper-vault-copy')) as VaultFindings;
  log.check('the untouched copy of the vault holds', findings.whole === 0);
  const [first] = findings.faults;
  const found = first ? `${first.record.split('/')[0]} …, ${first.fault}` : 'nothing';
  log.check(`a flipped byte in a vault record is found: ${found}`, findings.faults.length === 1);
}

function tamperFile(world: World, what: string, path: string | undefined, log: StepLog): void {
  if (path === undefined) throw new Error(`no ${what} was exported by an earlier step`);
  const trust = trustOf(world);
  const bytes = new Uint8Array(readFileSync(path));
  log.check(`the untouched ${what} holds`, verifyFile(bytes, trust).ok);
  const found = FLIPPED_PLACES.map((place) => {
    const flipped = bytes.slice();
    flipByte(flipped, Math.floor(bytes.length * place));
    const verdict = verifyFile(flipped, trust);
    return verdict.ok ? undefined : verdict.error.code;
  });
  const names = [...new Set(found)].join(', ');
  log.check(`a flipped byte in the ${what} is found: ${names}`, !found.includes(undefined));
}
