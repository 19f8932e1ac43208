import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { canonicalText, idOf } from '@careledger/fhir';
import { isSourceAddress } from '@careledger/gateway';
import { HOSPITAL, PAYER } from '../consortium/members.ts';
import { generatePatients, type SyntheticRecord } from '../synthetic/index.ts';
import type { GatewaySession } from './gateway-session.ts';
import type { Step, StepLog } from './step.ts';
import { memberOf, until, type World } from './world.ts';

const SEED = 'careledger';
const PATIENTS = 20;
const RECORDS_LEAST = 2_000;
/** The generator's "today" is fixed, so that every run makes the same records. */
const SYNTHETIC_NOW = Date.UTC(2026, 8, 1);
const BUNDLE_RECORDS = 100;
/** Findings of an import that a person is shown. */
const FINDINGS_SHOWN = 20;
const ANCHORED_WITHIN_MILLISECONDS = 60_000;

interface OutboxFigures {
  readonly waiting: number;
  readonly inFlight: number;
  readonly refusals: number;
}

interface ImportFigures {
  readonly read: number;
  readonly distinct: number;
  readonly created: number;
  readonly updated: number;
  readonly unchanged: number;
  readonly flagged: number;
  readonly refused: number;
  readonly brokenFiles: number;
  readonly findings: readonly {
    readonly file: string;
    readonly entry?: number;
    readonly outcome: string;
    readonly expression: string;
    readonly text: string;
  }[];
}

/** Step 1: records become encrypted versions in their custodians' vaults, and anchors on the ledger. */
export const loadRecords: Step<World> = {
  title: 'Load patients: validate, encrypt, store at the custodian, anchor',
  play: async (world, log) => {
    const started = performance.now();
    const written =
      world.importSource === undefined ? await loadSynthetic(world, log) : await importFiles(world, log);
    const stored = performance.now();
    const anchored = await untilAnchored(world, log);
    const lag = performance.now() - stored;
    if (written > 0) log.figure('records/s', Math.round((written * 1000) / (stored - started)));
    log.figure('records', written);
    log.figure('lag to the last receipt (ms)', Math.round(lag));
    log.check('every version stands in a final block', anchored);
  },
};

async function loadSynthetic(world: World, log: StepLog): Promise<number> {
  const mark = join(world.folder, 'synthetic-loaded');
  const records = [...generatePatients({ seed: SEED, patients: PATIENTS, now: SYNTHETIC_NOW })];
  const distinct = new Set(
    records.map((record) => `${record.resource.resourceType}/${idOf(record.resource)}`),
  );
  const patients = records.filter(
    (record) => record.resource.resourceType === 'Patient' && record.version === 1,
  );
  log.figure('patients', new Set(patients.filter(isClinical).map((record) => idOf(record.resource))).size);
  log.figure('resources', distinct.size);
  log.check(`at least ${RECORDS_LEAST} resources are made`, distinct.size >= RECORDS_LEAST);
  if (existsSync(mark)) {
    log.say('This data folder has them already: nothing to load.');
    return 0;
  }
  let done = 0;
  const progress = (more: number): void => {
    done += more;
    log.progress('loading', done, records.length);
  };
  await Promise.all([
    writeAll(
      world.session({ organization: HOSPITAL, scope: 'system/*.cruds' }),
      records.filter(isClinical),
      progress,
    ),
    writeAll(
      world.session({ organization: PAYER, scope: 'system/*.cruds' }),
      records.filter((record) => !isClinical(record)),
      progress,
    ),
  ]);
  writeFileSync(mark, `${SEED}\n`, { flush: true });
  return records.length;
}

function isClinical(record: SyntheticRecord): boolean {
  return record.custodian === 'clinical';
}

/** Writes in transactions of many records; two versions of one record never share one. */
async function writeAll(
  session: GatewaySession,
  records: readonly SyntheticRecord[],
  progress: (more: number) => void,
): Promise<void> {
  let entries: string[] = [];
  let urls = new Set<string>();
  const flush = async (): Promise<void> => {
    if (entries.length === 0) return;
    const body = `{"resourceType":"Bundle","type":"transaction","entry":[${entries.join(',')}]}`;
    const answer = await session.send('', { method: 'POST', body });
    if (answer.status !== 200) {
      const issue = (answer.json.issue as readonly { expression?: readonly string[] }[] | undefined)?.[0];
      throw new Error(
        `a transaction was refused with ${answer.status} at ${issue?.expression?.[0] ?? 'Bundle'}`,
      );
    }
    progress(entries.length);
    entries = [];
    urls = new Set();
  };
  for (const { resource } of records) {
    const url = `${resource.resourceType}/${idOf(resource)}`;
    if (entries.length >= BUNDLE_RECORDS || urls.has(url)) await flush();
    urls.add(url);
    entries.push(`{"resource":${canonicalText(resource)},"request":{"method":"PUT","url":"${url}"}}`);
  }
  await flush();
}

async function importFiles(world: World, log: StepLog): Promise<number> {
  const { from } = world.importSource ?? { from: '' };
  const report = (await memberOf(world, world.importCustodian).request(
    'import',
    { ...world.importSource },
    (done, total) => log.progress('importing', done, total),
  )) as ImportFigures;
  for (const name of ['read', 'distinct', 'created', 'updated', 'unchanged', 'flagged', 'refused'] as const) {
    log.figure(name, report[name]);
  }
  log.figure('brokenFiles', report.brokenFiles);
  for (const finding of report.findings) log.finding(finding);
  for (const { file, entry, outcome, expression, text } of report.findings.slice(0, FINDINGS_SHOWN)) {
    log.say(`${outcome}: ${file}${entry === undefined ? '' : `, entry ${entry}`}: ${expression}: ${text}`);
  }
  const hidden = report.findings.length - FINDINGS_SHOWN;
  if (hidden > 0) log.say(`... and ${hidden} more, all in the step's report with --json`);
  if (report.brokenFiles > 0) log.say(`${report.brokenFiles} broken files were left out; the rest is loaded`);
  log.check(`resources were found in ${from}`, report.read > 0 || isSourceAddress(from));
  const settled = report.created + report.updated + report.unchanged + report.refused;
  log.check('every entry was created, updated, found unchanged, or refused by name', settled === report.read);
  return report.created + report.updated;
}

async function untilAnchored(world: World, log: StepLog): Promise<boolean> {
  const waiting = async (): Promise<number> => {
    const each = await Promise.all(
      [...world.members.values()].map(async (member) => (await member.request('outbox')) as OutboxFigures),
    );
    return each.reduce((sum, figures) => sum + figures.waiting + figures.inFlight, 0);
  };
  const first = await waiting();
  return until(async () => {
    const left = await waiting();
    log.progress('anchoring', first - Math.min(left, first), first);
    return left === 0;
  }, ANCHORED_WITHIN_MILLISECONDS);
}
