import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { CliError } from '../errors.ts';
import type { MemberMessage } from './messages.ts';

const MEMBER_PROGRAM = fileURLToPath(new URL('./member-process.ts', import.meta.url));
/** A member replays its blocks before it is ready: generous, but bounded. */
const READY_MILLISECONDS_MAX = 120_000;
const STOP_MILLISECONDS_MAX = 15_000;

export interface MemberAddresses {
  readonly fhir: string;
  readonly node: string;
}

/** One member's operating-system process, seen from the process that started it. */
export interface MemberHandle {
  readonly organization: string;
  readonly processId: number;
  readonly addresses: MemberAddresses;
  readonly request: (
    method: string,
    parameters?: Readonly<Record<string, unknown>>,
    onProgress?: (done: number, total: number) => void,
  ) => Promise<unknown>;
  /** Ends the process at once, with nothing flushed: what a power switch would do to a process. */
  readonly kill: () => Promise<void>;
  /** Asks the process to finish what it is writing and waits until it is gone. */
  readonly stop: () => Promise<void>;
  readonly isRunning: () => boolean;
}

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly onProgress: ((done: number, total: number) => void) | undefined;
}

/**
 * Starts one member from its home folder and waits until it serves.
 *
 * @throws {@link CliError} with the member's own code when it refuses to start: a port in use, a folder in use, ...
 */
export async function startMember(options: {
  readonly organization: string;
  readonly home: string;
}): Promise<MemberHandle> {
  const child = fork(MEMBER_PROGRAM, [options.home], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const waiting = new Map<number, Waiting>();
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  gone.then(() => {
    const error = new CliError(
      'member/gone',
      `The process of ${options.organization} has ended.`,
      'Start it again.',
    );
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  });
  const addresses = await untilReady(child, options.organization);
  child.on('message', (message: MemberMessage) => settle(waiting, message));
  let lastId = 0;
  return {
    organization: options.organization,
    processId: child.pid ?? 0,
    addresses,
    isRunning: () => child.exitCode === null && child.signalCode === null,
    request: (method, parameters = {}, onProgress) =>
      new Promise((resolve, reject) => {
        lastId += 1;
        waiting.set(lastId, { resolve, reject, onProgress });
        child.send({ id: lastId, method, parameters }, (error) => {
          if (error) reject(error);
        });
      }),
    kill: async () => {
      child.kill('SIGKILL');
      await gone;
    },
    stop: async () => {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MILLISECONDS_MAX);
      await gone;
      clearTimeout(timer);
    },
  };
}

function settle(waiting: Map<number, Waiting>, message: MemberMessage): void {
  if (message.kind === 'ready' || message.kind === 'failed') return;
  const entry = waiting.get(message.id);
  if (!entry) return;
  if (message.kind === 'progress') {
    entry.onProgress?.(message.done, message.total);
    return;
  }
  waiting.delete(message.id);
  if (message.kind === 'reply') entry.resolve(message.result);
  else entry.reject(new CliError(message.fault.code, message.fault.message, message.fault.help));
}

function untilReady(child: ChildProcess, organization: string): Promise<MemberAddresses> {
  return new Promise((resolve, reject) => {
    const fail = (code: string, message: string, help: string): void => {
      clearTimeout(timer);
      child.off('exit', ended);
      child.kill('SIGKILL');
      reject(new CliError(code, message, help));
    };
    const ended = (code: number | null, signal: NodeJS.Signals | null): void =>
      fail('member/ended', `${organization} ended while starting (${signal ?? code}).`, 'See its log.');
    const timer = setTimeout(
      () =>
        fail('member/slow', `${organization} was not ready in time.`, 'See its log for what it waited for.'),
      READY_MILLISECONDS_MAX,
    );
    child.once('exit', ended);
    child.once('error', (error) =>
      fail('member/ended', error.message, 'Is there enough memory to start a process?'),
    );
    child.once('message', (message: MemberMessage) => {
      clearTimeout(timer);
      child.off('exit', ended);
      if (message.kind === 'ready') resolve({ fhir: message.fhir, node: message.node });
      else if (message.kind === 'failed') {
        const { code, message: text, help } = message.fault;
        fail(code, `${organization}: ${text}`, help);
      }
    });
  });
}
