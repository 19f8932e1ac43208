import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { MeasuredNode } from './measured-node.ts';
import type { NodeCommands, Reply, Request } from './node-commands.ts';

type Asynchronous<Command> = Command extends (...given: infer Given) => infer Value
  ? (...given: Given) => Promise<Awaited<Value>>
  : never;
/** The commands of a node wherever it is. */
type Remote = { readonly [Name in keyof NodeCommands]: Asynchronous<NodeCommands[Name]> };

const alive = new Set<ChildProcess>();

/** Ends every node process that is still there. */
export function endAllProcesses(): void {
  for (const child of alive) child.kill('SIGKILL');
}

/** A node in another process. */
export interface NodeHandle extends Remote {
  /** Stops the node and ends its process. */
  readonly end: () => Promise<void>;
}

/** Starts a process with no node in it yet. `profiles` is a folder for its V8 profile. */
export function forkNode(profiles: string | undefined): NodeHandle {
  const profiling = profiles ? ['--cpu-prof', `--cpu-prof-dir=${profiles}`] : [];
  const child = fork(new URL('./node-process.ts', import.meta.url), {
    serialization: 'advanced',
    execArgv: profiling,
  });
  alive.add(child);
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (fault: Error) => void }>();
  let number = 0;
  child.on('message', (reply: Reply) => {
    const asked = waiting.get(reply.number);
    waiting.delete(reply.number);
    if (reply.problem === undefined) asked?.resolve(reply.value);
    else asked?.reject(new Error(reply.problem));
  });
  child.on('exit', () => {
    alive.delete(child);
    for (const { reject } of waiting.values()) reject(new Error('a node process ended too early'));
  });
  const ask: Ask = (command, argument) =>
    new Promise((resolve, reject) => {
      number += 1;
      waiting.set(number, { resolve, reject });
      child.send({ number, command, argument } satisfies Request, (fault) => fault && reject(fault));
    });
  const end = async (): Promise<void> => {
    if (child.exitCode !== null) return;
    await ask('stop', undefined);
    const ended = once(child, 'exit');
    child.disconnect();
    await ended;
  };
  return handleOf(ask, end);
}

/** A node in this process: what a smoke test has time for. */
export function nodeHere(): NodeHandle {
  const node = new MeasuredNode();
  const ask: Ask = async (command, argument) =>
    (node[command] as (argument: unknown) => unknown).call(node, argument);
  return handleOf(ask, () => node.stop());
}

type Ask = (command: Request['command'], argument: unknown) => Promise<unknown>;

function handleOf(ask: Ask, end: () => Promise<void>): NodeHandle {
  const remote = <Name extends keyof NodeCommands>(name: Name) =>
    ((argument: unknown) => ask(name, argument)) as Remote[Name];
  return {
    start: remote('start'),
    addPeers: remote('addPeers'),
    submitAll: remote('submitAll'),
    submitPaced: remote('submitPaced'),
    anchorRecords: remote('anchorRecords'),
    fillState: remote('fillState'),
    seenBlocks: remote('seenBlocks'),
    state: remote('state'),
    usage: remote('usage'),
    verifyStore: remote('verifyStore'),
    stop: remote('stop'),
    end,
  };
}
