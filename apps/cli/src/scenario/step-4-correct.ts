import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HOSPITAL } from '../consortium/members.ts';
import type { GatewaySession, JsonObject } from './gateway-session.ts';
import { fetchReceipt, resourcesOf, textOf } from './records.ts';
import type { Step, StepLog } from './step.ts';
import type { World } from './world.ts';

/** Step 4: nothing is overwritten. A correction and a retraction are appended; the originals stay provable. */
export const correctAndRetract: Step<World> = {
  title: 'A record is corrected, another retracted: both by append',
  needs: [2],
  play: async (world, log) => {
    const session = world.session({ organization: HOSPITAL, scope: 'user/*.cruds', user: 'records-office' });
    const search = new URLSearchParams({ patient: `Patient/${world.story.hospitalPatient}`, _count: '20' });
    const found = await session.send('Observation/_search', {
      method: 'POST',
      body: search.toString(),
      contentType: 'application/x-www-form-urlencoded',
    });
    const [first, second] = resourcesOf(found.json);
    if (!first || !second) throw new Error('the patient has no two observations');
    await correct(world, session, first, log);
    await retract(world, session, second, log);
  },
};

function versionOf(resource: JsonObject): number {
  return Number(textOf((resource.meta as JsonObject | undefined)?.versionId));
}

async function correct(
  world: World,
  session: GatewaySession,
  original: JsonObject,
  log: StepLog,
): Promise<void> {
  const path = `Observation/${textOf(original.id)}`;
  const version = versionOf(original);
  const corrected = { ...original, status: 'corrected' };
  const answer = await session.send(path, {
    method: 'PUT',
    body: JSON.stringify(corrected),
    headers: { 'if-match': `W/"${version}"` },
  });
  log.check(
    'the correction is a new version',
    answer.status === 200 && versionOf(answer.json) === version + 1,
  );
  const stale = await session.send(path, {
    method: 'PUT',
    body: JSON.stringify(corrected),
    headers: { 'if-match': `W/"${version}"` },
  });
  log.check('a second writer with the old version is refused', stale.status === 412);
  const history = await session.send(`${path}/_history`);
  log.check('the history shows both versions', resourcesOf(history.json).length === version + 1);
  const before = await fetchReceipt(world, session, {
    type: 'Observation',
    id: textOf(original.id),
    version,
  });
  log.check(`the original version is still provable ${before.problem}`.trim(), before.held);
  const id = textOf(original.id);
  const after = await fetchReceipt(world, session, { type: 'Observation', id, version: version + 1 });
  log.check(`the correction has its own receipt ${after.problem}`.trim(), after.held);
  world.story.receiptFile = join(world.folder, 'correction.receipt');
  writeFileSync(world.story.receiptFile, after.bytes);
}

async function retract(
  world: World,
  session: GatewaySession,
  original: JsonObject,
  log: StepLog,
): Promise<void> {
  const id = textOf(original.id);
  const version = versionOf(original);
  const deleted = await session.send(`Observation/${id}`, { method: 'DELETE' });
  log.check('the retraction is accepted', deleted.status === 200 || deleted.status === 204);
  const current = await session.send(`Observation/${id}`);
  log.check('the current view says that it is gone (410)', current.status === 410);
  const history = await session.send(`Observation/${id}/_history`);
  const entries = (history.json.entry ?? []) as readonly JsonObject[];
  const tombstone = entries.some((entry) => (entry.request as JsonObject | undefined)?.method === 'DELETE');
  log.check(
    'the history shows the original and the retraction',
    tombstone && resourcesOf(history.json).length >= 1,
  );
  const receipt = await fetchReceipt(world, session, { type: 'Observation', id, version });
  log.check(`the retracted original is still provable ${receipt.problem}`.trim(), receipt.held);
}
