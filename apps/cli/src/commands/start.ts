import { accessSync, constants, existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isSourceAddress, ROLES, sourceAddress } from '@careledger/gateway';
import { type Command, InvalidArgumentError } from 'commander';
import { addDevelopmentPatient, PASSWORDS_FILE } from '../consortium/development-users.ts';
import { createConsortium, type LocalConsortium } from '../consortium/local-consortium.ts';
import { BASE_PORT, HOSPITAL, LOCAL_MEMBERS } from '../consortium/members.ts';
import { CliError } from '../errors.ts';
import { mainJob } from '../scenario/main-job.ts';
import { createJsonReporter, createTextReporter, type Reporter } from '../scenario/reporter.ts';
import { playStep, type Step } from '../scenario/step.ts';
import { createWorld, type World } from '../scenario/world.ts';
import { sourceParameters } from './import.ts';
import { runVerb } from './output.ts';

interface StartOptions {
  readonly exit?: true;
  readonly import?: string;
  readonly sourceTokenEnv?: string;
  readonly sourceTokenFile?: string;
  readonly sourceCa?: string;
  readonly custodian: string;
  readonly data: string;
  readonly port: number;
  readonly json?: true;
}

const PORT_MAX = 65_000;

function portOf(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 1024 && port <= PORT_MAX) return port;
  throw new InvalidArgumentError(`a number from 1024 to ${PORT_MAX}.`);
}

function custodianOf(text: string): string {
  if (LOCAL_MEMBERS.some((member) => member.name === text)) return text;
  throw new InvalidArgumentError(`one of ${LOCAL_MEMBERS.map((member) => member.name).join(', ')}.`);
}

/** Registers `careledger start`. */
export function registerStart(program: Command): void {
  program
    .command('start')
    .description(
      'Starts a hospital, a clinic, a payer and a public health department on this machine, each a process of its own,\n' +
        'plays the main job on real records a step at a time, then serves until Ctrl-C.',
    )
    .option('--exit', 'stop after the last step; exit code 0 only if every step held')
    .option(
      '--import <from>',
      'load FHIR bundles or NDJSON (a file or folder), or a FHIR server (its base URL), not the synthetic patients',
    )
    .option(
      '--source-token-env <name>',
      'with an --import URL: the environment variable that holds a bearer token',
    )
    .option('--source-token-file <file>', 'with an --import URL: a file that holds a bearer token')
    .option('--source-ca <file>', 'with an --import URL: the certificate authority of the server, PEM')
    .option('--custodian <name>', 'the organization that imported records belong to', custodianOf, HOSPITAL)
    .option('--data <folder>', 'where everything is kept between runs', '.careledger')
    .option('--port <number>', 'the first port: organization i listens on it + 10 i', portOf, BASE_PORT)
    .option('--json', 'write one JSON object a step, and a ready event')
    .action((options: StartOptions) =>
      runVerb(options, async () => {
        process.exitCode = await start(options);
      }),
    );
}

async function start(options: StartOptions): Promise<number> {
  const reporter = options.json ? createJsonReporter() : createTextReporter();
  const folder = resolve(options.data);
  if (options.import !== undefined) requireSource(options.import);
  const interrupted = untilInterrupted();
  const consortium = await createConsortium({ folder, basePort: options.port, say: reporter.say });
  try {
    const played = playMainJob({ folder, consortium, options, reporter });
    const outcome = await Promise.race([played, interrupted.then(() => 'interrupted' as const)]);
    if (outcome === 'interrupted') {
      // The step under way loses its members: its failure is expected and no longer anybody's.
      played.catch(() => undefined);
      return 130;
    }
    if (options.exit) return outcome ? 0 : 1;
    sayWhoSignsIn(folder, reporter);
    reporter.say('Serving. Ctrl-C stops it; the data stays.');
    await interrupted;
    return outcome ? 0 : 1;
  } finally {
    await consortium.stop();
  }
}

/** A data folder of an earlier version has no users. */
function sayWhoSignsIn(folder: string, reporter: Reporter): void {
  const file = join(folder, PASSWORDS_FILE);
  if (!existsSync(file)) return;
  reporter.say(`Sign in, for development alone, as ${ROLES.join(', ')}; passwords are in ${file}`);
}

function untilInterrupted(): Promise<void> {
  return new Promise((done) => {
    process.once('SIGINT', () => done());
    process.once('SIGTERM', () => done());
  });
}

async function playMainJob(run: {
  readonly folder: string;
  readonly consortium: LocalConsortium;
  readonly options: StartOptions;
  readonly reporter: Reporter;
}): Promise<boolean> {
  const { folder, consortium, options, reporter } = run;
  const world = createWorld({
    folder,
    consortium: consortium.file,
    members: consortium.members,
    restart: consortium.restart,
    importSource: options.import === undefined ? undefined : sourceParameters(options.import, options),
    importCustodian: options.custodian,
  });
  const failed = new Set<number>();
  for (const [index, step] of mainJob.entries()) {
    const number = index + 1;
    const missing = step.needs?.find((needed) => failed.has(needed));
    const played = missing === undefined ? step : notPlayed(step, missing);
    const report = await playStep(played, number, world, reporter);
    if (!report.held) failed.add(number);
  }
  letPatientSignIn(folder, world);
  reporter.event('ready', {
    chain: consortium.file.chain,
    ca: join(folder, consortium.file.caFile),
    organizations: consortium.file.organizations.map(({ name, fhir, node, console }) => ({
      name,
      fhir,
      node,
      console,
    })),
  });
  return failed.size === 0;
}

/** The story's patient may sign in at the hospital from now on. */
function letPatientSignIn(folder: string, world: World): void {
  const home = world.consortium.organizations.find(({ name }) => name === HOSPITAL)?.home;
  const { hospitalPatient } = world.story;
  if (home !== undefined && hospitalPatient) addDevelopmentPatient(join(folder, home), hospitalPatient);
}

/** A step that cannot be played says why, and has not held. */
function notPlayed(step: Step<World>, missing: number): Step<World> {
  return {
    title: step.title,
    play: async (_world, log) => log.check(`not played: step ${missing} did not hold`, false),
  };
}

function requireSource(path: string): void {
  if (isSourceAddress(path)) {
    sourceAddress(path);
    return;
  }
  try {
    accessSync(path, constants.R_OK);
  } catch (cause) {
    throw new CliError(
      'import/missing',
      `${path} cannot be read.`,
      'Give a file or folder of FHIR bundles or NDJSON.',
      { cause },
    );
  }
}
