import { parseArgs } from 'node:util';
import type { EngineName } from './replica.ts';
import { optionsFromSeed, Simulation } from './simulation.ts';

/** `node simulator/run.ts --seeds 2000 [--from 1] [--engine pbft|authority|both]`: exit code 1 names the failing seed. */
function main(): number {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '200' },
      from: { type: 'string', default: '1' },
      engine: { type: 'string', default: 'both' },
    },
  });
  const engines: EngineName[] =
    values.engine === 'pbft' || values.engine === 'authority' ? [values.engine] : ['pbft', 'authority'];
  const first = Number(values.from);
  const started = performance.now();
  const healed: number[] = [];
  let failed = 0;
  let blocks = 0;
  for (let seed = first; seed < first + Number(values.seeds); seed += 1) {
    for (const engine of engines) {
      const options = optionsFromSeed(seed, engine);
      const result = new Simulation(options).run();
      blocks += result.ledgerHeight;
      if (result.healedAfterMs !== undefined) healed.push(result.healedAfterMs);
      if (result.violations.length === 0) continue;
      failed += 1;
      console.log(`seed ${seed} ${engine}`, options);
      for (const violation of result.violations.slice(0, 5)) console.log(`  ${violation}`);
    }
  }
  healed.sort((left, right) => left - right);
  const at = (share: number): number => healed[Math.floor((healed.length - 1) * share)] ?? 0;
  const seconds = ((performance.now() - started) / 1_000).toFixed(1);
  console.log(
    `${Number(values.seeds) * engines.length} runs, ${failed} failed, ${blocks} blocks, ${seconds} s; progress after healing: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, most ${at(1)} ms (virtual)`,
  );
  return failed === 0 ? 0 : 1;
}

process.exitCode = main();
