import { text } from 'node:stream/consumers';
import { createNode } from '../create-node.ts';
import { signerOfSeed } from '../keys.ts';

/** One node in a process of its own, for tests that kill it. Reads its options as JSON, prints where it listens. */
const { seed, genesis, ...options } = JSON.parse(await text(process.stdin));
const node = createNode({
  ...options,
  genesis: new Uint8Array(Buffer.from(genesis, 'hex')),
  signer: signerOfSeed(Buffer.from(seed, 'hex')),
});
const { peer } = await node.start();
process.stdout.write(`${JSON.stringify(peer)}\n`);
