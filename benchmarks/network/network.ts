import { setTimeout as wait } from 'node:timers/promises';
import type { BenchmarkContext } from '../benchmark.ts';
import { type Consortium, type ConsortiumOptions, foundConsortium, type NodePlan } from './consortium.ts';
import { forkNode, type NodeHandle, nodeHere } from './node-handle.ts';

/** How long a network may take to agree on its first block. */
const READY_MS_MAX = 30_000;

/** A consortium whose nodes run, each in a process of its own, joined by mutual TLS. */
export interface Network {
  readonly consortium: Consortium;
  readonly nodes: readonly NodeHandle[];
  readonly end: () => Promise<void>;
}

export type NetworkOptions = Omit<ConsortiumOptions, 'folder'> &
  Partial<Pick<NodePlan, 'batching' | 'timings'>>;

/** Founds a consortium, starts its nodes and waits for the first block on all of them. */
export async function startNetwork(context: BenchmarkContext, options: NetworkOptions): Promise<Network> {
  const { batching, timings } = options;
  const consortium = await foundConsortium({ ...options, folder: context.folder('network') });
  const nodes = consortium.plans.map(() => startNode(context));
  const plans = consortium.plans.map((plan) => ({
    ...plan,
    ...(batching && { batching }),
    ...(timings && { timings }),
  }));
  const end = async (): Promise<void> => void (await Promise.all(nodes.map((node) => node.end())));
  try {
    const addresses = await Promise.all(plans.map((plan, place) => at(nodes, place).start(plan)));
    await Promise.all(nodes.map((node) => node.addPeers(addresses)));
    await at(nodes, 0).submitAll({ transactions: [consortium.anchor(0)], window: 1 });
    await agreement(nodes);
    await Promise.all(nodes.map((node) => node.seenBlocks()));
    return { consortium, nodes, end };
  } catch (fault) {
    await end();
    throw fault;
  }
}

/** A process of its own, but for smoke tests. */
export function startNode({ scale, profiles }: BenchmarkContext): NodeHandle {
  return scale === 'smoke' ? nodeHere() : forkNode(profiles);
}

/** One measurement for one validator and one for four, one after the other. */
export async function forEachSize<Value>(
  { scale }: BenchmarkContext,
  measure: (validators: number) => Promise<Value>,
): Promise<readonly Value[]> {
  const values: Value[] = [];
  for (const validators of scale === 'smoke' ? [1] : [1, 4]) values.push(await measure(validators));
  return values;
}

/** Waits until every node stands at the same height with the same state; gives it. */
export async function agreement(nodes: readonly NodeHandle[]): Promise<number> {
  const deadline = Date.now() + READY_MS_MAX;
  for (;;) {
    const states = await Promise.all(nodes.map((node) => node.state()));
    const [first] = states;
    if (first && first.height > 0 && states.every(({ stateRoot }) => stateRoot === first.stateRoot))
      return first.height;
    if (Date.now() > deadline) {
      const heights = states.map(({ height }) => height).join(', ');
      throw new Error(`the nodes do not stand at one height and state in time: heights ${heights}`);
    }
    await wait(20);
  }
}

/** What a whole network did with a load. */
export interface NetworkOutcome {
  readonly accepted: number;
  readonly seconds: number;
  readonly transactionsPerSecond: number;
  readonly blocks: number;
  readonly blocksPerSecond: number;
  /** Processor time of all node processes for each transaction, in microseconds. */
  readonly cpuMicrosecondsEach: number;
}

/** Gives every node an even part of the load at once and waits until all of it is final where it was submitted. */
export async function submitEverywhere(
  { nodes }: Pick<Network, 'nodes'>,
  transactions: readonly Uint8Array[],
  window: number,
): Promise<NetworkOutcome> {
  const before = await usageOf(nodes);
  const heightBefore = await agreement(nodes);
  const share = Math.ceil(transactions.length / nodes.length);
  const outcomes = await Promise.all(
    nodes.map((node, place) => {
      const own = transactions.slice(place * share, (place + 1) * share);
      return node.submitAll({ transactions: own, window: Math.ceil(window / nodes.length) });
    }),
  );
  const after = await usageOf(nodes);
  const blocks = (await agreement(nodes)) - heightBefore;
  const accepted = sum(outcomes, (outcome) => outcome.accepted);
  if (accepted !== transactions.length) throw new Error(`${transactions.length - accepted} were refused`);
  const seconds = Math.max(...outcomes.map(({ milliseconds }) => milliseconds)) / 1000;
  return {
    accepted,
    seconds,
    transactionsPerSecond: accepted / seconds,
    blocks,
    blocksPerSecond: blocks / seconds,
    cpuMicrosecondsEach: ((after - before) * 1000) / accepted,
  };
}

async function usageOf(nodes: readonly NodeHandle[]): Promise<number> {
  const usages = await Promise.all(nodes.map((node) => node.usage()));
  return sum(usages, ({ userMs, systemMs }) => userMs + systemMs);
}

function sum<Item>(items: readonly Item[], of: (item: Item) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}

export function at<Item>(items: readonly Item[], place: number): Item {
  const item = items[place];
  if (item === undefined) throw new RangeError(`there is nothing at ${place}`);
  return item;
}
