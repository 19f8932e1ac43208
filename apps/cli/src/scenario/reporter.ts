import { stdout } from 'node:process';

/** Figures of one step: short names, numbers or short texts. Never anything about a patient. */
export type Figures = Readonly<Record<string, number | string | boolean>>;

/** Where the main job tells what it does: a person's terminal, or one JSON object a line. */
export interface Reporter {
  readonly say: (text: string) => void;
  readonly progress: (label: string, done: number, total: number) => void;
  readonly verdict: (text: string, held: boolean) => void;
  readonly stepStarted: (step: number, title: string) => void;
  readonly stepEnded: (step: StepReport) => void;
  readonly event: (name: string, fields: Readonly<Record<string, unknown>>) => void;
}

export interface StepReport {
  readonly step: number;
  readonly title: string;
  readonly held: boolean;
  readonly milliseconds: number;
  readonly checks: readonly { readonly text: string; readonly held: boolean }[];
  readonly figures: Figures;
  /** What was found wrong in what the step was given: files, entries, expressions. */
  readonly findings?: readonly object[];
}

const BAR_WIDTH = 32;

function bar(done: number, total: number): string {
  const filled = total === 0 ? BAR_WIDTH : Math.round((BAR_WIDTH * Math.min(done, total)) / total);
  return `${'#'.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}`;
}

/** Writes for a person: a bar that redraws itself on a terminal, plain lines elsewhere. */
export function createTextReporter(write: (text: string) => void = (text) => stdout.write(text)): Reporter {
  const live = stdout.isTTY === true;
  let open = false;
  let lastTenth = -1;
  const line = (text: string): void => {
    if (open) write('\r\x1b[2K');
    open = false;
    write(`${text}\n`);
  };
  return {
    say: (text) => line(`     ${text}`),
    progress: (label, done, total) => {
      const text = `     ${label} ${bar(done, total)} ${done}/${total}`;
      if (live) {
        write(`\r\x1b[2K${text}`);
        open = true;
        return;
      }
      const tenth = total === 0 ? 10 : Math.floor((done * 10) / total);
      if (tenth !== lastTenth) line(text);
      lastTenth = tenth;
    },
    verdict: (text, held) => line(`  ${held ? 'ok  ' : 'FAIL'} ${text}`),
    stepStarted: (step, title) => {
      lastTenth = -1;
      line(`\n${step}. ${title}`);
    },
    stepEnded: ({ step, held, milliseconds, figures }) => {
      const shown = Object.entries(figures).map(([name, value]) => `${name} ${value}`);
      if (shown.length > 0) line(`     ${shown.join(' · ')}`);
      line(`   step ${step} ${held ? 'held' : 'FAILED'} in ${(milliseconds / 1000).toFixed(1)} s`);
    },
    event: (name, fields) => {
      if (name === 'ready') sayReady(line, fields);
    },
  };
}

function sayReady(line: (text: string) => void, fields: Readonly<Record<string, unknown>>): void {
  line('\nReady. Each organization serves its own:');
  for (const organization of fields.organizations as readonly Record<string, string>[]) {
    line(`     ${(organization.name ?? '').padEnd(22)} FHIR ${organization.fhir}`);
    line(`     ${''.padEnd(22)} node ${organization.node}`);
  }
  line(`     certificate authority  ${fields.ca}`);
}

/** Writes one JSON object a line, for programs. Progress goes out at most once a tenth. */
export function createJsonReporter(write: (text: string) => void = (text) => stdout.write(text)): Reporter {
  const emit = (fields: Readonly<Record<string, unknown>>): void => write(`${JSON.stringify(fields)}\n`);
  let lastTenth = -1;
  return {
    say: (text) => emit({ event: 'note', text }),
    progress: (label, done, total) => {
      const tenth = total === 0 ? 10 : Math.floor((done * 10) / total);
      if (tenth !== lastTenth) emit({ event: 'progress', label, done, total });
      lastTenth = tenth;
    },
    verdict: () => undefined,
    stepStarted: () => {
      lastTenth = -1;
    },
    stepEnded: ({ held, ...rest }) => emit({ event: 'step', verdict: held ? 'held' : 'failed', ...rest }),
    event: (name, fields) => emit({ event: name, ...fields }),
  };
}
