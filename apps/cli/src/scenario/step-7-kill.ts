import { setTimeout as wait } from 'node:timers/promises';
import { CLINIC, HOSPITAL, PAYER } from '../consortium/members.ts';
import type { GatewaySession } from './gateway-session.ts';
import { fetchReceipt } from './records.ts';
import type { Step, StepLog } from './step.ts';
import { agree, memberOf, standingOf, until, type World } from './world.ts';

const WARM_UP_MILLISECONDS = 1_500;
const WITHOUT_MILLISECONDS = 4_000;
const CATCH_UP_MILLISECONDS = 20_000;
/** Receipts that are fetched and verified of everything that was acknowledged; every record itself is read. */
const RECEIPTS_CHECKED = 20;

interface Load {
  readonly acknowledged: { readonly session: GatewaySession; readonly id: string }[];
  /** Ends the load and waits for the writes under way. */
  readonly stop: () => Promise<void>;
}

/** Step 7: a member's process dies in the middle of its work. The others go on; it comes back and agrees. */
export const killOneMember: Step<World> = {
  title: 'One member gets SIGKILL under load; the others go on; restarted, it agrees',
  play: async (world, log) => {
    const sessions = [HOSPITAL, CLINIC, PAYER].map((organization) =>
      world.session({ organization, scope: 'system/*.cruds' }),
    );
    const load = await startLoad(sessions);
    try {
      await killUnderLoad(world, load, log);
    } finally {
      // Whatever broke off, writers without an end would keep this process alive.
      await load.stop();
    }
  },
};

async function killUnderLoad(world: World, load: Load, log: StepLog): Promise<void> {
  await wait(WARM_UP_MILLISECONDS);
  const before = await standingOf(world, HOSPITAL);
  await memberOf(world, PAYER).kill();
  world.members.delete(PAYER);
  log.say(`${PAYER} was killed at height ${before.height}`);
  await wait(WITHOUT_MILLISECONDS);
  const during = await standingOf(world, HOSPITAL);
  log.check(
    `three members go on: ${during.height - before.height} blocks without it`,
    during.height > before.height,
  );
  const restarted = performance.now();
  await world.restart(PAYER);
  const caughtUp = await until(async () => {
    const [own, others] = [await standingOf(world, PAYER), await standingOf(world, HOSPITAL)];
    return own.height >= during.height && own.height >= others.height - 1;
  }, CATCH_UP_MILLISECONDS);
  log.check('restarted, it catches up under load', caughtUp);
  log.figure('back after (ms)', Math.round(performance.now() - restarted));
  await load.stop();
  log.check('all four have the same head and state', await until(() => agree(world), CATCH_UP_MILLISECONDS));
  await nothingIsLost(world, load, log);
}

async function startLoad(sessions: readonly GatewaySession[]): Promise<Load> {
  const acknowledged: Load['acknowledged'] = [];
  let running = true;
  const writers = sessions.map(async (session) => {
    const patient = await create(session, { resourceType: 'Patient', active: true });
    while (running) {
      try {
        const id = await create(session, {
          resourceType: 'Observation',
          status: 'final',
          code: { coding: [{ system: 'http://loinc.org', code: '8867-4' }] },
          subject: { reference: `Patient/${patient}` },
          valueQuantity: { value: 70 + (acknowledged.length % 20), unit: '/min' },
        });
        acknowledged.push({ session, id });
      } catch {
        // Not acknowledged: the member is down. A client tries again; nothing is promised for this one.
        await wait(200);
      }
    }
  });
  return {
    acknowledged,
    stop: async () => {
      running = false;
      await Promise.all(writers);
    },
  };
}

async function create(session: GatewaySession, resource: Readonly<Record<string, unknown>>): Promise<string> {
  const body = JSON.stringify(resource);
  const answer = await session.send(String(resource.resourceType), { method: 'POST', body });
  if (answer.status !== 201 || typeof answer.json.id !== 'string')
    throw new Error(`refused with ${answer.status}`);
  return answer.json.id;
}

async function nothingIsLost(world: World, load: Load, log: StepLog): Promise<void> {
  let lost = 0;
  for (const { session, id } of load.acknowledged) {
    if ((await session.send(`Observation/${id}`)).status !== 200) lost += 1;
  }
  const count = load.acknowledged.length;
  log.figure('acknowledged writes', count);
  log.check(`nothing acknowledged is lost: ${count - lost} of ${count} are there`, count > 0 && lost === 0);
  const every = Math.max(1, Math.floor(count / RECEIPTS_CHECKED));
  const sample = load.acknowledged.filter((_, index) => index % every === 0);
  let proven = 0;
  for (const { session, id } of sample) {
    if ((await fetchReceipt(world, session, { type: 'Observation', id, version: 1 })).held) proven += 1;
  }
  log.check(`each of ${sample.length} sampled receipts verifies offline`, proven === sample.length);
}
