import { setTimeout as wait } from 'node:timers/promises';
import type { Benchmark, BenchmarkContext, Row } from '../benchmark.ts';
import { sized } from '../benchmark.ts';
import { foundConsortium } from '../network/consortium.ts';
import { forgeChain } from '../network/forged-chain.ts';
import { at, startNode } from '../network/network.ts';

interface Times {
  readonly rebuild: number;
  readonly verify: number;
  readonly catchUp: number | undefined;
}

interface Chain {
  readonly validators: number;
  readonly blocks: number;
  readonly withCatchUp: boolean;
}

/** One node has the block files alone; a second one, a follower, has nothing. */
async function measureTimes(context: BenchmarkContext, chain: Chain): Promise<Times> {
  const { validators, blocks, withCatchUp } = chain;
  const folder = context.folder('long-chain');
  const consortium = await foundConsortium({ members: validators + 1, validators, folder });
  const source = at(consortium.plans, 0);
  const follower = at(consortium.plans, validators);
  const onProgress = (height: number): void => context.say(`${height} of ${blocks} blocks forged`);
  await forgeChain(consortium, { folder: source.folder, blocks, onProgress });
  const first = startNode(context);
  const second = startNode(context);
  try {
    context.say('building the index from the blocks');
    const started = await first.start(source);
    context.say('verifying the whole chain');
    const verified = await first.verifyStore();
    if (verified.height !== blocks) throw new Error(`verified up to ${verified.height} only`);
    const times = { rebuild: started.milliseconds, verify: verified.milliseconds };
    if (!withCatchUp) return { ...times, catchUp: undefined };
    context.say('catching up over TLS');
    await second.start({ ...follower, peers: [started] });
    const began = performance.now();
    while ((await second.state()).height < blocks) await wait(20);
    return { ...times, catchUp: performance.now() - began };
  } finally {
    await Promise.all([first.end(), second.end()]);
  }
}

async function measure(context: BenchmarkContext): Promise<readonly Row[]> {
  const rows: Row[] = [];
  const blocks = sized(context.scale, { full: 100_000, quick: 2_000, smoke: 30 });
  const shorter = sized(context.scale, { full: 10_000, quick: 1_000, smoke: 30 });
  const add = (id: string, what: string, count: number, milliseconds: number, of: Partial<Row>): void => {
    const value = (count * 1000) / milliseconds;
    const details = { blocks: count, seconds: milliseconds / 1000 };
    rows.push({
      id: `chain/${id}`,
      what,
      value,
      unit: 'blocks/s',
      better: 'more',
      counts: '',
      details,
      ...of,
    });
  };
  const long = await measureTimes(context, { validators: 1, blocks, withCatchUp: true });
  const short = await measureTimes(context, { validators: 4, blocks: shorter, withCatchUp: false });
  const walked =
    'every record, link, root and certificate from genesis, on one core, one transaction a block';
  add('verify/1', 'whole chain verified, 1 validator', blocks, long.verify, {
    counts: walked,
    bottleneck: 'decoding and SHA-256 of block and header; one signature each',
  });
  add('verify/4', 'whole chain verified, 4 validators', shorter, short.verify, {
    counts: walked,
    bottleneck: 'four signatures a certificate',
  });
  add('rebuild', 'index rebuilt from the block files', blocks, long.rebuild, {
    counts: 'verified as above, executed again, state roots compared, indexed',
    bottleneck: 'execution and the state tree',
  });
  add('catch-up', 'a new node catches up from a peer', blocks, long.catchUp ?? 0, {
    counts: 'fetched over TLS, verified, executed, durable block by block',
    bottleneck: 'one sync a block, and execution',
  });
  return rows;
}

export const longChain: Benchmark = {
  name: 'chain',
  title: 'A long chain: verifying it, rebuilding from it, catching up with it',
  ids: ['LED-19'],
  run: measure,
};
