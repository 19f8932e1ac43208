import { stderr, stdout } from 'node:process';
import { toHex } from '@careledger/primitives';
import { faultOf } from '../errors.ts';

/** The verb did what was asked, and what it checked holds. */
export const EXIT_OK = 0;
/** Something was refused, did not hold, or could not be reached. */
export const EXIT_FAILED = 1;
/** The command line itself was wrong. */
export const EXIT_USAGE = 2;

/** Every verb has it. */
export interface OutputOptions {
  readonly json?: boolean;
}

/** One fact a line: its name and its value. */
export type Facts = readonly (readonly [name: string, value: unknown])[];

/** What JSON can hold of a value: bytes as hexadecimal, maps as objects, absent values left out. */
export function toPlain(value: unknown): unknown {
  if (value instanceof Uint8Array) return toHex(value);
  if (typeof value === 'bigint') return value.toString();
  if (Array.isArray(value)) return value.map(toPlain);
  if (typeof value !== 'object' || value === null) return value;
  const entries = value instanceof Map ? [...value] : Object.entries(value);
  const present = entries.filter(([, content]) => content !== undefined);
  return Object.fromEntries(present.map(([name, content]) => [String(name), toPlain(content)]));
}

/** Prints one JSON object on standard output. */
export function printJson(value: unknown): void {
  stdout.write(`${JSON.stringify(toPlain(value))}\n`);
}

export function printLine(text: string): void {
  stdout.write(`${text}\n`);
}

/** Prints facts one below the other, their values aligned. */
export function printFacts(facts: Facts): void {
  const width = Math.max(...facts.map(([name]) => name.length));
  for (const [name, value] of facts) printLine(`  ${name.padEnd(width)}  ${shown(value)}`);
}

function shown(value: unknown): string {
  const plain = toPlain(value);
  return typeof plain === 'string' ? plain : JSON.stringify(plain);
}

/** ISO 8601 of block time. */
export function timeText(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

/** Tells what went wrong on standard error, and sets the exit code. */
export function printError(error: unknown, options: OutputOptions): void {
  const fault = faultOf(error, 'Run the verb with --help to see what it takes.');
  process.exitCode = EXIT_FAILED;
  if (options.json === true) stderr.write(`${JSON.stringify({ error: fault })}\n`);
  else stderr.write(`careledger: ${fault.message}\n  ${fault.help} (${fault.code})\n`);
}

/** Runs a verb; whatever it throws is told in words and becomes the exit code. */
export async function runVerb(options: OutputOptions, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    printError(error, options);
  }
}
