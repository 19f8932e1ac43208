import { HOSPITAL } from '../consortium/members.ts';
import { type GatewaySession, type JsonObject, problemOf } from './gateway-session.ts';
import { resourcesOf, textOf } from './records.ts';
import type { Step } from './step.ts';
import { clinicSession } from './step-2-consent.ts';
import type { World } from './world.ts';

/** What the clinic's gateway found out about one fetch. */
export interface FetchFigures {
  readonly received: number;
  readonly verified: number;
  /** Copies in the chart: new, newer, or there already. */
  readonly filed: number;
  readonly failed: readonly string[];
  readonly refusal: string;
}

/** Asks the clinic's own gateway to fetch its patient's records from wherever they are. */
export async function fetchRecords(clinic: GatewaySession, patient: string): Promise<FetchFigures> {
  const body = JSON.stringify({
    resourceType: 'Parameters',
    parameter: [
      { name: 'purpose', valueCode: 'TREAT' },
      { name: 'custodian', valueString: HOSPITAL },
    ],
  });
  const answer = await clinic.send(`Patient/${patient}/$fetch`, { method: 'POST', body });
  if (answer.status !== 200) throw new Error(`$fetch was refused with ${problemOf(answer)}`);
  const [outcome] = (answer.json.parameter ?? []) as readonly JsonObject[];
  const parts = (outcome?.part ?? []) as readonly JsonObject[];
  const numberOf = (name: string): number =>
    Number(parts.find((part) => part.name === name)?.valueUnsignedInt ?? 0);
  const failed = parts
    .filter((part) => part.name === 'failedVerdict')
    .map((part) => textOf(((part.part ?? []) as readonly JsonObject[])[0]?.valueCode));
  return {
    received: numberOf('received'),
    verified: numberOf('verified'),
    filed: numberOf('created') + numberOf('updated') + numberOf('unchanged'),
    failed,
    refusal: textOf(parts.find((part) => part.name === 'refusal')?.valueCode),
  };
}

/** Step 3: bytes straight from the hospital; the clinic's gateway verifies each record before it files it. */
export const fetchAndVerify: Step<World> = {
  title: 'The clinic fetches the records straight from the hospital and verifies each one',
  needs: [2],
  play: async (world, log) => {
    const clinic = clinicSession(world);
    const patient = world.story.clinicPatient ?? '';
    const started = performance.now();
    const figures = await fetchRecords(clinic, patient);
    log.figure('records', figures.received);
    log.figure('fetched and verified in (ms)', Math.round(performance.now() - started));
    if (figures.refusal) log.say(`refused: ${figures.refusal}`);
    log.check('records came, over mutual TLS 1.3, through nobody else', figures.received > 0);
    log.check(
      'each holds: commitment, inclusion, header, quorum, not superseded, not retracted, consent active, ' +
        `disclosure leaf signed${figures.failed.length > 0 ? ` (${figures.failed.join(', ')})` : ''}`,
      figures.failed.length === 0 && figures.verified === figures.received,
    );
    // The Patient is compared, not filed: the clinic has its own.
    log.check(
      'every verified copy is filed with its source and its receipt',
      figures.filed > 0 && figures.filed === figures.verified - 1,
    );
    const filed = await clinic.send('Observation/_search', {
      method: 'POST',
      body: new URLSearchParams({ patient: `Patient/${patient}`, _count: '5' }).toString(),
      contentType: 'application/x-www-form-urlencoded',
    });
    log.check('the clinician sees them in the patient’s chart', resourcesOf(filed.json).length > 0);
  },
};
