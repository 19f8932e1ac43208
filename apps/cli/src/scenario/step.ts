import type { Figures, Reporter, StepReport } from './reporter.ts';

/** What a step writes its findings to: every check is a sentence that held or did not. */
export interface StepLog {
  readonly check: (text: string, held: boolean) => void;
  /** Something found in what the step was given: kept in the report, at most {@link FINDINGS_MAX}. */
  readonly finding: (finding: object) => void;
  readonly figure: (name: string, value: number | string | boolean) => void;
  readonly say: (text: string) => void;
  readonly progress: (label: string, done: number, total: number) => void;
}

/** Findings that a step's report holds. */
export const FINDINGS_MAX = 1_000;

export interface Step<Context> {
  readonly title: string;
  /** Numbers of the steps whose outcome this one builds on: where one failed, this one is not played. */
  readonly needs?: readonly number[];
  readonly play: (context: Context, log: StepLog) => Promise<void>;
}

/** Plays one step. It held if it checked something, every check held, and nothing was thrown. */
export async function playStep<Context>(
  step: Step<Context>,
  number: number,
  context: Context,
  reporter: Reporter,
): Promise<StepReport> {
  const checks: { text: string; held: boolean }[] = [];
  const findings: object[] = [];
  const figures: Record<string, Figures[string]> = {};
  const started = performance.now();
  const check = (text: string, held: boolean): void => {
    checks.push({ text, held });
    reporter.verdict(text, held);
  };
  reporter.stepStarted(number, step.title);
  try {
    await step.play(context, {
      check,
      finding: (finding) => {
        if (findings.length < FINDINGS_MAX) findings.push(finding);
      },
      figure: (name, value) => {
        figures[name] = value;
      },
      say: reporter.say,
      progress: reporter.progress,
    });
  } catch (error) {
    check(`the step ran to its end (${error instanceof Error ? error.message : 'unknown error'})`, false);
  }
  const report: StepReport = {
    step: number,
    title: step.title,
    held: checks.length > 0 && checks.every((entry) => entry.held),
    milliseconds: Math.round(performance.now() - started),
    checks,
    figures,
    ...(findings.length > 0 ? { findings } : {}),
  };
  reporter.stepEnded(report);
  return report;
}
