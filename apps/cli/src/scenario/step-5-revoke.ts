import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { verifyDisclosureReportFile } from '@careledger/client';
import type { GatewaySession, JsonObject } from './gateway-session.ts';
import { resourcesOf, textOf, trustOf } from './records.ts';
import type { Step, StepLog } from './step.ts';
import { clinicSession, patientSession } from './step-2-consent.ts';
import { fetchRecords } from './step-3-fetch.ts';
import { until, type World } from './world.ts';

const MAIN_PROGRAM = fileURLToPath(new URL('../main.ts', import.meta.url));
const ACKNOWLEDGED_WITHIN_MILLISECONDS = 15_000;
/** A refusal is anchored within 5 s; a report holds what is anchored. */
const REPORTED_WITHIN_MILLISECONDS = 15_000;

/** Step 5: once a revocation is acknowledged nothing leaves, and everybody's access is on record. */
export const revokeAndAccount: Step<World> = {
  title: 'The patient revokes; the next fetch is refused; the history shows who saw what',
  needs: [3],
  play: async (world, log) => {
    await revoke(world, log);
    const clinic = clinicSession(world);
    const refused = await fetchRecords(clinic, world.story.clinicPatient ?? '');
    log.check(
      `the next fetch is refused (${refused.refusal || 'not refused'})`,
      refused.received === 0 && refused.refusal !== '',
    );
    const patient = patientSession(world);
    await accessHistory(world, patient, log);
    await accounting(world, patient, log);
  },
};

async function revoke(world: World, log: StepLog): Promise<void> {
  const path = `Consent/${world.story.consentId}/$revoke`;
  const session = patientSession(world);
  const started = performance.now();
  let status = 0;
  const acknowledged = await until(async () => {
    ({ status } = await session.send(path, { method: 'POST', body: '{"resourceType":"Parameters"}' }));
    return status !== 202;
  }, ACKNOWLEDGED_WITHIN_MILLISECONDS);
  log.check('the revocation is acknowledged', acknowledged && status === 200);
  log.figure('revoked after (ms)', Math.round(performance.now() - started));
}

/** Everything, the refusal too, as an AuditEvent each. */
async function accessHistory(world: World, session: GatewaySession, log: StepLog): Promise<void> {
  const path = `Patient/${world.story.hospitalPatient}/$access-history`;
  let events: readonly JsonObject[] = [];
  const refusalShown = await until(async () => {
    events = resourcesOf((await session.send(path)).json);
    return events.some(isRefusal) && events.some((event) => !isRefusal(event));
  }, REPORTED_WITHIN_MILLISECONDS);
  log.figure('history entries', events.length);
  log.check('the access history lists who saw what, when and why, and who was refused', refusalShown);
  const exported = await session.send(`${path}?_format=application/cbor`, { accept: 'application/cbor' });
  verifyReport(world, 'access-history', exported.body, log);
}

function isRefusal(event: JsonObject): boolean {
  return textOf(event.outcome) !== '' && textOf(event.outcome) !== '0';
}

async function accounting(world: World, session: GatewaySession, log: StepLog): Promise<void> {
  const path = `Patient/${world.story.hospitalPatient}/$accounting-of-disclosures?_format=application/cbor`;
  const exported = await session.send(path, { accept: 'application/cbor' });
  const verified = verifyReport(world, 'accounting-of-disclosures', exported.body, log);
  const rules = [...new Set(verified.map(({ rule }) => rule))];
  log.check(
    `the accounting says what it leaves out and by which rule (${rules.join(', ')})`,
    rules.length > 0,
  );
}

/** Verifies an exported report twice: here, and by the command that anybody can run without a network. */
function verifyReport(world: World, name: string, bytes: Uint8Array, log: StepLog) {
  const file = join(world.folder, `${name}.report`);
  writeFileSync(file, bytes);
  const verified = verifyDisclosureReportFile(bytes, trustOf(world));
  const { status } = spawnSync(process.execPath, [
    ...[MAIN_PROGRAM, 'verify', file],
    ...['--genesis', world.consortium.chain],
  ]);
  const problem = verified.ok ? '' : ` (${verified.error.code})`;
  log.check(`careledger verify ${name}.report holds offline${problem}`, verified.ok && status === 0);
  world.story.reportFile = file;
  return verified.ok ? verified.value.disclosures.leftOut : [];
}
