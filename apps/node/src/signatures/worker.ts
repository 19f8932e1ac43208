import { parentPort } from 'node:worker_threads';
import { verifyPacked } from './verify-batch.ts';

/** One batch of packed claims; the answer carries the same number. */
export interface BatchRequest {
  readonly number: number;
  readonly packed: ArrayBuffer;
}

export interface BatchReply {
  readonly number: number;
  readonly verdicts: Uint8Array<ArrayBuffer>;
}

parentPort?.on('message', ({ number, packed }: BatchRequest) => {
  const reply: BatchReply = { number, verdicts: verifyPacked(packed) };
  parentPort?.postMessage(reply, [reply.verdicts.buffer]);
});
