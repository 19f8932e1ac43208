import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { CliError, type Fault } from '../errors.ts';
import type { MemberMessage } from './messages.ts';

/** Longest request of a verb. */
const REQUEST_CHARACTERS_MAX = 64 * 1024;
const CONTROL_FILE = 'control.json';

/** What a running member does for its own operator. */
export type Control = (
  request: { readonly method: string; readonly parameters: Readonly<Record<string, unknown>> },
  watch: {
    readonly signal: AbortSignal;
    readonly onProgress: (done: number, total: number) => void;
    readonly onItem: (item: unknown) => void;
  },
) => Promise<unknown>;

type Line = MemberMessage | { readonly kind: 'item'; readonly item: unknown };

/**
 * Lets the member's own user, and nobody else, ask a running member for what needs its vault: a socket in a folder that only
 * that user may enter (a home's path may be longer than a socket's may be). When the asker goes away, the work ends.
 */
export async function serveControl(options: {
  readonly home: string;
  readonly control: Control;
  readonly faultOf: (error: unknown) => Fault;
}): Promise<{ readonly close: () => Promise<void> }> {
  const { home, control, faultOf } = options;
  const path = join(mkdtempSync(join(tmpdir(), 'careledger-')), 'control');
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    const gone = new AbortController();
    const say = (line: Line): void => {
      if (socket.writable) socket.write(`${JSON.stringify(line)}\n`);
    };
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      sockets.delete(socket);
      gone.abort();
    });
    readRequest(socket)
      .then((request) =>
        control(request, {
          signal: gone.signal,
          onProgress: (done, total) => say({ kind: 'progress', id: 0, done, total }),
          onItem: (item) => say({ kind: 'item', item }),
        }),
      )
      .then(
        (result) => say({ kind: 'reply', id: 0, result }),
        (error: unknown) => say({ kind: 'refused', id: 0, fault: faultOf(error) }),
      )
      .then(() => socket.end());
  });
  await new Promise<void>((listening, failed) => {
    server.once('error', failed);
    server.listen(path, () => listening());
  });
  const file = join(home, CONTROL_FILE);
  rmSync(file, { force: true });
  writeFileSync(file, `${JSON.stringify({ socket: path })}\n`, { mode: 0o600, flag: 'wx' });
  return {
    close: async () => {
      rmSync(file, { force: true });
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((closed) => server.close(() => closed()));
      rmSync(dirname(path), { recursive: true, force: true });
    },
  };
}

async function readRequest(socket: Socket): Promise<Parameters<Control>[0]> {
  let text = '';
  socket.setEncoding('utf8');
  return new Promise((resolve, reject) => {
    socket.on('data', (part) => {
      text += String(part);
      const end = text.indexOf('\n');
      if (end === -1 && text.length <= REQUEST_CHARACTERS_MAX) return;
      try {
        resolve(JSON.parse(text.slice(0, end === -1 ? 0 : end)) as Parameters<Control>[0]);
      } catch {
        reject(new CliError('member/request', 'The request is no JSON.', 'Use `careledger` itself.'));
      }
    });
  });
}

function notRunning(organization: string): CliError {
  return new CliError(
    'member/not-running',
    `${organization} is not running.`,
    'Start the consortium in another terminal with `npm start`, and name its folder with --data.',
  );
}

/** Asks a running member of this machine. @throws {@link CliError} `member/not-running`, or the member's own refusal. */
export async function askMember(options: {
  readonly home: string;
  readonly organization: string;
  readonly method: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly onProgress?: (done: number, total: number) => void;
  readonly onItem?: (item: unknown) => void;
}): Promise<unknown> {
  const { home, organization, method, parameters } = options;
  let path: string;
  try {
    path = (JSON.parse(readFileSync(join(home, CONTROL_FILE), 'utf8')) as { socket: string }).socket;
  } catch {
    throw notRunning(organization);
  }
  const socket = connect(path);
  await new Promise<void>((connected, failed) => {
    socket.once('connect', () => connected());
    socket.once('error', () => failed(notRunning(organization)));
  });
  socket.on('error', () => undefined);
  socket.write(`${JSON.stringify({ method, parameters })}\n`);
  try {
    for await (const text of createInterface({ input: socket })) {
      const line = JSON.parse(text) as Line;
      if (line.kind === 'progress') options.onProgress?.(line.done, line.total);
      else if (line.kind === 'item') options.onItem?.(line.item);
      else if (line.kind === 'reply') return line.result;
      else if (line.kind === 'refused')
        throw new CliError(line.fault.code, line.fault.message, line.fault.help);
    }
  } finally {
    socket.destroy();
  }
  throw new CliError('member/gone', `The process of ${organization} has ended.`, 'Start it again.');
}
