import { setTimeout as wait } from 'node:timers/promises';
import type { ConsortiumFile } from '../consortium-file.ts';
import { CliError } from '../errors.ts';
import type { OperatorOptions } from '../local-operator.ts';
import type { MemberHandle } from '../member/member-handle.ts';
import type { SourceParameters } from '../member/member-source.ts';
import { type GatewaySession, openSession } from './gateway-session.ts';

/** Everything a step works with. */
export interface World {
  readonly folder: string;
  readonly consortium: ConsortiumFile;
  readonly members: Map<string, MemberHandle>;
  readonly session: (options: Omit<OperatorOptions, 'folder' | 'consortium'>) => GatewaySession;
  /** Starts a member again after its process has ended. */
  readonly restart: (organization: string) => Promise<MemberHandle>;
  readonly importSource: SourceParameters | undefined;
  readonly importCustodian: string;
  /** What earlier steps found out. */
  readonly story: Story;
}

/** Who the story is about: set by one step, needed by the next. Ids only. */
export interface Story {
  /** The patient's id at the hospital, and at the clinic. */
  hospitalPatient?: string;
  clinicPatient?: string;
  /** The Consent resource at the hospital, and the consent's id on the ledger. */
  consentId?: string;
  ledgerConsentId?: string;
  /** Files that step 5 and 3 exported, for the tampering step. */
  reportFile?: string;
  receiptFile?: string;
}

export function createWorld(options: Omit<World, 'session' | 'story'>): World {
  const { folder, consortium } = options;
  const sessions = new Map<string, GatewaySession>();
  return {
    ...options,
    story: {},
    session: (wanted) => {
      const key = JSON.stringify(wanted);
      const session = sessions.get(key) ?? openSession({ folder, consortium, ...wanted });
      sessions.set(key, session);
      return session;
    },
  };
}

export function memberOf(world: World, organization: string): MemberHandle {
  const member = world.members.get(organization);
  if (member) return member;
  throw new CliError('member/missing', `${organization} is not running.`, 'Start the consortium again.');
}

/** One node's standing, as its own process tells it. */
export interface NodeStanding {
  readonly height: number;
  readonly headerHash: string;
  readonly stateRoot: string;
  readonly peers: number;
}

export async function standingOf(world: World, organization: string): Promise<NodeStanding> {
  return (await memberOf(world, organization).request('status')) as NodeStanding;
}

const POLL_MILLISECONDS = 50;

/** Asks again until it holds. @returns whether it held in time. */
export async function until(condition: () => Promise<boolean>, millisecondsMax: number): Promise<boolean> {
  const deadline = performance.now() + millisecondsMax;
  for (;;) {
    if (await condition()) return true;
    if (performance.now() >= deadline) return false;
    await wait(POLL_MILLISECONDS);
  }
}

/** Do all running nodes have the same head and state root? */
export async function agree(world: World): Promise<boolean> {
  const standings = await Promise.all([...world.members.keys()].map((name) => standingOf(world, name)));
  return new Set(standings.map((standing) => `${standing.headerHash}/${standing.stateRoot}`)).size === 1;
}
