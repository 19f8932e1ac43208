/** One measured node in a process of its own. Ends with its parent. */
import { MeasuredNode } from './measured-node.ts';
import type { Reply, Request } from './node-commands.ts';

const node = new MeasuredNode();

async function answer({ number, command, argument }: Request): Promise<Reply> {
  try {
    return { number, value: await (node[command] as (argument: unknown) => unknown).call(node, argument) };
  } catch (fault) {
    return { number, problem: fault instanceof Error ? (fault.stack ?? fault.message) : String(fault) };
  }
}

process.on('message', async (request: Request) => {
  process.send?.(await answer(request));
});
process.on('disconnect', () => process.exit(0));
// Ctrl-C goes to the whole group: the parent stops its children in order.
process.on('SIGINT', () => undefined);
