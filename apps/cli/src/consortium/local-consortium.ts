import { join } from 'node:path';
import { type ConsortiumFile, readConsortiumFile } from '../consortium-file.ts';
import { CliError } from '../errors.ts';
import { type MemberHandle, startMember } from '../member/member-handle.ts';
import { openConsortium } from './create-consortium.ts';
import { lockFolder } from './folder-lock.ts';
import type { LocalMember } from './members.ts';

const ENGINE = { id: 'pbft', version: 1 } as const;
const RULE_PACK = 'opt-in-exchange';

/** The four members of this machine, running. */
export interface LocalConsortium {
  readonly file: ConsortiumFile;
  readonly members: Map<string, MemberHandle>;
  readonly restart: (organization: string) => Promise<MemberHandle>;
  /** Stops every member in order; whatever was acknowledged is durable already. */
  readonly stop: () => Promise<void>;
}

/**
 * Opens or founds the consortium in a folder and starts its members.
 *
 * @throws {@link CliError} when the folder is in use or of another version, a port is in use, a member does not start.
 */
export async function createConsortium(options: {
  readonly folder: string;
  readonly basePort: number;
  /** Who founds it: the four of `npm start` unless given. */
  readonly members?: readonly LocalMember[];
  readonly say: (text: string) => void;
}): Promise<LocalConsortium> {
  const { folder, basePort, say, members: founders } = options;
  const unlock = lockFolder(folder);
  const members = new Map<string, MemberHandle>();
  const stop = async (): Promise<void> => {
    await Promise.all(
      [...members.values()].filter((member) => member.isRunning()).map((member) => member.stop()),
    );
    unlock();
  };
  try {
    const file = await openConsortium({
      folder,
      basePort,
      now: Date.now(),
      engine: ENGINE,
      rulePack: RULE_PACK,
      ...(founders && { members: founders }),
    });
    say(`data in ${folder} · chain ${file.chain.slice(0, 16)}…`);
    const startOne = async (organization: string): Promise<MemberHandle> => {
      const entry = file.organizations.find((candidate) => candidate.name === organization);
      if (!entry)
        throw new CliError('member/missing', `${organization} is not a member.`, 'See consortium.json.');
      const member = await startMember({ organization, home: join(folder, entry.home) });
      members.set(organization, member);
      return member;
    };
    const started = await Promise.allSettled(file.organizations.map(({ name }) => startOne(name)));
    const failed = started.find((outcome) => outcome.status === 'rejected');
    if (failed) throw failed.reason;
    for (const { organization, processId } of members.values())
      say(`${organization} is process ${processId}`);
    return { file: readConsortiumFile(folder), members, restart: startOne, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
